//===- FileTest.cpp -------------------------------------------------------===//

#include "runtime/base/File.h"
#include "runtime/base/Fault.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"
#include "test/support/TempDir.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

TEST(File, ReadsAndMaps) {
  TempDir dir;
  std::string path = dir.write("f", "hello world");
  Result<File> file = File::open(path);
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->getSize(), 11u);
  std::array<std::byte, 5> bytes;
  ASSERT_TRUE(succeeds(file->readAt(6, bytes)));
  EXPECT_EQ(std::string(reinterpret_cast<char *>(bytes.data()), 5), "world");
  Result<MappedFile> mapped = MappedFile::map(*file);
  ASSERT_TRUE(succeeds(mapped));
  mapped->advise(MappedFile::Advice::WillNeed);
  mapped->advise(MappedFile::Advice::DontNeed, 3, 4);
  mapped->advise(MappedFile::Advice::DontNeed, UINT64_MAX, 4);
  MappedFile moved = std::move(*mapped);
  EXPECT_EQ(moved.getBytes().size(), 11u);
  EXPECT_EQ(moved.getBytes()[4], std::byte{'o'});
  EXPECT_EQ(mapped->getBytes().size(), 0u);
}

TEST(File, EmptyFileMapsToNothing) {
  TempDir dir;
  Result<File> file = File::open(dir.write("empty", ""));
  ASSERT_TRUE(succeeds(file));
  Result<MappedFile> mapped = MappedFile::map(*file);
  ASSERT_TRUE(succeeds(mapped));
  EXPECT_EQ(mapped->getBytes().size(), 0u);
}

TEST(File, RefusesWhatIsNoRegularFileWithoutBlocking) {
  TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir(dir.file("folder").c_str(), 0700), 0);
  int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string socketPath = dir.file("socket");
  ASSERT_LT(socketPath.size(), sizeof(address.sun_path));
  socketPath.copy(address.sun_path, socketPath.size());
  ASSERT_EQ(
      ::bind(socket, reinterpret_cast<sockaddr *>(&address), sizeof(address)),
      0);
  auto refused = [](const std::string &path, std::string_view found) {
    return failsWith(File::open(path), StatusCode::InvalidArgument, found);
  };
  EXPECT_TRUE(refused(dir.file("fifo"), "found a FIFO"));
  EXPECT_TRUE(refused(dir.file("folder"), "found a directory"));
  EXPECT_TRUE(refused(socketPath, "found a socket"));
  EXPECT_TRUE(refused("/dev/null", "found a device"));
  EXPECT_TRUE(refused("", "not a file name"));
  EXPECT_TRUE(refused(std::string("a\0b", 3), "'a\\x00b': not a file name"));
  EXPECT_TRUE(failsWith(File::open(dir.file("none")), StatusCode::NotFound,
                        "cannot open: No such file"));
  EXPECT_TRUE(failsWith(File::open(dir.file(std::string(300, 'x'))),
                        StatusCode::IoError, "cannot open"));
  ::close(socket);
}

TEST(File, WholeFileHasALimit) {
  TempDir dir;
  std::string path = dir.write("f", "12345");
  EXPECT_EQ(*readWholeFile(path, 5), "12345");
  EXPECT_TRUE(failsWith(readWholeFile(path, 4), StatusCode::Corrupt,
                        "5 bytes, expected at most 4"));
}

TEST(File, RangesOutsideAreRefused) {
  TempDir dir;
  Result<File> file = File::open(dir.write("f", "12345"));
  ASSERT_TRUE(succeeds(file));
  std::array<std::byte, 4> bytes;
  EXPECT_TRUE(failsWith(file->readAt(2, bytes), StatusCode::Corrupt,
                        "expected 4 bytes at byte 2, but the file has 5"));
  EXPECT_TRUE(
      failsWith(file->readAt(UINT64_MAX, bytes), StatusCode::Corrupt, "byte"));
}

TEST(FileFault, F12ShortAndInterruptedReadsAreRetried) {
  TempDir dir;
  std::string path = dir.write("f", "0123456789");
  FaultPlan plan;
  plan[FaultPoint::Read] = {FaultKind::Short, 1, 8, 0};
  {
    ScopedFaultPlan installed(plan);
    EXPECT_EQ(*readWholeFile(path, 100), "0123456789");
  }
  EXPECT_EQ(plan.getCalls(FaultPoint::Read), 9u);
  FaultPlan interrupted;
  interrupted[FaultPoint::Read] = {FaultKind::Fail, 1, 3, EINTR};
  ScopedFaultPlan installed(interrupted);
  EXPECT_EQ(*readWholeFile(path, 100), "0123456789");
}

TEST(FileFault, F12ReadErrorsNameTheOffset) {
  TempDir dir;
  std::string path = dir.write("f", "0123456789");
  FaultPlan plan;
  // Four single bytes, then the disk fails.
  plan[FaultPoint::Read] = {FaultKind::Fail, 2, 1, EIO};
  ScopedFaultPlan installed(plan);
  Result<File> file = File::open(path);
  ASSERT_TRUE(succeeds(file));
  std::array<std::byte, 4> bytes;
  ASSERT_TRUE(succeeds(file->readAt(0, bytes)));
  EXPECT_TRUE(failsWith(file->readAt(4, bytes), StatusCode::IoError,
                        "cannot read at byte 4: Input/output error"));
}

TEST(FileFault, F7FileThatShrinksIsReportedWithTheOffset) {
  TempDir dir;
  std::string path = dir.write("f", "0123456789");
  Result<File> file = File::open(path);
  ASSERT_TRUE(succeeds(file));
  ASSERT_EQ(::truncate(path.c_str(), 7), 0);
  EXPECT_TRUE(failsWith(readWholeFile(*file, 100), StatusCode::IoError,
                        "the file ended at byte 7, 3 bytes early"));
}

TEST(FileFault, F8OutOfMemory) {
  TempDir dir;
  std::string path = dir.write("some-file", std::string(1000, 'x'));
  EXPECT_GT(sweepAllocationFailures([&] { return readWholeFile(path, 10000); }),
            2u);
  FaultPlan plan;
  plan[FaultPoint::Map] = {FaultKind::Fail, 1, 1, ENOMEM};
  ScopedFaultPlan installed(plan);
  Result<File> file = File::open(path);
  ASSERT_TRUE(succeeds(file));
  EXPECT_TRUE(failsWith(MappedFile::map(*file), StatusCode::ResourceExhausted,
                        "cannot map 1000 bytes"));
  EXPECT_TRUE(succeeds(MappedFile::map(*file)));
}
