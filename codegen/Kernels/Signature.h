//===- Signature.h - Arguments that a kernel family takes -------*- C++ -*-===//
//
// A family states its arguments in one line of Kernels.inc, in binding order:
//
//   "in x f[T,K], in weight w[N,K], out y a[T,N]"
//
// Effect (in, out, inout), name, element type and shape. Types: f32 and i32
// are exact; f is f32, f16 or bf16 and the same for all arguments of type f; w
// and a are any of the three, each argument for itself; e is one of the three
// or an encoding (runtime/base/Encodings.inc); c is f or int8 rows
// (runtime/base/Int8Rows.h). A dimension is a symbol, equal wherever it
// appears;
// `*K` stands for the product of one or more dimensions.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_SIGNATURE_H
#define QUERN_CODEGEN_KERNELS_SIGNATURE_H

#include "codegen/Kernels/KernelRequest.h"

#include <map>
#include <string_view>

namespace quern {

/// What matching a request against a signature yields.
struct SignatureMatch {
  std::map<std::string, int64_t, std::less<>> dims;
  std::map<std::string, unsigned, std::less<>> arguments; ///< Name -> index.
};

/// Matches the arguments of `request`. InvalidArgument names the argument,
/// what it is and what the signature wants. The signature is ours and trusted.
Result<SignatureMatch> matchSignature(std::string_view signature,
                                      const KernelRequest &request);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_SIGNATURE_H
