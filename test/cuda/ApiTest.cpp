//===- ApiTest.cpp - The driver API itself --------------------------------===//

#include "test/cuda/DriverTest.h"

#include <cstring>

using namespace quern;
using namespace quern::test;

/// out[i] = in[i] + 1, of 32 words.
static const std::string increment =
    makeKernel("mul.wide.u32 %d2, %r0, 4; add.s64 %d0, %d0, %d2;\n"
               "add.s64 %d1, %d1, %d2; ld.global.u32 %r1, [%d0];\n"
               "add.u32 %r1, %r1, 1; st.global.u32 [%d1], %r1;");

TEST_F(CudaDriver, WorksOnlyAfterInitAndWithAContext) {
  quernTestCudaReset();
  ASSERT_TRUE(quernTestCudaSetOption("QUIET", "1"));
  int count = 0;
  EXPECT_EQ(cuDeviceGetCount(&count), ptx::NotInitialized);
  ASSERT_CU(cuInit(0));
  ASSERT_CU(cuDeviceGetCount(&count));
  EXPECT_EQ(count, 1);
  CuPointer address = 0;
  EXPECT_EQ(cuMemAlloc_v2(&address, 4), ptx::InvalidContext);
  int device = 7;
  EXPECT_EQ(cuDeviceGet(&device, 1), ptx::InvalidDevice);
  ASSERT_CU(cuDeviceGet(&device, 0));
  void *context = nullptr;
  ASSERT_CU(cuDevicePrimaryCtxRetain(&context, device));
  EXPECT_EQ(cuMemAlloc_v2(&address, 4), ptx::InvalidContext); // Not current.
  ASSERT_CU(cuCtxSetCurrent(context));
  ASSERT_CU(cuMemAlloc_v2(&address, 4));
  ASSERT_CU(cuDevicePrimaryCtxRelease_v2(device));
  EXPECT_EQ(getCounters().liveAllocations, 0u);
  ASSERT_TRUE(quernTestCudaSetOption("DEVICES", "0"));
  EXPECT_EQ(cuInit(0), ptx::NoDevice);
}

