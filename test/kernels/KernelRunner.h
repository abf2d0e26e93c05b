//===- KernelRunner.h - Compiling and running kernels in tests --*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_KERNELRUNNER_H
#define QUERN_TEST_KERNELS_KERNELRUNNER_H

#include "codegen/KernelCompiler.h"
#include "runtime/device/Device.h"
#include "test/kernels/KernelCase.h"

namespace quern::test {

/// The best device of an API, opened once.
Result<Device *> getTestDevice(const std::string &api, bool validation = true);

/// Closes them, while their drivers are still there.
void closeTestDevices();

/// What a device needs to know of a kernel; refers to its code.
KernelDescription describeKernel(const CompiledKernel &kernel,
                                 std::string_view name);

/// The module is valid SPIR-V for Vulkan 1.1; InvalidArgument says why not.
Status validateSpirv(const std::vector<uint32_t> &code);

/// Calls what it is given, which runs the kernel once, as often as it likes.
using KernelTimer = std::function<Status(const std::function<Status()> &run)>;

/// Runs the compiled kernel of a case; returns the arguments afterwards. Fails
/// if validation complains or if the kernel writes beyond an argument's end.
Result<std::vector<Tensor>> runKernel(Device &device,
                                      const CompiledKernel &kernel,
                                      const KernelCase &kernelCase,
                                      const KernelTimer &timer = nullptr);

/// Empty, or the first element that is out of tolerance and how many are.
std::string compareTensors(const Tensor &found, const Expectation &expected);

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_KERNELRUNNER_H
