//===- WriterTest.cpp - Writing bundles, and what may go wrong ------------===//

#include "runtime/base/Fault.h"
#include "runtime/bundle/BundleWriter.h"
#include "test/runtime/bundle/BundleTest.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

namespace {

class WriterTest : public BundleTest {
protected:
  size_t countFiles() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto &entry :
         std::filesystem::directory_iterator(folder))
      ++count;
    return count;
  }

  /// Runs `body` in a child; its exit code, or -1 if it was killed.
  static int runChild(const std::function<int()> &body) {
    pid_t child = ::fork();
    if (child == 0)
      ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

} // namespace

TEST_F(WriterTest, EqualInputGivesEqualBytes) {
  Bytes first = makeBytes();
  EXPECT_EQ(first, makeBytes());
}

TEST_F(WriterTest, StreamedSectionEqualsAWholeOne) {
  Bytes whole(100000);
  for (size_t i = 0; i < whole.size(); ++i)
    whole[i] = i < 5000 || i >= 9000 ? std::byte(i * 7) : std::byte(0);
  auto write = [&](bool streamed) {
    Result<BundleWriter> writer = BundleWriter::create(path);
    EXPECT_TRUE(writer.isOk());
    if (!streamed) {
      EXPECT_EQ(*writer->addSection(SectionKind::Weights, whole), 0u);
    } else {
      uint64_t last = 0;
      EXPECT_EQ(*writer->beginSection(SectionKind::Weights, whole.size(),
                                      [&](uint64_t done, uint64_t total) {
                                        EXPECT_GT(done, last);
                                        EXPECT_EQ(total, whole.size());
                                        last = done;
                                      }),
                0u);
      auto bytes = std::span<const std::byte>(whole);
      EXPECT_TRUE(writer->append(bytes.first(1)).isOk());
      EXPECT_TRUE(writer->append(bytes.subspan(1, 4999)).isOk());
      EXPECT_TRUE(writer->padTo(9000).isOk());
      EXPECT_TRUE(writer->append(bytes.subspan(9000)).isOk());
      EXPECT_EQ(last, whole.size());
      EXPECT_TRUE(writer->endSection().isOk());
    }
    EXPECT_TRUE(writer->commit().isOk());
    return readBytes(path);
  };
  EXPECT_EQ(write(false), write(true));
}

TEST_F(WriterTest, WrongUseIsAnErrorAndLeavesNothing) {
  auto expectError = [&](auto use) {
    {
      Result<BundleWriter> writer = BundleWriter::create(path);
      ASSERT_TRUE(writer.isOk());
      EXPECT_FALSE(use(*writer));
      EXPECT_FALSE(writer->commit().isOk()); // The first error is final.
    }
    EXPECT_EQ(countFiles(), 0u);
  };
  std::byte byte{};
  std::span<const std::byte> one(&byte, 1);
  expectError([&](BundleWriter &writer) {
    return writer.addSection(SectionKind::IR, std::string_view()).isOk();
  });
  expectError([&](BundleWriter &writer) { return writer.append(one).isOk(); });
  expectError([&](BundleWriter &writer) {
    return writer.beginSection(SectionKind::IR, 2).isOk() &&
           writer.append(one).isOk() && writer.endSection().isOk();
  });
  expectError([&](BundleWriter &writer) {
    return writer.beginSection(SectionKind::IR, 1).isOk() &&
           writer.append(one).isOk() && writer.append(one).isOk();
  });
  expectError([&](BundleWriter &writer) {
    return writer.beginSection(SectionKind::IR, 2).isOk() &&
           writer.addSection(SectionKind::IR, one).isOk();
  });
  expectError([&](BundleWriter &writer) {
    return writer.beginSection(SectionKind::IR, 9).isOk() &&
           writer.padTo(5).isOk() && writer.padTo(4).isOk();
  });
  expectError([&](BundleWriter &writer) {
    return writer.beginSection(SectionKind::IR, 9).isOk() &&
           writer.commit().isOk();
  });
  expectError([&](BundleWriter &writer) {
    for (uint32_t i = 0; i < kMaxSections; ++i)
      EXPECT_TRUE(writer.addSection(SectionKind::IR, one).isOk());
    return writer.addSection(SectionKind::IR, one).isOk();
  });
}

