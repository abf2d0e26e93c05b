//===- CudaFaultTest.cpp - Missing, old and failing drivers ---------------===//

#include "Conformance.h"
#include "TestKernels.h"

#include "runtime/device/cuda/CudaDevice.h"
#include "test/cuda/driver/TestDriver.h"

#include <cstdlib>

using namespace quern;
using namespace quern::test;

namespace {
class CudaFaultTest : public testing::Test {
protected:
  void SetUp() override {
    ::setenv("QUERN_CUDA_LIBRARY", QUERN_TEST_CUDA_LIBRARY, 1);
    reset();
  }
  void TearDown() override {
    quernTestCudaReset();
    ::setenv("QUERN_CUDA_LIBRARY", QUERN_TEST_CUDA_LIBRARY, 1);
  }

  static void reset() {
    quernTestCudaReset();
    ASSERT_TRUE(quernTestCudaSetOption("QUIET", "1"));
  }
  static std::unique_ptr<Device> open() {
    Result<std::unique_ptr<Device>> device = cuda::openDevice({});
    EXPECT_TRUE(device.isOk()) << device.getStatus().getMessage();
    return device.isOk() ? std::move(*device) : nullptr;
  }
  static void expectFailure(const Status &status, StatusCode code,
                            std::initializer_list<const char *> parts) {
    EXPECT_EQ(status.getCode(), code) << status.getMessage();
    for (const char *part : parts)
      EXPECT_NE(status.getMessage().find(part), std::string::npos)
          << status.getMessage() << "\nwithout: " << part;
  }
};
} // namespace

TEST_F(CudaFaultTest, SaysThatThereIsNoDriver) {
  ::setenv("QUERN_CUDA_LIBRARY", "/nonexistent/libcuda.so.1", 1);
  expectFailure(cuda::openDevice({}).getStatus(), StatusCode::NotFound,
                {"no NVIDIA driver", "/nonexistent/libcuda.so.1", "install"});
  expectFailure(cuda::listDevices().getStatus(), StatusCode::NotFound,
                {"no NVIDIA driver"});
  ::setenv("QUERN_CUDA_LIBRARY", "libm.so.6", 1);
  expectFailure(cuda::openDevice({}).getStatus(), StatusCode::NotFound,
                {"libm.so.6 is not a CUDA driver"});
}

TEST_F(CudaFaultTest, SaysThatTheDriverIsTooOld) {
  ASSERT_TRUE(quernTestCudaSetOption("VERSION", "11040"));
  expectFailure(cuda::openDevice({}).getStatus(), StatusCode::Unsupported,
                {"too old", "CUDA 11.4", "CUDA 12.0", "update the driver"});
}

TEST_F(CudaFaultTest, SaysThatThereIsNoGpu) {
  ASSERT_TRUE(quernTestCudaSetOption("DEVICES", "0"));
  expectFailure(cuda::openDevice({}).getStatus(), StatusCode::NotFound,
                {"finds no GPU", "nvidia-smi", "CUDA_VISIBLE_DEVICES"});
  reset();
  quernTestCudaFail("cuInit", 999, 0);
  expectFailure(cuda::openDevice({}).getStatus(), StatusCode::DeviceError,
                {"does not start", "CUDA_ERROR_UNKNOWN"});
}

/// A kernel with changed text.
static KernelDescription changeKernel(std::string &text, const char *from,
                                      const char *to) {
  KernelDescription desc = getTestKernel("copy_words", "cuda");
  text.assign(reinterpret_cast<const char *>(desc.code.data()),
              desc.code.size());
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  text.replace(at, std::string(from).size(), to);
  desc.code = std::as_bytes(std::span(text));
  return desc;
}

TEST_F(CudaFaultTest, SaysWhichCodeTheBundleHas) {
  auto device = open();
  std::string text;
  auto create = [&](const char *from, const char *to) {
    return device->createKernel(changeKernel(text, from, to)).getStatus();
  };
  expectFailure(create("sm_80", "sm_90"), StatusCode::Unsupported,
                {"'copy_words'", "code for sm_90 and newer", "is sm_80",
                 "--target cuda"});
  expectFailure(create("sm_80", "sm_75a"), StatusCode::Unsupported,
                {"code for sm_75a alone"});
  ASSERT_TRUE(quernTestCudaSetOption("VERSION", "12010"));
  device = open();
  expectFailure(create("8.0", "8.4"), StatusCode::Unsupported,
                {"CUDA 12.1", "too old", "update the driver"});
  ASSERT_OK(create(".version 8.0", ".version 8.1"));
}

