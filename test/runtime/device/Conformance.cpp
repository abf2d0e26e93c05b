//===- Conformance.cpp - The fixture of the conformance suite -------------===//

#include "Conformance.h"

#include "TestKernels.h"

#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

void DeviceConformance::SetUp() {
  OpenedDevice opened = GetParam().open();
  if (!opened.skipReason.empty())
    GTEST_SKIP() << opened.skipReason;
  ASSERT_TRUE(opened.device);
  device = std::move(opened.device);
  checkAfter = opened.checkAfter;
}

void DeviceConformance::TearDown() {
  if (!device)
    return;
  Status status = device->checkDiagnostics();
  EXPECT_TRUE(status.isOk()) << status.getMessage();
  device.reset();
  status = checkAfter();
  EXPECT_TRUE(status.isOk()) << status.getMessage();
}

template <typename T> static T take(Result<T> result) {
  EXPECT_TRUE(result.isOk()) << result.getStatus().getMessage();
  return result.isOk() ? *result : static_cast<T>(UINT32_MAX);
}

BufferHandle DeviceConformance::allocate(uint64_t size, MemoryKind kind) {
  return take(device->allocate(size, kind));
}

BufferHandle
DeviceConformance::allocateWords(const std::vector<uint32_t> &words,
                                 MemoryKind kind) {
  BufferHandle buffer = allocate(words.size() * sizeof(uint32_t), kind);
  Status status = device->upload(buffer, 0, std::as_bytes(std::span(words)));
  EXPECT_TRUE(status.isOk()) << status.getMessage();
  return buffer;
}

std::vector<uint32_t> DeviceConformance::downloadWords(BufferHandle buffer,
                                                       size_t count,
                                                       uint64_t offset) {
  std::vector<uint32_t> words(count, 0xdeadbeef);
  Status status = device->download(buffer, offset,
                                   std::as_writable_bytes(std::span(words)));
  EXPECT_TRUE(status.isOk()) << status.getMessage();
  return words;
}

KernelDescription DeviceConformance::describeKernel(const std::string &name) {
  return getTestKernel(name, device->getInfo().api);
}

KernelHandle DeviceConformance::createKernel(const std::string &name) {
  return take(device->createKernel(describeKernel(name)));
}

ProgramHandle
DeviceConformance::record(std::vector<DispatchDescription> dispatches) {
  return take(device->record({"test", std::move(dispatches)}));
}

Status DeviceConformance::tryRecord(DispatchDescription dispatch) {
  Result<ProgramHandle> program =
      device->record({"test", {std::move(dispatch)}});
  return program.isOk() ? Status::ok() : program.getStatus();
}

void DeviceConformance::run(ProgramHandle program, uint32_t tokens,
                            uint32_t rows) {
  Status status = device->submit(program, tokens, rows);
  EXPECT_TRUE(status.isOk()) << status.getMessage();
  if (!status.isOk())
    return;
  status = device->wait(waitNanoseconds);
  EXPECT_TRUE(status.isOk()) << status.getMessage();
}

MappedTestFile::MappedTestFile(
    uint64_t size,
    const std::vector<std::pair<uint64_t, std::vector<uint32_t>>> &writes)
    : size(size) {
  std::string path = QUERN_BINARY_DIR "/device-test-XXXXXX";
  int file = ::mkstemp(path.data());
  EXPECT_GE(file, 0) << path;
  ::unlink(path.c_str());
  EXPECT_EQ(::ftruncate(file, static_cast<off_t>(size)), 0);
  for (const auto &[offset, words] : writes) {
    size_t bytes = words.size() * sizeof(uint32_t);
    EXPECT_EQ(::pwrite(file, words.data(), bytes, static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes));
  }
  data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, file, 0);
  EXPECT_NE(data, MAP_FAILED);
  ::close(file);
}

MappedTestFile::~MappedTestFile() { ::munmap(data, size); }
