//===- Conformance.h - What every device must do -----------------*- C++
//-*-===//
//
// A suite that each device instantiates; Devices.cpp lists them. A new device
// joins with one line there.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_RUNTIME_DEVICE_CONFORMANCE_H
#define QUERN_TEST_RUNTIME_DEVICE_CONFORMANCE_H

#include "runtime/device/Device.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

namespace quern::test {

/// Long enough for a driver that compiles kernels at their first dispatch.
inline constexpr uint64_t waitNanoseconds = 60'000'000'000;

struct OpenedDevice {
  std::unique_ptr<Device> device;
  /// After the device is gone: what its validation said, leaks included.
  std::function<Status()> checkAfter = [] { return Status::ok(); };
  std::string skipReason; ///< Why there is no device on this machine.
};

struct DeviceCase {
  const char *name;
  OpenedDevice (*open)();

  friend void PrintTo(const DeviceCase &device, std::ostream *out) {
    *out << device.name;
  }
};

// Both copy the status: the expression may name a part of a temporary.
#define ASSERT_OK(expression)                                                  \
  do {                                                                         \
    auto testStatus = ::quern::Status(expression);                             \
    ASSERT_TRUE(testStatus.isOk()) << testStatus.getMessage();                 \
  } while (false)
#define EXPECT_CODE(expression, code)                                          \
  do {                                                                         \
    auto testStatus = ::quern::Status(expression);                             \
    EXPECT_EQ(testStatus.getCode(), code) << testStatus.getMessage();          \
    EXPECT_FALSE(testStatus.getMessage().empty());                             \
  } while (false)

class DeviceConformance : public testing::TestWithParam<DeviceCase> {
protected:
  void SetUp() override;
  void TearDown() override;

  // Each fails the test and returns something inert on an error.
  BufferHandle allocate(uint64_t size,
                        MemoryKind kind = MemoryKind::DeviceLocal);
  BufferHandle allocateWords(const std::vector<uint32_t> &words,
                             MemoryKind kind = MemoryKind::DeviceLocal);
  std::vector<uint32_t> downloadWords(BufferHandle buffer, size_t count,
                                      uint64_t offset = 0);
  /// A test kernel in the code of the device's API.
  KernelDescription describeKernel(const std::string &name);
  KernelHandle createKernel(const std::string &name);
  ProgramHandle record(std::vector<DispatchDescription> dispatches);
  void run(ProgramHandle program, uint32_t tokens = 1, uint32_t rows = 1);

  /// The status of recording one dispatch.
  Status tryRecord(DispatchDescription dispatch);

  std::unique_ptr<Device> device;
  std::function<Status()> checkAfter;
};

inline BufferRange wholeWords(BufferHandle buffer, size_t words) {
  return {buffer, 0, words * sizeof(uint32_t)};
}

inline std::vector<uint32_t> makeWords(size_t count, uint32_t first = 0) {
  std::vector<uint32_t> words(count);
  std::iota(words.begin(), words.end(), first);
  return words;
}

/// A temporary file mapped read-only, sparse where nothing was written.
class MappedTestFile {
public:
  /// `writes` are (offset, words).
  MappedTestFile(
      uint64_t size,
      const std::vector<std::pair<uint64_t, std::vector<uint32_t>>> &writes);
  ~MappedTestFile();
  MappedTestFile(const MappedTestFile &) = delete;
  const void *getData() const { return data; }

private:
  void *data = nullptr;
  uint64_t size;
};

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_DEVICE_CONFORMANCE_H