TEST_F(CudaFaultTest, RefusesCodeThatIsNoKernel) {
  auto device = open();
  std::string text;
  auto create = [&](const char *from, const char *to) {
    return device->createKernel(changeKernel(text, from, to)).getStatus();
  };
  KernelDescription spirv = getTestKernel("copy_words");
  expectFailure(device->createKernel(spirv).getStatus(), StatusCode::Corrupt,
                {"'copy_words'", "no PTX"});
  expectFailure(create("copy_words(", "other("), StatusCode::Corrupt,
                {"no .entry 'copy_words'"});
  expectFailure(create("\t.param .u64 in,\n", ""), StatusCode::Corrupt,
                {"takes 1 parameters, expected 2"});
  expectFailure(create(".param .u64 in", ".param .u32 in"), StatusCode::Corrupt,
                {"addresses"});
  // What the driver's compiler says is passed on.
  expectFailure(create("mad.lo.u32", "mad.lo.x32"), StatusCode::Unsupported,
                {"can't compile", "line 19", "CUDA_ERROR_INVALID_PTX"});
  // More threads than the code allows.
  KernelDescription wide =
      changeKernel(text, ".reqntid 64, 1, 1", ".maxntid 64, 1, 1");
  wide.workgroupSize = {128, 1, 1};
  expectFailure(device->createKernel(wide).getStatus(), StatusCode::Unsupported,
                {"workgroups of 128 threads"});
}

TEST_F(CudaFaultTest, SaysHowMuchMemoryIsFree) {
  ASSERT_TRUE(quernTestCudaSetOption("MEMORY", "1048576"));
  auto device = open();
  ASSERT_TRUE(device->allocate(1 << 19, MemoryKind::DeviceLocal).isOk());
  expectFailure(
      device->allocate((1 << 19) + 1, MemoryKind::DeviceLocal).getStatus(),
      StatusCode::ResourceExhausted,
      {"can't allocate", "524289", "524288", "1048576", "are free",
       "--context"});
  EXPECT_TRUE(device->allocate(1 << 19, MemoryKind::DeviceLocal).isOk());
}

