//===- TestKernels.cpp - Kernels of the device tests ----------------------===//

#include "TestKernels.h"

#include "runtime/base/File.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <elf.h>
#include <map>

using namespace quern;
using namespace quern::test;

static constexpr auto storage = ArgumentAccess::StorageBuffer;

namespace {
struct TestKernel {
  const char *name;
  std::array<uint32_t, 3> workgroupSize;
  std::vector<ArgumentAccess> arguments;
  NullDevice::KernelFunction function;
};
} // namespace

using Call = NullDevice::KernelCall;

static size_t countThreads(const Call &call) {
  return size_t(call.grid[0]) * call.workgroupSize[0];
}

static void runCopyWords(const Call &call) {
  auto in = call.get<uint32_t>(0), out = call.get<uint32_t>(1);
  for (size_t i = 0; i < out.size() && i < countThreads(call); ++i)
    out[i] = in[i];
}

static void runNeighborSum(const Call &call) {
  auto in = call.get<uint32_t>(0), out = call.get<uint32_t>(1);
  for (size_t i = 0; i < out.size() && i < countThreads(call); ++i)
    out[i] = in[i] + in[(i + 97) % out.size()];
}

static void runGridMarks(const Call &call) {
  auto out = call.get<uint32_t>(0);
  auto [nx, ny, nz] = call.grid;
  for (uint32_t z = 0; z != nz; ++z)
    for (uint32_t y = 0; y != ny; ++y)
      for (uint32_t x = 0; x != nx; ++x)
        out[(size_t(z) * ny + y) * nx + x] = (x | y << 8 | z << 16) + 1;
}

static void runTexelViews(const Call &call) {
  auto u4 = call.get<uint32_t>(0), u1 = call.get<uint32_t>(2);
  auto f4 = call.get<float>(1), f1 = call.get<float>(3);
  auto out = call.get<uint32_t>(4);
  for (size_t i = 0; i < out.size() && i < 4 * countThreads(call); ++i)
    out[i] = u4[i] + uint32_t(f4[i]) + u1[i] + uint32_t(f1[i]);
}

static void runSubgroupCount(const Call &call) {
  auto out = call.get<uint32_t>(0);
  for (size_t i = 0; i < countThreads(call); ++i)
    out[i] = 8; // The subgroup size of the null device.
}

static const std::vector<TestKernel> &getTestKernels() {
  static const std::vector<TestKernel> kernels = {
      {"copy_words", {64, 1, 1}, {storage, storage}, runCopyWords},
      {"neighbor_sum", {64, 1, 1}, {storage, storage}, runNeighborSum},
      {"grid_marks", {1, 1, 1}, {storage}, runGridMarks},
      {"texel_views",
       {8, 1, 1},
       {ArgumentAccess::TexelUint4, ArgumentAccess::TexelFloat4,
        ArgumentAccess::TexelUint1, ArgumentAccess::TexelFloat1, storage},
       runTexelViews},
      {"subgroup_count", {64, 1, 1}, {storage}, runSubgroupCount},
  };
  return kernels;
}

KernelDescription test::getTestKernel(const std::string &name,
                                      const std::string &api) {
  static std::map<std::string, std::string> codes;
  KernelDescription desc;
  for (const TestKernel &kernel : getTestKernels()) {
    if (kernel.name != name)
      continue;
    bool isNative = api == "cpu", isPtx = api == "cuda";
    std::string file = name + (isNative ? ".elf" : ".spv");
    if (isPtx)
      file = "cuda.ptx";
    std::string &code = codes[file];
    if (code.empty()) {
      Result<std::string> bytes = readWholeFile(
          (isPtx ? QUERN_SOURCE_DIR "/test/runtime/device/kernels/"
                 : QUERN_TEST_KERNELS_DIR "/") +
              file,
          uint64_t(1) << 20);
      if (bytes.isOk())
        code = *bytes;
      else
        ADD_FAILURE() << bytes.getStatus().getMessage();
      // The linker calls what has a fixed address of 0 an executable.
      if (isNative && bytes.isOk())
        code[offsetof(Elf64_Ehdr, e_type)] = ET_DYN;
    }
    desc.name = name;
    desc.entryPoint = isPtx ? name : "main";
    desc.code = std::as_bytes(std::span(code));
    desc.workgroupSize = kernel.workgroupSize;
    desc.arguments = kernel.arguments;
    return desc;
  }
  ADD_FAILURE() << "no test kernel '" << name << "'";
  return desc;
}

void test::setTestKernelFunctions(NullDevice &device) {
  for (const TestKernel &kernel : getTestKernels())
    device.setKernelFunction(kernel.name, kernel.function);
}
