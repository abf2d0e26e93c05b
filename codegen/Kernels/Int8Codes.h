//===- Int8Codes.h - Numbers as int8 codes with a scale ---------*- C++ -*-===//
//
// A group of numbers has codes of -127 to 127 and the scale largest magnitude /
// 127 (runtime/base/Int8Rows.h).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_INT8CODES_H
#define QUERN_CODEGEN_KERNELS_INT8CODES_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

/// The largest magnitude of `octets` octets that `lanes` lanes share (a team of
/// a subgroup, or the workgroup); all of them get it.
Expression findLargest(KernelBuilder &k, int64_t octets, unsigned lanes,
                       Expression lane,
                       llvm::function_ref<Octet(Expression)> read);

/// What numbers are multiplied with to get codes: 127 / largest, 0 for 0.
Expression invertScale(Expression largest);
/// The code of a number, as f32.
Expression toCode(Expression x, Expression inverseScale);
/// A word of four codes, the first one in its low byte.
Expression packInt8Codes(llvm::ArrayRef<Expression> codes);
/// The code in a byte of a word, as f32.
Expression unpackInt8Code(Expression word, unsigned byte);
/// The four of a word as a vector.
Expression unpackInt8Codes(KernelBuilder &k, Expression word);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_INT8CODES_H
