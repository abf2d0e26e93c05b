//===- DeviceSteps.cpp - Dispatches on device memory, timed ---------------===//
#include "test/kernels/DeviceSteps.h"

#include "test/kernels/CpuSeconds.h"
#include "test/kernels/KernelCase.h"
#include "test/kernels/KernelRunner.h"

#include <algorithm>

using namespace quern;
using namespace quern::test;

DeviceTensor DeviceTensor::slice(int64_t first, int64_t count,
                                 std::vector<int64_t> newShape) const {
  uint64_t bytes = range.size / shape[0];
  return {type,
          std::move(newShape),
          {range.buffer, range.offset + first * bytes, count * bytes}};
}

DeviceMemory::~DeviceMemory() {
  for (BufferHandle handle : handles)
    device.free(handle);
}

Result<DeviceTensor> DeviceMemory::allocate(DataType type,
                                            std::vector<int64_t> shape) {
  uint64_t bytes = dataTypeBits(type) / 8;
  for (int64_t size : shape)
    bytes *= size;
  QUERN_ASSIGN_OR_RETURN(BufferHandle handle,
                         device.allocate(bytes, MemoryKind::DeviceLocal));
  handles.push_back(handle);
  return DeviceTensor{type, std::move(shape), {handle, 0, bytes}};
}

Result<DeviceTensor> DeviceMemory::allocateRandom(DataType type,
                                                  std::vector<int64_t> shape,
                                                  double scale) {
  QUERN_ASSIGN_OR_RETURN(DeviceTensor tensor, allocate(type, shape));
  std::vector<std::byte> bytes = makeRandom(type, {4 << 20}, scale, 1).encode();
  for (uint64_t at = 0; at < tensor.range.size; at += bytes.size())
    QUERN_RETURN_IF_ERROR(
        device.upload(tensor.range.buffer, at,
                      std::span(bytes).first(std::min<uint64_t>(
                          bytes.size(), tensor.range.size - at))));
  return tensor;
}

Result<DeviceTensor>
DeviceMemory::allocateIntegers(std::vector<int64_t> shape,
                               const std::vector<int32_t> &values) {
  QUERN_ASSIGN_OR_RETURN(DeviceTensor tensor, allocate(DataType::I32, shape));
  QUERN_RETURN_IF_ERROR(
      device.upload(tensor.range.buffer, 0, std::as_bytes(std::span(values))));
  return tensor;
}

static std::string toText(const ConfigValue &value) {
  return std::visit(
      [](const auto &v) -> std::string {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(v)>>)
          return std::to_string(v);
        else
          return v;
      },
      value);
}

static std::string makeKey(const KernelRequest &request) {
  std::string key = request.family;
  for (const KernelArgument &argument : request.arguments) {
    key += " " + std::to_string(int(argument.type));
    for (int64_t size : argument.shape)
      key += "x" + std::to_string(size);
  }
  for (const auto &[name, value] : request.config)
    key += " " + name + "=" + toText(value);
  return key;
}

Result<KernelSet::Entry> KernelSet::compile(const KernelRequest &request) {
  std::string key = makeKey(request);
  auto found = kernels.find(key);
  if (found != kernels.end())
    return found->second;
  QUERN_ASSIGN_OR_RETURN(CompiledKernel kernel,
                         compiler.compile(request, target));
  QUERN_ASSIGN_OR_RETURN(
      KernelHandle handle,
      device.createKernel(describeKernel(kernel, request.family)));
  Entry entry{handle, kernel.launch.grid};
  kernels.emplace(std::move(key), entry);
  return entry;
}

Status KernelSet::add(ProgramDescription &program, const std::string &family,
                      const KernelConfig &config,
                      const std::vector<DeviceTensor> &inputs,
                      const std::vector<DeviceTensor> &outputs, bool waits) {
  KernelRequest request{family, family, {}, config};
  DispatchDescription dispatch;
  for (const auto *tensors : {&inputs, &outputs})
    for (const DeviceTensor &tensor : *tensors) {
      request.arguments.push_back(
          {tensors == &inputs ? ArgumentEffect::Read : ArgumentEffect::Write,
           tensor.type, tensor.shape});
      dispatch.arguments.push_back(tensor.range);
    }
  QUERN_ASSIGN_OR_RETURN(Entry kernel, compile(request));
  dispatch.kernel = kernel.handle;
  dispatch.grid.groups = kernel.groups;
  dispatch.barrierBefore = waits && !program.dispatches.empty();
  dispatch.label = family;
  program.dispatches.push_back(std::move(dispatch));
  return Status::ok();
}

Result<double> test::timeProgram(Device &device, ProgramHandle program) {
  double before = cpuSeconds();
  QUERN_RETURN_IF_ERROR(device.submit(program, 1, 1));
  QUERN_RETURN_IF_ERROR(device.wait(uint64_t(600) * 1000000000));
  return cpuSeconds() - before;
}
