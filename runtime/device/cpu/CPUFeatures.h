//===- CPUFeatures.h - Instructions that a CPU has ---------------*- C++
//-*-===//
//
// The names are LLVM's, which bundles use for what code needs. Reading what the
// CPU says and making sense of it are apart, so that the latter is tested for
// all CPUs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_CPU_CPUFEATURES_H
#define QUERN_RUNTIME_DEVICE_CPU_CPUFEATURES_H

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::cpu {

struct CpuidRegisters {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// What x86-64 instructions say of the CPU.
struct X86Queries {
  std::function<CpuidRegisters(uint32_t leaf, uint32_t subleaf)> cpuid;
  /// XCR0, the registers that the system keeps; only called if it says that
  /// xgetbv may be used.
  std::function<uint64_t()> xgetbv;
};

/// In the order of X86Features.inc.
std::vector<std::string> decodeX86Features(const X86Queries &queries);

/// From AT_HWCAP and AT_HWCAP2 of Linux, in the order of ArmFeatures.inc.
std::vector<std::string> decodeArmFeatures(uint64_t hwcap, uint64_t hwcap2);

/// Those of this machine that the comma-separated list names.
std::vector<std::string> keepFeatures(std::vector<std::string> features,
                                      std::string_view list);

/// Of this machine; with QUERN_CPU_FEATURES only those that it names, for tests
/// of code for lesser CPUs.
std::vector<std::string> detectFeatures();

} // namespace quern::cpu

#endif // QUERN_RUNTIME_DEVICE_CPU_CPUFEATURES_H
