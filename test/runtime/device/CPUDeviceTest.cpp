//===- CPUDeviceTest.cpp - Code images and threads of the CPU device
//-------===//

#include "Conformance.h"
#include "TestKernels.h"

#include "runtime/device/DeviceRegistry.h"
#include "runtime/device/cpu/CPUDevice.h"
#include "runtime/device/cpu/CPUInfo.h"

#include <algorithm>
#include <cstring>
#include <elf.h>

using namespace quern;
using namespace quern::test;

#ifdef __x86_64__
namespace {

class ElfImageTest : public testing::Test {
protected:
  void SetUp() override {
    KernelDescription desc = getTestKernel("copy_words", "cpu");
    code.assign(desc.code.begin(), desc.code.end());
    std::memcpy(&header, code.data(), sizeof(header));
    std::memcpy(&segment, code.data() + sizeof(header), sizeof(segment));
  }

  Status load() {
    std::memcpy(code.data(), &header, sizeof(header));
    std::memcpy(code.data() + sizeof(header), &segment, sizeof(segment));
    return cpu::ElfImage::load(code).getStatus();
  }

  std::vector<std::byte> code;
  Elf64_Ehdr header;
  Elf64_Phdr segment;
};

TEST_F(ElfImageTest, TakesWhatLinkersMake) { ASSERT_OK(load()); }

TEST_F(ElfImageTest, RefusesEveryTruncation) {
  for (size_t size = 0; size < segment.p_filesz; ++size)
    EXPECT_CODE(cpu::ElfImage::load(std::span(code).first(size)).getStatus(),
                StatusCode::Corrupt);
}

TEST_F(ElfImageTest, RefusesOtherMachines) {
  header.e_machine = EM_RISCV;
  EXPECT_CODE(load(), StatusCode::Unsupported);
}

TEST_F(ElfImageTest, RefusesOtherKindsOfFiles) {
  header.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_CODE(load(), StatusCode::Corrupt);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_type = ET_EXEC;
  EXPECT_CODE(load(), StatusCode::Corrupt);
  header.e_type = ET_DYN;
  header.e_phnum = 2;
  EXPECT_CODE(load(), StatusCode::Corrupt);
}

TEST_F(ElfImageTest, RefusesWritableCode) {
  segment.p_flags |= PF_W;
  EXPECT_CODE(load(), StatusCode::Corrupt);
}

TEST_F(ElfImageTest, RefusesSegmentsAndEntriesOutsideOfTheFile) {
  Elf64_Phdr good = segment;
  segment.p_filesz = segment.p_memsz = code.size() + 1;
  EXPECT_CODE(load(), StatusCode::Corrupt);
  segment.p_filesz = segment.p_memsz = UINT64_MAX;
  EXPECT_CODE(load(), StatusCode::Corrupt);
  segment = good;
  segment.p_memsz += 4096;
  EXPECT_CODE(load(), StatusCode::Corrupt);
  segment = good;
  segment.p_offset = 64;
  EXPECT_CODE(load(), StatusCode::Corrupt);
  segment = good;
  for (uint64_t entry :
       {uint64_t(0), uint64_t(64), uint64_t(good.p_filesz), UINT64_MAX}) {
    header.e_entry = entry;
    EXPECT_CODE(load(), StatusCode::Corrupt);
  }
}

TEST(CPUDevice, NamesTheKernelWhoseCodeIsBad) {
  cpu::CPUDevice device;
  KernelDescription desc = getTestKernel("copy_words"); // SPIR-V.
  Status status = device.createKernel(desc).getStatus();
  EXPECT_CODE(status, StatusCode::Corrupt);
  EXPECT_NE(status.getMessage().find("'copy_words'"), std::string::npos);
}

TEST(CPUDevice, HasTheThreadsThatWereAskedFor) {
  EXPECT_EQ(cpu::CPUDevice({3}).getNumThreads(), 3u);
  EXPECT_GE(cpu::CPUDevice().getNumThreads(), 1u);
}

TEST(ThreadTeam, PinsEachThreadToItsCore) {
  std::vector<unsigned> cores = cpu::listCores();
  ASSERT_FALSE(cores.empty());
  EXPECT_EQ(cores.size(), cpu::countCores());
  {
    cpu::ThreadTeam team(unsigned(std::min<size_t>(cores.size(), 3)));
    ASSERT_OK(team.pin(cores));
    for (int turn = 0; turn != 20; ++turn)
      team.run([&](unsigned index) {
        EXPECT_EQ(unsigned(::sched_getcpu()), cores[index]);
      });
  }
  EXPECT_EQ(cpu::listCores(), cores); // The caller may move again.
}

TEST(ThreadTeam, SaysWhyThreadsAreNotPinned) {
  std::vector<unsigned> cores = cpu::listCores();
  cpu::ThreadTeam team(2);
  Status status = team.pin({});
  EXPECT_CODE(status, StatusCode::InvalidArgument);
  EXPECT_EQ(status.getMessage(),
            "can't pin 2 threads: the process has 0 cores");
  // No machine of the tests has that one.
  status = team.pin(std::vector<unsigned>{CPU_SETSIZE - 1, CPU_SETSIZE - 2});
  EXPECT_CODE(status, StatusCode::Unsupported);
  EXPECT_NE(status.getMessage().find("can't pin a thread to core 1022: "),
            std::string::npos)
      << status.getMessage();
  EXPECT_EQ(cpu::listCores(), cores);
}

TEST(CPUDevice, PinsItsThreads) {
  DeviceOptions options;
  options.api = "cpu";
  options.pinThreads = true;
  options.threads = cpu::countCores();
  std::vector<unsigned> cores = cpu::listCores();
  auto device = openDevice(options);
  ASSERT_OK(device.getStatus());
  EXPECT_EQ(cpu::listCores(), std::vector<unsigned>{cores.front()});
  device->reset();
  options.threads = unsigned(cores.size()) + 1;
  EXPECT_CODE(openDevice(options).getStatus(), StatusCode::InvalidArgument);
  EXPECT_EQ(cpu::listCores(), cores);
}

/// A wait that is too short goes on where it stopped.
TEST(CPUDevice, GoesOnAfterATimeout) {
  for (unsigned threads : {1u, 4u}) {
    cpu::CPUDevice device({threads});
    constexpr uint32_t count = 1 << 14, links = 50;
    std::vector<uint32_t> expected = makeWords(count, 1);
    BufferHandle ping = *device.allocate(count * 4, MemoryKind::HostVisible),
                 pong = *device.allocate(count * 4, MemoryKind::HostVisible);
    ASSERT_OK(device.upload(ping, 0, std::as_bytes(std::span(expected))));
    KernelHandle sum =
        *device.createKernel(getTestKernel("neighbor_sum", "cpu"));
    ProgramDescription program;
    for (uint32_t i = 0; i != links; ++i)
      program.dispatches.push_back({sum,
                                    {wholeWords(i % 2 ? pong : ping, count),
                                     wholeWords(i % 2 ? ping : pong, count)},
                                    {{count / 64, 1, 1}},
                                    /*barrierBefore=*/true,
                                    ""});
    ASSERT_OK(device.submit(*device.record(program), 1, 1));
    unsigned timeouts = 0;
    Status status = device.wait(0);
    for (; status.getCode() == StatusCode::DeadlineExceeded; ++timeouts)
      status = device.wait(0);
    ASSERT_OK(status);
    EXPECT_EQ(timeouts, links - 1);
    for (uint32_t i = 0; i != links; ++i) {
      std::vector<uint32_t> next(count);
      for (uint32_t j = 0; j != count; ++j)
        next[j] = expected[j] + expected[(j + 97) % count];
      expected = next;
    }
    EXPECT_EQ(
        std::memcmp(device.getHostPointer(ping), expected.data(), count * 4),
        0);
  }
}

} // namespace
#endif
