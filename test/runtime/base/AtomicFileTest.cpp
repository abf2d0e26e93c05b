//===- AtomicFileTest.cpp -------------------------------------------------===//

#include "runtime/base/AtomicFile.h"
#include "runtime/base/Fault.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"
#include "test/support/TempDir.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

/// The file that the fault tests write: several writes and padding.
static Status writeSample(const std::string &path, char fill) {
  QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  char bytes[3000];
  std::fill(std::begin(bytes), std::end(bytes), fill);
  std::string_view block(bytes, sizeof(bytes));
  QUERN_RETURN_IF_ERROR(file.append(block));
  QUERN_RETURN_IF_ERROR(file.padTo(4096));
  QUERN_RETURN_IF_ERROR(file.append(block));
  QUERN_RETURN_IF_ERROR(
      file.writeAt(0, std::as_bytes(std::span(block).first(1))));
  return file.commit();
}

static std::string sampleBytes(char fill) {
  return std::string(3000, fill) + std::string(1096, '\0') +
         std::string(3000, fill);
}

/// Runs `body` in a child process; its exit code, or minus the signal.
static int runInChild(const std::function<int()> &body) {
  pid_t child = ::fork();
  if (child == 0)
    ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(AtomicFile, WritesAndReplaces) {
  TempDir dir;
  std::string path = dir.file("out");
  ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  EXPECT_EQ(readBytes(path), sampleBytes('a'));
  ASSERT_TRUE(succeeds(writeSample(path, 'b')));
  EXPECT_EQ(readBytes(path), sampleBytes('b'));
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFile, NothingIsThereBeforeCommit) {
  TempDir dir;
  std::string path = dir.file("out");
  {
    Result<AtomicFile> file = AtomicFile::create(path);
    ASSERT_TRUE(succeeds(file));
    ASSERT_TRUE(succeeds(file->reserve(1 << 20)));
    ASSERT_TRUE(succeeds(file->append("half")));
    EXPECT_EQ(readBytes(path), "");
    EXPECT_EQ(dir.count(), 1u);
    AtomicFile moved = std::move(*file);
    EXPECT_EQ(moved.getSize(), 4u);
  }
  EXPECT_EQ(dir.count(), 0u);
}

TEST(AtomicFile, UseAfterCommitIsAnError) {
  TempDir dir;
  Result<AtomicFile> file = AtomicFile::create(dir.file("out"));
  ASSERT_TRUE(succeeds(file));
  EXPECT_TRUE(failsWith(file->padTo(3), StatusCode::InvalidArgument, ""));
  EXPECT_TRUE(
      failsWith(file->writeAt(UINT64_MAX, std::as_bytes(std::span("a"))),
                StatusCode::InvalidArgument, "past the largest file"));
  ASSERT_TRUE(succeeds(file->commit()));
  EXPECT_TRUE(failsWith(file->append("x"), StatusCode::Internal, "commit"));
  EXPECT_TRUE(failsWith(file->commit(), StatusCode::Internal, "twice"));
  EXPECT_EQ(readBytes(dir.file("out")), "");
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFile, RefusesDestinationsThatAreNoFiles) {
  TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  auto refused = [](const std::string &path, StatusCode code,
                    std::string_view part) {
    return failsWith(AtomicFile::create(path), code, part);
  };
  EXPECT_TRUE(refused("/dev/full", StatusCode::InvalidArgument,
                      "/dev/full: cannot write: expected a regular file or "
                      "nothing, found a device"));
  EXPECT_TRUE(refused(dir.file("fifo"), StatusCode::InvalidArgument, "a FIFO"));
  EXPECT_TRUE(refused(dir.str(), StatusCode::InvalidArgument, "a directory"));
  EXPECT_TRUE(refused("", StatusCode::InvalidArgument, "not a file name"));
  EXPECT_TRUE(refused(dir.file("no/such/out"), StatusCode::NotFound,
                      "cannot open the folder"));
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFile, FollowsASymbolicLink) {
  TempDir dir;
  dir.write("real", "old");
  ASSERT_EQ(::symlink("real", dir.file("link").c_str()), 0);
  ASSERT_TRUE(succeeds(writeFileAtomically(dir.file("link"), "new")));
  EXPECT_EQ(readBytes(dir.file("real")), "new");
  struct stat info{};
  ASSERT_EQ(::lstat(dir.file("link").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  ASSERT_EQ(::symlink("nowhere", dir.file("dangling").c_str()), 0);
  EXPECT_TRUE(failsWith(writeFileAtomically(dir.file("dangling"), "x"),
                        StatusCode::NotFound, "symbolic link"));
}

TEST(AtomicFileFault, F1F12EveryFailedCallLeavesTheOldFile) {
  TempDir dir;
  std::string path = dir.file("out");
  ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  for (FaultPoint point :
       {FaultPoint::Write, FaultPoint::Sync, FaultPoint::Rename}) {
    for (uint64_t n = 1;; ++n) {
      FaultPlan plan;
      plan[point] = {FaultKind::Fail, n, 1, ENOSPC};
      ScopedFaultPlan installed(plan);
      Status status = writeSample(path, 'b');
      if (plan.getCalls(point) < n)
        break;
      EXPECT_TRUE(failsWith(status, StatusCode::IoError, "out: "));
      EXPECT_NE(status.getMessage().find("No space left"), std::string::npos);
      // The last sync is that of the folder, after the rename.
      bool isFolder = point == FaultPoint::Sync && n == 2;
      EXPECT_EQ(readBytes(path), sampleBytes(isFolder ? 'b' : 'a'));
      EXPECT_EQ(dir.count(), 1u);
      ASSERT_LT(n, 10u);
    }
    ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  }
}

TEST(AtomicFileFault, F12ShortAndInterruptedWritesAreRetried) {
  TempDir dir;
  std::string path = dir.file("out");
  FaultPlan plan;
  plan[FaultPoint::Write] = {FaultKind::Short, 1, 500, 0};
  {
    ScopedFaultPlan installed(plan);
    ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  }
  EXPECT_EQ(readBytes(path), sampleBytes('a'));
  FaultPlan interrupted;
  interrupted[FaultPoint::Write] = {FaultKind::Fail, 1, 3, EINTR};
  ScopedFaultPlan installed(interrupted);
  ASSERT_TRUE(succeeds(writeSample(path, 'b')));
  EXPECT_EQ(readBytes(path), sampleBytes('b'));
}

TEST(AtomicFileFault, F1RealFileSizeLimit) {
  TempDir dir;
  std::string path = dir.file("out");
  ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  int code = runInChild([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{5000, 5000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Status status = writeSample(path, 'b');
    bool asExpected =
        failsWith(status, StatusCode::IoError, "cannot write at byte 5000") &&
        status.getMessage().find("File too large") != std::string::npos;
    return asExpected ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(readBytes(path), sampleBytes('a'));
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFileFault, F4KilledAnywhereThenTheNextRunCleansUp) {
  TempDir dir;
  std::string path = dir.file("out");
  ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  unsigned kills = 0;
  for (FaultPoint point :
       {FaultPoint::Write, FaultPoint::Sync, FaultPoint::Rename}) {
    for (uint64_t n = 1;; ++n) {
      int code = runInChild([&] {
        FaultPlan plan;
        plan[point] = {FaultKind::Crash, n, 1, 0};
        ScopedFaultPlan installed(plan);
        return writeSample(path, 'b').isOk() ? 0 : 1;
      });
      if (code == 0)
        break;
      ASSERT_EQ(code, -SIGKILL);
      ++kills;
      std::string bytes = readBytes(path);
      EXPECT_TRUE(bytes == sampleBytes('a') || bytes == sampleBytes('b'));
      // The next writer removes what the dead one left.
      ASSERT_TRUE(succeeds(writeSample(path, 'a')));
      EXPECT_EQ(dir.count(), 1u);
      ASSERT_LT(n, 10u);
    }
    ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  }
  EXPECT_GE(kills, 7u);
}

TEST(AtomicFileFault, CleaningSparesLivingWritersAndOtherFiles) {
  TempDir dir;
  dir.write(".quern-1-2.tmp.keep", "x");
  dir.write(".quern-a-2.tmp", "x");
  dir.write(".quern-99999999-0.tmp", "stale");
  Result<AtomicFile> first = AtomicFile::create(dir.file("one"));
  ASSERT_TRUE(succeeds(first));
  EXPECT_EQ(dir.count(), 3u);
  Result<AtomicFile> second = AtomicFile::create(dir.file("two"));
  ASSERT_TRUE(succeeds(second));
  EXPECT_EQ(dir.count(), 4u);
  ASSERT_TRUE(succeeds(first->append("1")));
  ASSERT_TRUE(succeeds(first->commit()));
  ASSERT_TRUE(succeeds(second->commit()));
  EXPECT_EQ(readBytes(dir.file("one")), "1");
  EXPECT_EQ(dir.count(), 4u);
}

TEST(AtomicFileFault, F5ParallelWritersLeaveOneWholeFile) {
  TempDir dir;
  std::string path = dir.file("out");
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    pid_t child = ::fork();
    if (child == 0) {
      bool ok = true;
      for (int round = 0; round < 20; ++round)
        ok &= writeSample(path, static_cast<char>('a' + i)).isOk();
      ::_exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  std::string bytes = readBytes(path);
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(bytes, sampleBytes(bytes[0]));
  EXPECT_EQ(dir.count(), 1u);
}

TEST(AtomicFileFault, F8OutOfMemoryLeavesTheOldFile) {
  TempDir dir;
  std::string path = dir.file("a-name-too-long-for-the-string-itself");
  ASSERT_TRUE(succeeds(writeSample(path, 'a')));
  EXPECT_GT(sweepAllocationFailures([&] {
              Status status = writeSample(path, 'b');
              if (!status.isOk()) {
                EXPECT_EQ(readBytes(path), sampleBytes('a'));
              }
              return status;
            }),
            3u);
  EXPECT_EQ(readBytes(path), sampleBytes('b'));
  EXPECT_EQ(dir.count(), 1u);
}