TEST_F(CudaDriver, DescribesItsDeviceAndErrors) {
  int value = 0;
  ASSERT_TRUE(quernTestCudaSetOption("ARCH", "90"));
  ASSERT_CU(cuDeviceGetAttribute(&value, ptx::ComputeCapabilityMajor, 0));
  EXPECT_EQ(value, 9);
  ASSERT_CU(cuDeviceGetAttribute(&value, ptx::MaxSharedMemoryPerBlockOptin, 0));
  EXPECT_EQ(value, 232448);
  EXPECT_EQ(cuDeviceGetAttribute(&value, 9999, 0), ptx::InvalidValue);
  const char *text = nullptr;
  ASSERT_CU(cuGetErrorName(ptx::IllegalAddress, &text));
  EXPECT_STREQ(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
  ASSERT_CU(cuGetErrorString(ptx::OutOfMemory, &text));
  EXPECT_STREQ(text, "out of memory");
  EXPECT_EQ(cuGetErrorName(static_cast<CuResult>(12345), &text),
            ptx::InvalidValue);
}

TEST_F(CudaDriver, DescribesFunctions) {
  void *function =
      getFunction(load(makeHead() + ".visible .entry k() .reqntid 64, 2, 1\n{\n"
                                    ".shared .align 4 .b8 a[100];\n"
                                    ".local .align 8 .b8 l[24];\nret;\n}\n"));
  int value = 0;
  ASSERT_CU(cuFuncGetAttribute(&value, ptx::FunctionSharedBytes, function));
  EXPECT_EQ(value, 100);
  ASSERT_CU(cuFuncGetAttribute(&value, ptx::FunctionLocalBytes, function));
  EXPECT_EQ(value, 24);
  ASSERT_CU(cuFuncGetAttribute(&value, ptx::FunctionMaxThreads, function));
  EXPECT_EQ(value, 128);
  auto start = [&](unsigned x, unsigned y, unsigned shared) {
    return cuLaunchKernel(function, 1, 1, 1, x, y, 1, shared, nullptr, nullptr,
                          nullptr);
  };
  EXPECT_EQ(start(128, 1, 0), ptx::InvalidValue); // .reqntid
  EXPECT_EQ(start(64, 2, 49152), ptx::InvalidValue);
  EXPECT_EQ(cuFuncSetAttribute(function, ptx::FunctionMaxDynamicSharedBytes,
                               163 << 10),
            ptx::InvalidValue);
  ASSERT_CU(cuFuncSetAttribute(function, ptx::FunctionMaxDynamicSharedBytes,
                               100 << 10));
  EXPECT_CU(start(64, 2, 100 << 10));
  EXPECT_EQ(
      cuLaunchKernel(function, 0, 1, 1, 64, 2, 1, 0, nullptr, nullptr, nullptr),
      ptx::InvalidValue);
  EXPECT_EQ(
      cuLaunchKernel(&value, 1, 1, 1, 64, 2, 1, 0, nullptr, nullptr, nullptr),
      ptx::InvalidHandle);
  void *none = nullptr;
  EXPECT_EQ(cuModuleGetFunction(&none, load(increment), "absent"),
            ptx::NotFound);
}

TEST_F(CudaDriver, RefusesPtxNewerThanItself) {
  std::string ptx = increment;
  ptx.replace(ptx.find("8.0"), 3, "8.4");
  void *module = nullptr;
  ASSERT_TRUE(quernTestCudaSetOption("VERSION", "12030"));
  EXPECT_EQ(cuModuleLoadDataEx(&module, ptx.c_str(), 0, nullptr, nullptr),
            ptx::UnsupportedPtxVersion);
  EXPECT_EQ(cuModuleLoadDataEx(&module,
                               "\x7f"
                               "ELF",
                               0, nullptr, nullptr),
            ptx::NoBinaryForGpu);
  ASSERT_TRUE(quernTestCudaSetOption("VERSION", "12040"));
  EXPECT_CU(cuModuleLoadDataEx(&module, ptx.c_str(), 0, nullptr, nullptr));
}

TEST_F(CudaDriver, LimitsMemory) {
  ASSERT_TRUE(quernTestCudaSetOption("MEMORY", "1000"));
  CuPointer first = 0, second = 0;
  ASSERT_CU(cuMemAlloc_v2(&first, 600));
  EXPECT_EQ(cuMemAlloc_v2(&second, 600), ptx::OutOfMemory);
  size_t freeBytes = 0, totalBytes = 0;
  ASSERT_CU(cuMemGetInfo_v2(&freeBytes, &totalBytes));
  EXPECT_EQ(freeBytes, 400u);
  EXPECT_EQ(totalBytes, 1000u);
  ASSERT_CU(cuMemFree_v2(first));
  EXPECT_EQ(cuMemFree_v2(first), ptx::InvalidValue);
  EXPECT_EQ(cuMemFree_v2(first + 4), ptx::InvalidValue);
  EXPECT_CU(cuMemAlloc_v2(&second, 1000));
}

TEST_F(CudaDriver, WorksWhenSomeoneWaits) {
  void *stream = nullptr, *function = getFunction(load(increment));
  ASSERT_CU(cuStreamCreate(&stream, 1));
  Words in(32, 5), out(32);
  CuPointer a = allocate(128), b = allocate(128);
  void *parameters[] = {&a, &b};
  ASSERT_CU(cuMemcpyHtoDAsync_v2(a, in.data(), 128, stream));
  ASSERT_CU(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, parameters,
                           nullptr));
  ASSERT_CU(cuMemcpyDtoHAsync_v2(out.data(), b, 128, stream));
  EXPECT_EQ(out[0], 0u); // Nothing was done yet:
  in[3] = 8;             // so this is still seen.
  EXPECT_EQ(cuStreamQuery(stream), ptx::NotReady);
  EXPECT_EQ(out[0], 0u);
  EXPECT_CU(cuStreamQuery(stream));
  EXPECT_EQ(out[0], 6u);
  EXPECT_EQ(out[3], 9u);
  QuernTestCudaCounters counters = getCounters();
  EXPECT_EQ(counters.kernelLaunches, 1u);
  EXPECT_EQ(counters.kernelsRun, 1u);
  EXPECT_EQ(counters.deviceToHostBytes, 128u);
  EXPECT_EQ(counters.hostToDeviceBytes, 128u);
  EXPECT_EQ(counters.synchronisations, 1u);
  EXPECT_EQ(counters.deviceAllocations, 2u);
  EXPECT_GT(counters.instructions, 8u);
  EXPECT_CU(cuStreamDestroy_v2(stream));
  EXPECT_EQ(cuStreamSynchronize(stream), ptx::InvalidHandle);
}

