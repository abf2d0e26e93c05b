//===- CPUFeatures.cpp - Instructions that a CPU has ----------------------===//

#include "runtime/device/cpu/CPUFeatures.h"

#include <algorithm>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

using namespace quern;
using namespace quern::cpu;

namespace {

/// XMM and YMM registers; also mask and ZMM registers; also tiles.
constexpr uint64_t avxState = 0x06, avx512State = 0xe6, amxState = 0x600e6;

struct X86Feature {
  std::string_view name;
  uint64_t state;
  uint32_t leaf, subleaf;
  uint32_t CpuidRegisters::*word;
  unsigned bit;
};

constexpr X86Feature x86Features[] = {
#define QUERN_X86_FEATURE(NAME, STATE, LEAF, SUBLEAF, REGISTER, BIT)           \
  {NAME, STATE, LEAF, SUBLEAF, &CpuidRegisters::REGISTER, BIT},
#include "runtime/device/cpu/X86Features.inc"
#undef QUERN_X86_FEATURE
};

class X86Decoder {
public:
  explicit X86Decoder(const X86Queries &queries) : queries(queries) {
    constexpr uint32_t osxsave = 1u << 27;
    if (read(1, 0).ecx & osxsave)
      state = queries.xgetbv();
  }

  bool has(const X86Feature &feature) const {
    return (state & feature.state) == feature.state &&
           (read(feature.leaf, feature.subleaf).*feature.word >> feature.bit &
            1) != 0;
  }

private:
  /// Zeros of a leaf that the CPU lacks, for which it would answer with another
  /// one.
  CpuidRegisters read(uint32_t leaf, uint32_t subleaf) const {
    constexpr uint32_t extended = 0x80000000;
    if (queries.cpuid(leaf & extended, 0).eax < leaf)
      return {};
    if (leaf == 7 && subleaf > queries.cpuid(leaf, 0).eax)
      return {};
    return queries.cpuid(leaf, subleaf);
  }

  const X86Queries &queries;
  uint64_t state = 0;
};

} // namespace

std::vector<std::string> cpu::decodeX86Features(const X86Queries &queries) {
  X86Decoder decoder(queries);
  std::vector<std::string> features, missing;
  for (const X86Feature &feature : x86Features) {
    auto isName = [&](const std::string &name) { return name == feature.name; };
    if (std::ranges::any_of(missing, isName))
      continue;
    if (!decoder.has(feature)) {
      missing.emplace_back(feature.name);
      std::erase_if(features, isName);
    } else if (std::ranges::none_of(features, isName)) {
      features.emplace_back(feature.name);
    }
  }
  return features;
}

std::vector<std::string> cpu::decodeArmFeatures(uint64_t hwcap,
                                                uint64_t hwcap2) {
  std::vector<std::string> features;
#define QUERN_ARM_FEATURE(NAME, WORD, BIT)                                     \
  if (WORD >> (BIT) & 1)                                                       \
    features.emplace_back(NAME);
#include "runtime/device/cpu/ArmFeatures.inc"
#undef QUERN_ARM_FEATURE
  return features;
}

std::vector<std::string> cpu::keepFeatures(std::vector<std::string> features,
                                           std::string_view list) {
  std::vector<std::string_view> names;
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    names.push_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  std::erase_if(features, [&](const std::string &feature) {
    return std::ranges::find(names, feature) == names.end();
  });
  return features;
}

#if defined(__x86_64__)
/// Asks Linux for the registers of tiles, for all threads of this process; it
/// refuses if a signal stack is too small for them, or if it is older
/// than 5.16.
static bool mayUseTiles() {
  constexpr long requestPermission = 0x1023, tileData = 18;
  return ::syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}
#endif

std::vector<std::string> cpu::detectFeatures() {
  std::vector<std::string> features;
#if defined(__x86_64__)
  X86Queries queries;
  queries.cpuid = [](uint32_t leaf, uint32_t subleaf) {
    CpuidRegisters out;
    __cpuid_count(leaf, subleaf, out.eax, out.ebx, out.ecx, out.edx);
    return out;
  };
  queries.xgetbv = [] {
    uint32_t low = 0, high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return uint64_t(high) << 32 | low;
  };
  features = decodeX86Features(queries);
  auto needsTiles = [](const std::string &name) {
    return name.starts_with("amx-");
  };
  if (std::ranges::any_of(features, needsTiles) && !mayUseTiles())
    std::erase_if(features, needsTiles);
#elif defined(__aarch64__)
  features = decodeArmFeatures(::getauxval(AT_HWCAP), ::getauxval(AT_HWCAP2));
#endif
  const char *wanted = std::getenv("QUERN_CPU_FEATURES");
  return wanted ? keepFeatures(std::move(features), wanted) : features;
}
