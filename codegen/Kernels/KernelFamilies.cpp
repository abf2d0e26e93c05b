//===- KernelFamilies.cpp - The table of kernel families ------------------===//
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

static constexpr KernelFamily families[] = {
#define QUERN_KERNEL(name, build, signature) {#name, signature, build},
#include "codegen/Kernels/Kernels.inc"
#undef QUERN_KERNEL
};

std::span<const KernelFamily> quern::getKernelFamilies() { return families; }

const KernelFamily *quern::findKernelFamily(std::string_view name) {
  for (const KernelFamily &family : families)
    if (family.name == name)
      return &family;
  return nullptr;
}