// F1.
TEST_F(WriterTest, OutputIsNoRegularFile) {
  Status status = makeTinyBundle().write("/dev/full");
  EXPECT_FALSE(status.isOk());
  EXPECT_NE(status.getMessage().find("/dev/full"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

// F1: the disk is full after any number of writes.
TEST_F(WriterTest, EachWriteFails) {
  TinyBundle good = makeTinyBundle();
  ASSERT_TRUE(good.write(path).isOk());
  Bytes before = readBytes(path);
  TinyBundle other = makeTinyBundle();
  other.manifest.model->name = "other";
  uint64_t failures = 0;
  for (FaultPoint point :
       {FaultPoint::Write, FaultPoint::Sync, FaultPoint::Rename})
    for (uint64_t call = 1;; ++call) {
      ASSERT_TRUE(good.write(path).isOk());
      FaultPlan plan;
      plan[point] = {FaultKind::Fail, call, UINT64_MAX, ENOSPC};
      ScopedFaultPlan installed(plan);
      Status status = other.write(path);
      if (plan.getCalls(point) < call) {
        ASSERT_TRUE(status.isOk());
        break;
      }
      ++failures;
      ASSERT_FALSE(status.isOk());
      EXPECT_NE(status.getMessage().find("No space left"), std::string::npos)
          << status.getMessage();
      EXPECT_TRUE(status.getMessage().starts_with(path));
      EXPECT_EQ(countFiles(), 1u);
      // A folder that cannot be flushed comes after the rename.
      if (point != FaultPoint::Sync || call < 2) {
        EXPECT_EQ(readBytes(path), before);
      }
    }
  EXPECT_GT(failures, 10u);
}

TEST_F(WriterTest, ShortWritesAreContinued) {
  Bytes expected = makeBytes();
  FaultPlan plan;
  plan[FaultPoint::Write] = {FaultKind::Short, 1, 2000, 0};
  ScopedFaultPlan installed(plan);
  EXPECT_EQ(makeBytes(), expected);
}

// F1: RLIMIT_FSIZE.
TEST_F(WriterTest, FileSizeLimit) {
  int code = runChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {8192, 8192};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Status status = makeTinyBundle().write(path);
    return !status.isOk() && status.getMessage().find("File too large") !=
                                 std::string::npos
               ? 7
               : 1;
  });
  EXPECT_EQ(code, 7);
  EXPECT_EQ(countFiles(), 0u);
}

// F4: killed at each write, flush and rename.
TEST_F(WriterTest, KilledInMidWrite) {
  Bytes before = makeBytes();
  TinyBundle other = makeTinyBundle();
  other.manifest.model->name = "other";
  int killed = 0;
  for (FaultPoint point :
       {FaultPoint::Write, FaultPoint::Sync, FaultPoint::Rename})
    for (uint64_t call = 1;; ++call) {
      FaultPlan plan;
      plan[point] = {FaultKind::Crash, call, 1, 0};
      int code = runChild([&] {
        ScopedFaultPlan installed(plan);
        return other.write(path).isOk() ? 0 : 1;
      });
      if (code == 0)
        break;
      ASSERT_EQ(code, -1);
      ++killed;
      // The old bundle or the new one, whole.
      ASSERT_TRUE(Bundle::open(path).isOk());
      // The next run cleans up and succeeds.
      ASSERT_TRUE(makeTinyBundle().write(path).isOk());
      EXPECT_EQ(readBytes(path), before);
      EXPECT_EQ(countFiles(), 1u);
    }
  EXPECT_GT(killed, 10);
}

// F5.
TEST_F(WriterTest, ParallelWriters) {
  std::vector<Bytes> versions;
  for (int i = 0; i < 4; ++i) {
    TinyBundle tiny = makeTinyBundle();
    tiny.manifest.model->name = "writer " + std::to_string(i);
    tiny.weights.assign(tiny.weights.size(), std::byte(i));
    ASSERT_TRUE(tiny.write(path).isOk());
    versions.push_back(readBytes(path));
  }
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    pid_t child = ::fork();
    if (child == 0) {
      TinyBundle tiny = makeTinyBundle();
      tiny.manifest.model->name = "writer " + std::to_string(i);
      tiny.weights.assign(tiny.weights.size(), std::byte(i));
      for (int round = 0; round < 10; ++round)
        if (!tiny.write(path).isOk())
          ::_exit(1);
      ::_exit(0);
    }
    children.push_back(child);
  }
  BundleOptions options;
  options.verifyWeights = true;
  for (int round = 0; round < 50; ++round) {
    Result<Bundle> bundle = Bundle::open(path, options);
    EXPECT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  }
  for (pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(countFiles(), 1u);
  EXPECT_NE(std::find(versions.begin(), versions.end(), readBytes(path)),
            versions.end());
}

// F18: run with --gtest_also_run_disabled_tests when a new format version is
// released, after giving the file a new name here and in ReadTest.cpp.
TEST_F(WriterTest, DISABLED_UpdateFixture) {
  Status status = makeTinyBundle().write(std::string(QUERN_SOURCE_DIR) +
                                         "/test/data/bundles/tiny-1.0.quern");
  EXPECT_TRUE(status.isOk()) << status.getMessage();
}
