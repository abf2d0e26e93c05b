//===- KernelFamilies.h - The table of kernel families ----------*- C++ -*-===//
//
// Kernels.inc has one row per family. A family answers a request by building
// a device function; what it computes is defined by runtime/reference.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_KERNELFAMILIES_H
#define QUERN_CODEGEN_KERNELS_KERNELFAMILIES_H

#include "runtime/base/Status.h"

#include <span>
#include <string_view>

namespace quern {

class KernelBuilder;

struct KernelFamily {
  std::string_view name;
  std::string_view signature; ///< See Signature.h.
  /// Builds the body and sets the launch. InvalidArgument or Unsupported for
  /// requests that match the signature and still can't be answered.
  Status (*build)(KernelBuilder &);
};

std::span<const KernelFamily> getKernelFamilies();
/// Null if there is none of that name.
const KernelFamily *findKernelFamily(std::string_view name);

#define QUERN_KERNEL(name, build, signature) Status build(KernelBuilder &);
#include "codegen/Kernels/Kernels.inc"
#undef QUERN_KERNEL

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_KERNELFAMILIES_H
