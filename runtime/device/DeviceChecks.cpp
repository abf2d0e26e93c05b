//===- DeviceChecks.cpp - What every device refuses -----------------------===//

#include "runtime/device/DeviceChecks.h"

using namespace quern;

uint32_t quern::getTexelBytes(ArgumentAccess access) {
  switch (access) {
  case ArgumentAccess::StorageBuffer:
    return 0;
  case ArgumentAccess::TexelUint4:
  case ArgumentAccess::TexelFloat4:
    return 16;
  case ArgumentAccess::TexelUint1:
  case ArgumentAccess::TexelFloat1:
    return 4;
  }
  return 0;
}

std::string quern::describeDispatch(const ProgramDescription &program,
                                    size_t index) {
  return "program '" + program.name + "', dispatch " + std::to_string(index) +
         " (" + program.dispatches[index].label + ")";
}

Status quern::checkAllocation(uint64_t size, const DeviceLimits &limits) {
  if (size == 0)
    return invalidArgument("can't allocate a device buffer of 0 bytes");
  if (size > limits.maxAllocationBytes)
    return resourceExhausted("can't allocate a device buffer of " +
                             formatBytes(size) + ": the device allows " +
                             formatBytes(limits.maxAllocationBytes));
  return Status::ok();
}

Status quern::checkImport(const void *data, uint64_t size,
                          const DeviceLimits &limits) {
  if (limits.importAlignment == 0)
    return unsupported("the device can't import host memory");
  if (!data || size == 0)
    return invalidArgument("can't import empty host memory");
  uintptr_t address = reinterpret_cast<uintptr_t>(data);
  if (address % limits.importAlignment != 0)
    return invalidArgument(
        "imported host memory must be aligned to " +
        std::to_string(limits.importAlignment) + " bytes, found an address " +
        std::to_string(address % limits.importAlignment) + " bytes past");
  if (size > UINTPTR_MAX - address - limits.importAlignment)
    return invalidArgument("imported host memory wraps around: size " +
                           std::to_string(size));
  return Status::ok();
}

/// `what` is "range" or "argument"; the range is inside `bufferSize`.
static Status checkInside(uint64_t bufferSize, uint64_t offset, uint64_t size) {
  if (offset <= bufferSize && size <= bufferSize - offset)
    return Status::ok();
  return invalidArgument("range of " + std::to_string(size) +
                         " bytes at offset " + std::to_string(offset) +
                         " is outside its buffer of " +
                         std::to_string(bufferSize) + " bytes");
}

Status quern::checkCopy(uint64_t bufferSize, uint64_t offset, uint64_t size) {
  return checkInside(bufferSize, offset, size);
}

static Status checkWorkgroup(const KernelDescription &kernel,
                             const DeviceLimits &limits) {
  uint64_t threads = 1;
  for (int axis = 0; axis != 3; ++axis) {
    uint32_t extent = kernel.workgroupSize[axis];
    if (extent == 0 || extent > limits.maxWorkgroupShape[axis])
      return unsupported("workgroup dimension " + std::to_string(axis) +
                         " is " + std::to_string(extent) +
                         ", the device allows 1 to " +
                         std::to_string(limits.maxWorkgroupShape[axis]));
    threads *= extent; // At most 2^32 * 2^32 before the next test.
    if (threads > limits.maxWorkgroupSize)
      return unsupported("workgroup has " + std::to_string(threads) +
                         " or more threads, the device allows " +
                         std::to_string(limits.maxWorkgroupSize));
  }
  if (kernel.workgroupMemory > limits.maxWorkgroupMemory)
    return unsupported("workgroup memory is " +
                       std::to_string(kernel.workgroupMemory) +
                       " bytes, the device allows " +
                       std::to_string(limits.maxWorkgroupMemory));
  return Status::ok();
}

static Status checkSubgroup(const KernelDescription &kernel,
                            const DeviceLimits &limits) {
  uint32_t size = kernel.subgroupSize;
  if (size == 0 || size == limits.subgroupSize)
    return Status::ok();
  bool powerOfTwo = (size & (size - 1)) == 0;
  if (powerOfTwo && size >= limits.minSubgroupSize &&
      size <= limits.maxSubgroupSize)
    return Status::ok();
  return unsupported("needs a subgroup size of " + std::to_string(size) +
                     ", the device has " + std::to_string(limits.subgroupSize) +
                     " (" + std::to_string(limits.minSubgroupSize) + " to " +
                     std::to_string(limits.maxSubgroupSize) + ")");
}