/// Each call of the driver fails once, in all that a load and a step do.
TEST_F(CudaFaultTest, SurvivesEachFailingCall) {
  auto work = [](Device &device) -> Status {
    QUERN_ASSIGN_OR_RETURN(BufferHandle a,
                           device.allocate(256, MemoryKind::DeviceLocal));
    QUERN_ASSIGN_OR_RETURN(BufferHandle b,
                           device.allocate(256, MemoryKind::HostVisible));
    std::vector<std::byte> bytes(256, std::byte(3));
    QUERN_RETURN_IF_ERROR(device.upload(a, 0, bytes));
    QUERN_ASSIGN_OR_RETURN(KernelHandle copy, device.createKernel(getTestKernel(
                                                  "copy_words", "cuda")));
    DispatchDescription dispatch = {copy,
                                    {wholeWords(a, 64), wholeWords(b, 64)},
                                    {{1, 1, 1}, GridCount::Tokens, 0, 1, 1}};
    DispatchDescription after = dispatch;
    after.barrierBefore = true;
    QUERN_ASSIGN_OR_RETURN(
        ProgramHandle program,
        device.record({"test", {dispatch, dispatch, after}}));
    QUERN_RETURN_IF_ERROR(device.submit(program, 1, 1));
    QUERN_RETURN_IF_ERROR(device.wait(waitNanoseconds));
    QUERN_RETURN_IF_ERROR(device.submit(program, 0, 1));
    QUERN_RETURN_IF_ERROR(device.wait(waitNanoseconds));
    QUERN_RETURN_IF_ERROR(device.profile(program, 1, 1).getStatus());
    return device.download(a, 0, bytes);
  };
  constexpr int outOfMemory = 2, launchFailed = 719;
  for (const char *function : {"cuDevicePrimaryCtxRetain",
                               "cuCtxSetCurrent",
                               "cuStreamCreate",
                               "cuMemGetInfo_v2",
                               "cuMemHostAlloc",
                               "cuEventCreate",
                               "cuMemAlloc_v2",
                               "cuMemsetD8Async",
                               "cuMemHostGetDevicePointer_v2",
                               "cuMemcpyHtoDAsync_v2",
                               "cuEventRecord",
                               "cuEventSynchronize",
                               "cuModuleLoadDataEx",
                               "cuModuleGetFunction",
                               "cuFuncGetAttribute",
                               "cuGraphCreate",
                               "cuGraphAddKernelNode_v2",
                               "cuGraphAddEmptyNode",
                               "cuGraphInstantiateWithFlags",
                               "cuGraphLaunch",
                               "cuStreamQuery",
                               "cuGraphNodeSetEnabled",
                               "cuLaunchKernel",
                               "cuEventElapsedTime",
                               "cuMemcpyDtoHAsync_v2",
                               "cuStreamSynchronize"})
    for (int code : {outOfMemory, launchFailed})
      for (unsigned skip = 0;; ++skip) {
        reset();
        quernTestCudaFail(function, code, skip);
        Result<std::unique_ptr<Device>> device = cuda::openDevice({});
        Status status = device.isOk() ? work(**device) : device.getStatus();
        quernTestCudaFail("", 0, 0);
        bool reached = !status.isOk();
        if (reached) {
          EXPECT_EQ(status.getCode(), code == outOfMemory
                                          ? StatusCode::ResourceExhausted
                                          : StatusCode::DeviceLost)
              << function << ": " << status.getMessage();
          if (device.isOk() && code == launchFailed) {
            EXPECT_CODE(
                (*device)->allocate(4, MemoryKind::DeviceLocal).getStatus(),
                StatusCode::DeviceLost);
          }
        }
        if (device.isOk())
          device->reset();
        if (code == outOfMemory) {
          QuernTestCudaCounters counters;
          quernTestCudaGetCounters(&counters);
          EXPECT_EQ(counters.leakedObjects, 0u) << function << " " << skip;
        }
        if (!reached) {
          EXPECT_GT(skip, 0u) << function << " is never called";
          break;
        }
      }
}

TEST_F(CudaFaultTest, LosesTheDeviceForGood) {
  auto device = open();
  BufferHandle small = *device->allocate(128, MemoryKind::DeviceLocal);
  BufferHandle large = *device->allocate(256, MemoryKind::DeviceLocal);
  KernelHandle copy =
      *device->createKernel(getTestKernel("copy_words", "cuda"));
  // 64 threads write 256 bytes into 128.
  ProgramHandle program = *device->record(
      {"decode",
       {{copy, {wholeWords(large, 64), wholeWords(small, 32)}, {{1, 1, 1}}}}});
  ASSERT_OK(device->submit(program, 1, 1));
  expectFailure(device->wait(waitNanoseconds), StatusCode::DeviceLost,
                {"is lost", "CUDA_ERROR_ILLEGAL_ADDRESS", "load the model"});
  EXPECT_NE(std::string(quernTestCudaGetError()).find("out of bounds"),
            std::string::npos);
  std::vector<std::byte> bytes(4);
  auto lost = StatusCode::DeviceLost;
  EXPECT_CODE(device->submit(program, 1, 1), lost);
  EXPECT_CODE(device->wait(0), lost);
  EXPECT_CODE(device->upload(large, 0, bytes), lost);
  EXPECT_CODE(device->download(large, 0, bytes), lost);
  EXPECT_CODE(device->allocate(4, MemoryKind::DeviceLocal).getStatus(), lost);
  EXPECT_CODE(device->record({"test", {}}).getStatus(), lost);
  EXPECT_CODE(device->profile(program, 1, 1).getStatus(), lost);
  device->free(large);
  device.reset();
  // A new device is well.
  device = open();
  EXPECT_TRUE(device->allocate(4, MemoryKind::DeviceLocal).isOk());
}
