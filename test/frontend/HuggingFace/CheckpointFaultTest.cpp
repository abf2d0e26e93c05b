//===- CheckpointFaultTest.cpp - Faults while reading weights -------------===//

#include "frontend/HuggingFace/Checkpoint.h"
#include "runtime/base/Fault.h"
#include "test/frontend/HuggingFace/Shards.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"
#include "test/support/TempDir.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

namespace {
class CheckpointFault : public testing::Test {
protected:
  CheckpointFault() {
    for (std::string name : {"1", "2"})
      dir.write(
          name + ".safetensors",
          makeShard("{" + entry("tensor." + name, "F32", "[4]", 0, 16) + "}",
                    std::string(16, 'x')));
    dir.write("model.safetensors.index.json",
              R"({"metadata":{"total_size":32},"weight_map":{
                  "tensor.1":"1.safetensors","tensor.2":"2.safetensors"}})");
  }
  Result<Checkpoint> open() const {
    QUERN_ASSIGN_OR_RETURN(ModelDir folder, ModelDir::open(path));
    return Checkpoint::open(folder);
  }
  static uint64_t countDescriptors() {
    uint64_t count = 0;
    for ([[maybe_unused]] const auto &entry :
         std::filesystem::directory_iterator("/proc/self/fd"))
      ++count;
    return count;
  }

  TempDir dir;
  std::string path = dir.str();
};
} // namespace

TEST_F(CheckpointFault, F12EveryFailedReadIsReported) {
  for (uint64_t n = 1;; ++n) {
    FaultPlan plan;
    plan[FaultPoint::Read] = {FaultKind::Fail, n, 1, EIO};
    ScopedFaultPlan installed(plan);
    Result<Checkpoint> checkpoint = open();
    if (plan.getCalls(FaultPoint::Read) < n) {
      EXPECT_TRUE(succeeds(checkpoint));
      EXPECT_GT(n, 4u);
      break;
    }
    EXPECT_TRUE(
        failsWith(checkpoint, StatusCode::IoError, "cannot read at byte "));
  }
}

TEST_F(CheckpointFault, F12ShortReadsEverywhere) {
  FaultPlan plan;
  plan[FaultPoint::Read] = {FaultKind::Short, 1, UINT64_MAX, 0};
  ScopedFaultPlan installed(plan);
  EXPECT_TRUE(succeeds(open()));
}

TEST_F(CheckpointFault, OpenAndMapFailures) {
  for (FaultPoint point : {FaultPoint::Open, FaultPoint::Map}) {
    for (uint64_t n = 1;; ++n) {
      FaultPlan plan;
      plan[point] = {FaultKind::Fail, n, 1, EMFILE};
      ScopedFaultPlan installed(plan);
      Result<Checkpoint> checkpoint = open();
      if (plan.getCalls(point) < n) {
        EXPECT_TRUE(succeeds(checkpoint));
        break;
      }
      EXPECT_TRUE(
          failsWith(checkpoint, StatusCode::IoError, "Too many open files"));
    }
  }
}

TEST_F(CheckpointFault, F8EveryFailedAllocationIsReported) {
  uint64_t before = countDescriptors();
  EXPECT_GT(sweepAllocationFailures([&] { return open(); }), 20u);
  sweepAllocationFailures([&] { return open(); }, /*persistent=*/true);
  EXPECT_EQ(countDescriptors(), before);
}

TEST_F(CheckpointFault, F8AddressSpaceLimit) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "address space limits do not go with AddressSanitizer";
#endif
  // A sparse file that is larger than what the process may map.
  constexpr uint64_t big = uint64_t(8) << 30;
  std::string shard = makeShard(
      "{" + entry("big", "U8", "[" + std::to_string(big) + "]", 0, big) + "}",
      "");
  TempDir other;
  std::string file = other.write("model.safetensors", shard);
  ASSERT_EQ(::truncate(file.c_str(), static_cast<off_t>(shard.size() + big)),
            0);
  pid_t child = ::fork();
  if (child == 0) {
    rlimit limit{uint64_t(4) << 30, uint64_t(4) << 30};
    ::setrlimit(RLIMIT_AS, &limit);
    Result<ModelDir> folder = ModelDir::open(other.str());
    bool asExpected =
        folder.isOk() &&
        failsWith(Checkpoint::open(*folder), StatusCode::ResourceExhausted,
                  "model.safetensors: cannot map");
    ::_exit(asExpected ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
