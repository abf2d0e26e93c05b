//===- TestKernels.h - Kernels of the device tests ---------------*- C++
//-*-===//
//
// Each kernel exists three times: as SPIR-V assembly in kernels/, assembled at
// build time; in kernels/cpu.c, compiled at build time; and as a host function
// for the null device.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_RUNTIME_DEVICE_TESTKERNELS_H
#define QUERN_TEST_RUNTIME_DEVICE_TESTKERNELS_H

#include "runtime/device/null/NullDevice.h"

namespace quern::test {

/// Description of a kernel: for the API "cpu" an ELF image, for "cuda" PTX,
/// else SPIR-V. The
/// code stays in memory until the process ends. Fails the test for an unknown
/// name.
KernelDescription getTestKernel(const std::string &name,
                                const std::string &api = "vulkan");

/// Gives a null device the host functions of all test kernels.
void setTestKernelFunctions(NullDevice &device);

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_DEVICE_TESTKERNELS_H