static Status checkArgumentCounts(const KernelDescription &kernel,
                                  const DeviceLimits &limits) {
  uint32_t storage = 0, texel = 0;
  for (ArgumentAccess access : kernel.arguments)
    ++(access == ArgumentAccess::StorageBuffer ? storage : texel);
  if (storage > limits.maxStorageArguments)
    return unsupported("takes " + std::to_string(storage) +
                       " storage buffers, the device allows " +
                       std::to_string(limits.maxStorageArguments));
  if (texel > limits.maxTexelArguments)
    return unsupported("takes " + std::to_string(texel) +
                       " texel views, the device allows " +
                       std::to_string(limits.maxTexelArguments));
  return Status::ok();
}

Status quern::checkKernel(const KernelDescription &kernel,
                          const DeviceLimits &limits) {
  for (auto check : {checkWorkgroup, checkSubgroup, checkArgumentCounts})
    if (Status status = check(kernel, limits); !status.isOk())
      return std::move(status).withContext("kernel '" + kernel.name + "'");
  return Status::ok();
}

Status quern::checkArgument(const BufferRange &range, ArgumentAccess access,
                            const BufferFacts &buffer,
                            const DeviceLimits &limits) {
  if (range.size == 0)
    return invalidArgument("range is empty");
  QUERN_RETURN_IF_ERROR(checkInside(buffer.size, range.offset, range.size));
  if (range.offset % limits.bindingAlignment != 0)
    return invalidArgument("offset " + std::to_string(range.offset) +
                           " is not a multiple of the device's binding "
                           "alignment of " +
                           std::to_string(limits.bindingAlignment) + " bytes");
  if (buffer.imported && range.size > limits.maxAllocationBytes)
    return unsupported("range of " + formatBytes(range.size) +
                       " in imported memory exceeds what the device imports "
                       "at once, " +
                       formatBytes(limits.maxAllocationBytes));
  uint32_t texelBytes = getTexelBytes(access);
  if (texelBytes == 0) {
    if (range.size > limits.maxStorageBufferBytes)
      return unsupported("range of " + formatBytes(range.size) +
                         " exceeds the device's largest storage buffer, " +
                         formatBytes(limits.maxStorageBufferBytes));
    return Status::ok();
  }
  if (range.size % texelBytes != 0)
    return invalidArgument("range of " + std::to_string(range.size) +
                           " bytes is not a multiple of the " +
                           std::to_string(texelBytes) + "-byte texel");
  if (range.size / texelBytes > limits.maxTexelElements)
    return unsupported("texel view of " +
                       std::to_string(range.size / texelBytes) +
                       " elements exceeds the device's limit of " +
                       std::to_string(limits.maxTexelElements));
  return Status::ok();
}

Status quern::checkGrid(const GridDescription &grid,
                        const DeviceLimits &limits) {
  if (grid.axis >= 3 || grid.tile == 0 || grid.count > GridCount::Rows)
    return invalidArgument("grid is malformed: axis " +
                           std::to_string(grid.axis) + ", tile " +
                           std::to_string(grid.tile));
  for (int axis = 0; axis != 3; ++axis) {
    if (grid.groups[axis] == 0)
      return invalidArgument("grid dimension " + std::to_string(axis) +
                             " is 0");
    if (grid.groups[axis] > limits.maxGrid[axis])
      return unsupported("grid dimension " + std::to_string(axis) + " is " +
                         std::to_string(grid.groups[axis]) +
                         ", the device allows " +
                         std::to_string(limits.maxGrid[axis]));
  }
  return Status::ok();
}

Status quern::checkCounts(const GridDescription &grid, uint32_t tokens,
                          uint32_t rows) {
  uint32_t needed = computeGrid(grid, tokens, rows)[grid.axis];
  if (needed <= grid.groups[grid.axis])
    return Status::ok();
  return invalidArgument(std::to_string(tokens) + " tokens and " +
                         std::to_string(rows) + " rows need " +
                         std::to_string(needed) +
                         " workgroups, the program was recorded for at most " +
                         std::to_string(grid.groups[grid.axis]));
}