TEST_F(CudaDriver, OrdersStreamsByEvents) {
  void *first = nullptr, *second = nullptr, *start = nullptr, *end = nullptr;
  ASSERT_CU(cuStreamCreate(&first, 1));
  ASSERT_CU(cuStreamCreate(&second, 1));
  ASSERT_CU(cuEventCreate(&start, 0));
  ASSERT_CU(cuEventCreate(&end, 0));
  float milliseconds = -1;
  EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, end), ptx::InvalidHandle);
  CuPointer a = allocate(4);
  uint32_t one = 1, two = 2, found = 0;
  ASSERT_CU(cuEventRecord(start, second));
  ASSERT_CU(cuMemcpyHtoDAsync_v2(a, &one, 4, first));
  ASSERT_CU(cuEventRecord(end, first));
  ASSERT_CU(cuMemcpyHtoDAsync_v2(a, &two, 4, first)); // Behind the event.
  ASSERT_CU(cuStreamWaitEvent(second, end, 0));
  ASSERT_CU(cuMemcpyDtoHAsync_v2(&found, a, 4, second));
  ASSERT_CU(cuStreamSynchronize(second));
  EXPECT_EQ(found, 1u);
  ASSERT_CU(cuEventSynchronize(end));
  EXPECT_CU(cuEventQuery(end));
  ASSERT_CU(cuEventElapsedTime(&milliseconds, start, end));
  EXPECT_GE(milliseconds, 0);
  ASSERT_CU(cuCtxSynchronize());
  EXPECT_EQ(download(a, 1)[0], 2u);
  EXPECT_CU(cuEventDestroy_v2(end));
  EXPECT_EQ(cuEventQuery(end), ptx::InvalidHandle);
}

