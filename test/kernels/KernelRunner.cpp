//===- KernelRunner.cpp - Compiling and running kernels in tests ----------===//
#include "test/kernels/KernelRunner.h"

#include "runtime/device/DeviceRegistry.h"

#include <spirv-tools/libspirv.hpp>

#include <cmath>
#include <map>
#include <sstream>

using namespace quern;
using namespace quern::test;

using Devices = std::map<std::string, std::unique_ptr<Device>>;

/// Never destroyed: drivers clean up behind main, in an order of their own.
static Devices &getDevices() {
  static auto *devices = new Devices;
  return *devices;
}

void test::closeTestDevices() { getDevices().clear(); }

Result<Device *> test::getTestDevice(const std::string &api, bool validation) {
  std::unique_ptr<Device> &device = getDevices()[api];
  if (!device) {
    DeviceOptions options;
    options.api = api;
    options.validation = validation;
    QUERN_ASSIGN_OR_RETURN(device, openDevice(options));
  }
  return device.get();
}

Status test::validateSpirv(const std::vector<uint32_t> &code) {
  spvtools::SpirvTools tools(SPV_ENV_VULKAN_1_1);
  std::string messages;
  tools.SetMessageConsumer(
      [&](spv_message_level_t, const char *, const spv_position_t &,
          const char *message) { messages += std::string(message) + "; "; });
  if (tools.Validate(code))
    return Status::ok();
  return invalidArgument(messages);
}

namespace {

/// Written behind every argument; has to be there afterwards.
constexpr std::byte guardByte{0xa5};
constexpr uint64_t guardBytes = 256;

/// The buffers of one run, freed at the end.
class Buffers {
public:
  explicit Buffers(Device &device) : device(device) {}
  ~Buffers() {
    for (BufferHandle handle : owned)
      device.free(handle);
  }

  Status add(const Tensor &tensor) {
    std::vector<std::byte> bytes = tensor.encode();
    sizes.push_back(bytes.size());
    bytes.resize(paddedSize(bytes.size()) + guardBytes, guardByte);
    QUERN_ASSIGN_OR_RETURN(
        BufferHandle handle,
        device.allocate(bytes.size(), MemoryKind::DeviceLocal));
    handles.push_back(handle);
    owned.push_back(handle);
    return device.upload(handle, 0, bytes);
  }

  void addView(size_t index) {
    sizes.push_back(sizes[index]);
    handles.push_back(handles[index]);
  }

  /// Bindings end with the tensor, as in a bundle.
  BufferRange range(size_t index) const {
    return {handles[index], 0, sizes[index]};
  }

  Status read(size_t index, Tensor &tensor) {
    uint64_t size = paddedSize(sizes[index]) + guardBytes;
    std::vector<std::byte> bytes(size);
    QUERN_RETURN_IF_ERROR(device.download(handles[index], 0, bytes));
    for (uint64_t i = sizes[index]; i != size; ++i)
      if (bytes[i] != guardByte)
        return internalError("argument " + std::to_string(index) + ": byte " +
                             std::to_string(i) + " behind its end was written");
    tensor.decode(bytes);
    return Status::ok();
  }

private:
  static uint64_t paddedSize(uint64_t size) { return (size + 255) / 256 * 256; }

  Device &device;
  std::vector<BufferHandle> handles, owned;
  std::vector<uint64_t> sizes;
};

} // namespace

KernelDescription test::describeKernel(const CompiledKernel &kernel,
                                       std::string_view name) {
  KernelDescription description;
  description.name = name;
  description.entryPoint = kernel.entryPoint;
  description.code = std::as_bytes(std::span(kernel.code));
  description.workgroupSize = kernel.launch.workgroupSize;
  for (KernelAccess access : kernel.accesses)
    description.arguments.push_back(static_cast<ArgumentAccess>(access));
  description.subgroupSize = kernel.launch.subgroupSize;
  description.workgroupMemory = kernel.launch.workgroupMemory;
  return description;
}

Result<std::vector<Tensor>> test::runKernel(Device &device,
                                            const CompiledKernel &kernel,
                                            const KernelCase &kernelCase,
                                            const KernelTimer &timer) {
  Buffers buffers(device);
  DispatchDescription dispatch;
  for (unsigned i = 0; i != kernelCase.arguments.size(); ++i) {
    auto view = kernelCase.views.find(i);
    if (view == kernelCase.views.end())
      QUERN_RETURN_IF_ERROR(buffers.add(kernelCase.arguments[i]));
    else
      buffers.addView(view->second);
    dispatch.arguments.push_back(buffers.range(i));
  }
  QUERN_ASSIGN_OR_RETURN(
      dispatch.kernel,
      device.createKernel(describeKernel(kernel, kernelCase.request.name)));
  dispatch.grid = {kernel.launch.grid,
                   static_cast<GridCount>(kernel.launch.count),
                   static_cast<uint8_t>(kernel.launch.axis), kernel.launch.tile,
                   kernel.launch.scale};
  dispatch.label = kernelCase.request.name;
  ProgramDescription program;
  program.name = "test";
  program.dispatches.push_back(dispatch);
  QUERN_ASSIGN_OR_RETURN(ProgramHandle handle, device.record(program));
  auto run = [&] {
    QUERN_RETURN_IF_ERROR(
        device.submit(handle, kernelCase.tokens, kernelCase.rows));
    return device.wait(uint64_t(120) * 1000000000);
  };
  QUERN_RETURN_IF_ERROR(timer ? timer(run) : run());
  QUERN_RETURN_IF_ERROR(device.checkDiagnostics());
  std::vector<Tensor> results = kernelCase.arguments;
  for (size_t i = 0; i != results.size(); ++i)
    QUERN_RETURN_IF_ERROR(buffers.read(i, results[i]));
  return results;
}

std::string test::compareTensors(const Tensor &found,
                                 const Expectation &expected) {
  const Tensor &wanted = expected.tensor;
  bool isInteger = wanted.type == DataType::I32;
  size_t count = isInteger ? wanted.integers.size() : wanted.values.size();
  if (expected.elements >= 0)
    count = static_cast<size_t>(expected.elements);
  std::ostringstream message;
  size_t bad = 0;
  for (size_t i = 0; i != count; ++i) {
    double a = isInteger ? found.integers[i] : found.values[i];
    double b = isInteger ? wanted.integers[i] : wanted.values[i];
    double tolerance = expected.absolute + expected.relative * std::fabs(b);
    if (a == b || std::fabs(a - b) <= tolerance)
      continue;
    if (bad++ == 0)
      message << "element " << i << " is " << a << ", expected " << b
              << " within " << tolerance;
  }
  if (bad != 0)
    message << "; " << bad << " of " << count << " are out of tolerance";
  return message.str();
}
