//===- DeviceChecks.h - What every device refuses ----------------*- C++
//-*-===//
//
// The checks of descriptions against a device's limits, shared by all devices
// so that they refuse the same things with the same words, before a driver
// sees them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_DEVICECHECKS_H
#define QUERN_RUNTIME_DEVICE_DEVICECHECKS_H

#include "runtime/base/FormatBytes.h"
#include "runtime/device/Device.h"

namespace quern {

/// Bytes of one texel; 0 for StorageBuffer.
uint32_t getTexelBytes(ArgumentAccess access);

/// What a device knows of a buffer that is bound.
struct BufferFacts {
  uint64_t size = 0;
  bool imported = false;
};

Status checkAllocation(uint64_t size, const DeviceLimits &limits);
Status checkImport(const void *data, uint64_t size, const DeviceLimits &limits);
Status checkCopy(uint64_t bufferSize, uint64_t offset, uint64_t size);
Status checkKernel(const KernelDescription &kernel, const DeviceLimits &limits);

/// One argument of a dispatch: inside its buffer, aligned, within the limits
/// of its access.
Status checkArgument(const BufferRange &range, ArgumentAccess access,
                     const BufferFacts &buffer, const DeviceLimits &limits);

Status checkGrid(const GridDescription &grid, const DeviceLimits &limits);

/// That a run with these counts stays inside the recorded grid.
Status checkCounts(const GridDescription &grid, uint32_t tokens, uint32_t rows);

/// A whole program. `findKernel(KernelHandle) -> const KernelDescription *` and
/// `findBuffer(BufferHandle) -> std::optional<BufferFacts>` come from the
/// device.
template <typename FindKernel, typename FindBuffer>
Status checkProgram(const ProgramDescription &program,
                    const DeviceLimits &limits, FindKernel findKernel,
                    FindBuffer findBuffer);

/// "program 'decode', dispatch 3 (layers.0.mlp)".
std::string describeDispatch(const ProgramDescription &program, size_t index);

//===----------------------------------------------------------------------===//

template <typename FindKernel, typename FindBuffer>
Status checkProgram(const ProgramDescription &program,
                    const DeviceLimits &limits, FindKernel findKernel,
                    FindBuffer findBuffer) {
  for (size_t i = 0; i != program.dispatches.size(); ++i) {
    const DispatchDescription &dispatch = program.dispatches[i];
    auto fail = [&](Status status) {
      return std::move(status).withContext(describeDispatch(program, i));
    };
    const KernelDescription *kernel = findKernel(dispatch.kernel);
    if (!kernel)
      return fail(invalidArgument("unknown kernel handle"));
    if (kernel->arguments.size() != dispatch.arguments.size())
      return fail(invalidArgument("kernel '" + kernel->name + "' takes " +
                                  std::to_string(kernel->arguments.size()) +
                                  " arguments, found " +
                                  std::to_string(dispatch.arguments.size())));
    for (size_t a = 0; a != dispatch.arguments.size(); ++a) {
      auto buffer = findBuffer(dispatch.arguments[a].buffer);
      Status status = buffer
                          ? checkArgument(dispatch.arguments[a],
                                          kernel->arguments[a], *buffer, limits)
                          : invalidArgument("unknown or freed buffer");
      if (!status.isOk())
        return fail(
            std::move(status).withContext("argument " + std::to_string(a)));
    }
    if (Status status = checkGrid(dispatch.grid, limits); !status.isOk())
      return fail(std::move(status));
  }
  return Status::ok();
}

} // namespace quern

#endif // QUERN_RUNTIME_DEVICE_DEVICECHECKS_H