TEST_F(CudaDriver, ReadsPageLockedAndRegisteredMemory) {
  void *function = getFunction(load(increment)), *pinned = nullptr;
  ASSERT_CU(cuMemHostAlloc(&pinned, 128, 0));
  std::memset(pinned, 0, 128);
  alignas(4096) static uint32_t own[1024];
  own[4] = 10;
  ASSERT_CU(cuMemHostRegister_v2(own, sizeof(own), 8));
  EXPECT_EQ(cuMemHostRegister_v2(own, 16, 0), ptx::HostMemoryAlreadyRegistered);
  auto in = reinterpret_cast<CuPointer>(own);
  auto out = reinterpret_cast<CuPointer>(pinned);
  ASSERT_CU(launch(function, in, out, {}));
  EXPECT_EQ(static_cast<uint32_t *>(pinned)[4], 11u);
  ASSERT_CU(cuMemHostUnregister(own));
  EXPECT_EQ(cuMemHostUnregister(own), ptx::HostMemoryNotRegistered);
  ASSERT_CU(cuMemHostRegister_v2(own, sizeof(own), 8));
  EXPECT_EQ(launch(function, out, in, {}), ptx::IllegalAddress);
  EXPECT_CONTAINS(std::string(quernTestCudaGetError()), "read-only");
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

namespace {
struct GraphBuilder {
  void *graph = nullptr;
  void *function;

  ptx::KernelNodeParameters describe(void **parameters, unsigned blocks = 1) {
    return {function, blocks, 1,          1,       32,      1,
            1,        0,      parameters, nullptr, nullptr, nullptr};
  }
  void *add(CuPointer in, CuPointer out, std::vector<void *> dependencies) {
    void *parameters[] = {&in, &out}, *node = nullptr;
    ptx::KernelNodeParameters description = describe(parameters);
    EXPECT_CU(cuGraphAddKernelNode_v2(&node, graph, dependencies.data(),
                                      dependencies.size(), &description));
    return node;
  }
};
} // namespace

TEST_F(CudaDriver, LaunchesGraphs) {
  GraphBuilder builder{nullptr, getFunction(load(increment))};
  ASSERT_CU(cuGraphCreate(&builder.graph, 0));
  CuPointer a = upload(Words(32, 1)), b = upload(Words(32, 0)),
            c = upload(Words(32, 0));
  void *first = builder.add(a, b, {});
  void *join = nullptr, *event = nullptr, *timed = nullptr;
  ASSERT_CU(cuGraphAddEmptyNode(&join, builder.graph, &first, 1));
  void *second = builder.add(b, c, {join});
  ASSERT_CU(cuEventCreate(&event, 0));
  ASSERT_CU(
      cuGraphAddEventRecordNode(&timed, builder.graph, &second, 1, event));
  void *exec = nullptr, *stream = nullptr;
  ASSERT_CU(cuGraphInstantiateWithFlags(&exec, builder.graph, 0));
  ASSERT_CU(cuStreamCreate(&stream, 1));
  for (const char *seed : {"0", "1", "2", "3"}) {
    ASSERT_TRUE(quernTestCudaSetOption("SHUFFLE", seed));
    ASSERT_CU(cuMemsetD8_v2(c, 0, 128));
    ASSERT_CU(cuGraphLaunch(exec, stream));
    ASSERT_CU(cuStreamSynchronize(stream));
    EXPECT_EQ(download(c, 32), Words(32, 3));
  }
  EXPECT_EQ(getCounters().graphLaunches, 4u);
  EXPECT_EQ(getCounters().kernelsRun, 8u);
  EXPECT_EQ(getCounters().kernelLaunches, 0u);
  // A node that is off, and one with other parameters.
  ASSERT_CU(cuGraphNodeSetEnabled(exec, first, 0));
  ASSERT_CU(cuMemsetD32_v2(b, 50, 32));
  ASSERT_CU(cuGraphLaunch(exec, stream));
  ASSERT_CU(cuStreamSynchronize(stream));
  EXPECT_EQ(download(c, 32), Words(32, 51));
  void *parameters[] = {&a, &c};
  ptx::KernelNodeParameters changed = builder.describe(parameters);
  ASSERT_CU(cuGraphExecKernelNodeSetParams_v2(exec, second, &changed));
  ASSERT_CU(cuGraphLaunch(exec, stream));
  ASSERT_CU(cuStreamSynchronize(stream));
  EXPECT_EQ(download(c, 32), Words(32, 2));
  EXPECT_EQ(getCounters().graphUpdates, 2u);
  EXPECT_EQ(cuGraphNodeSetEnabled(exec, exec, 0), ptx::InvalidValue);
  EXPECT_CU(cuGraphExecDestroy(exec));
  EXPECT_CU(cuGraphDestroy(builder.graph));
  EXPECT_EQ(cuGraphLaunch(exec, stream), ptx::InvalidHandle);
}

/// Without the dependency, some order of the shuffled ones shows it.
TEST_F(CudaDriver, ShowsMissingDependencies) {
  GraphBuilder builder{nullptr, getFunction(load(increment))};
  ASSERT_CU(cuGraphCreate(&builder.graph, 0));
  CuPointer a = upload(Words(32, 1)), b = upload(Words(32, 0)),
            c = upload(Words(32, 0));
  builder.add(a, b, {});
  builder.add(b, c, {});
  void *exec = nullptr;
  ASSERT_CU(cuGraphInstantiateWithFlags(&exec, builder.graph, 0));
  bool shown = false;
  for (int seed = 1; seed != 9; ++seed) {
    ASSERT_TRUE(
        quernTestCudaSetOption("SHUFFLE", std::to_string(seed).c_str()));
    ASSERT_CU(cuMemsetD8_v2(b, 0, 128));
    ASSERT_CU(cuGraphLaunch(exec, nullptr));
    ASSERT_CU(cuStreamSynchronize(nullptr));
    shown |= download(c, 1)[0] == 1;
  }
  EXPECT_TRUE(shown);
}

TEST_F(CudaDriver, FailsWhereTestsAskForIt) {
  CuPointer address = 0;
  quernTestCudaFail("cuMemAlloc_v2", ptx::OutOfMemory, 1);
  EXPECT_CU(cuMemAlloc_v2(&address, 4));
  EXPECT_EQ(cuMemAlloc_v2(&address, 4), ptx::OutOfMemory);
  EXPECT_CU(cuMemAlloc_v2(&address, 4));
  // A lost device stays lost.
  quernTestCudaFail("cuStreamSynchronize", ptx::LaunchFailed, 0);
  EXPECT_EQ(cuStreamSynchronize(nullptr), ptx::LaunchFailed);
  EXPECT_EQ(cuMemAlloc_v2(&address, 4), ptx::LaunchFailed);
  EXPECT_FALSE(quernTestCudaSetOption("NONSENSE", "1"));
  EXPECT_FALSE(quernTestCudaSetOption("SHUFFLE", "often"));
}
