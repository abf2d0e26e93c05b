//===- SpirvVerifier.cpp - Checks on SPIR-V modules -----------------------===//
//
// The parts of a module that the runtime relies on: the header, the chain of
// instructions, the entry point and its workgroup size.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Escape.h"
#include "runtime/bundle/Verifier.h"

#include <algorithm>
#include <cstring>
#include <optional>

using namespace quern;

static constexpr uint32_t kSpirvMagic = 0x07230203;
static constexpr size_t kHeaderWords = 5;

namespace {

// The instructions and operands that are looked at (SPIR-V 1.6, section 3).
enum Opcode : uint16_t { OpEntryPoint = 15, OpExecutionMode = 16 };
constexpr uint32_t kExecutionModelGLCompute = 5;
constexpr uint32_t kExecutionModeLocalSize = 17;

struct Instruction {
  uint16_t opcode;
  std::span<const uint32_t> operands;
};

/// What the module says about one entry point.
struct EntryPoint {
  std::optional<uint32_t> id;
  std::optional<std::array<uint32_t, 3>> localSize;
};

} // namespace

/// The literal string at the start of `words`, without its padding.
static std::string_view readLiteral(std::span<const uint32_t> words) {
  std::string_view text(reinterpret_cast<const char *>(words.data()),
                        words.size_bytes());
  return text.substr(0, text.find('\0'));
}

static void visit(const Instruction &instruction, std::string_view name,
                  EntryPoint &found) {
  std::span<const uint32_t> operands = instruction.operands;
  if (instruction.opcode == OpEntryPoint && operands.size() >= 3 &&
      operands[0] == kExecutionModelGLCompute &&
      readLiteral(operands.subspan(2)) == name)
    found.id = operands[1];
  // Execution modes follow all entry points.
  if (instruction.opcode == OpExecutionMode && operands.size() == 5 &&
      operands[0] == found.id && operands[1] == kExecutionModeLocalSize)
    found.localSize = {operands[2], operands[3], operands[4]};
}

static std::string toText(const std::array<uint32_t, 3> &size) {
  return "[" + std::to_string(size[0]) + ", " + std::to_string(size[1]) + ", " +
         std::to_string(size[2]) + "]";
}

static Status checkHeader(std::span<const uint32_t> words) {
  if (words.size() < kHeaderWords)
    return corrupt("SPIR-V code has " + std::to_string(words.size_bytes()) +
                   " bytes, expected at least 20");
  if (words[0] != kSpirvMagic)
    return corrupt("code begins with " + std::to_string(words[0]) +
                   ", expected the SPIR-V magic number " +
                   std::to_string(kSpirvMagic));
  uint32_t major = words[1] >> 16, minor = (words[1] >> 8) & 255;
  if (major != 1 || minor > 6)
    return unsupported("SPIR-V version is " + std::to_string(major) + "." +
                       std::to_string(minor) + ", expected 1.0 to 1.6");
  // The universal limit on ids: SPIR-V 1.6, section 2.17.
  if (words[3] == 0 || words[3] > 0x3fffff)
    return corrupt("SPIR-V id bound is " + std::to_string(words[3]) +
                   ", expected 1 to 4194303");
  return Status::ok();
}

Status quern::verifySpirv(std::span<const std::byte> code,
                          std::string_view entryPoint,
                          const std::array<uint32_t, 3> &workgroupSize) {
  if (code.size() % 4 != 0 ||
      reinterpret_cast<uintptr_t>(code.data()) % alignof(uint32_t) != 0)
    return corrupt("SPIR-V code of " + std::to_string(code.size()) +
                   " bytes is not made of 4-byte words");
  std::span<const uint32_t> words(
      reinterpret_cast<const uint32_t *>(code.data()), code.size() / 4);
  QUERN_RETURN_IF_ERROR(checkHeader(words));
  EntryPoint found;
  for (size_t at = kHeaderWords; at < words.size();) {
    uint16_t length = static_cast<uint16_t>(words[at] >> 16);
    if (length == 0 || length > words.size() - at)
      return corrupt("SPIR-V instruction at word " + std::to_string(at) +
                     " has " + std::to_string(length) +
                     " words, expected 1 to " +
                     std::to_string(words.size() - at));
    visit(
        {static_cast<uint16_t>(words[at]), words.subspan(at + 1, length - 1u)},
        entryPoint, found);
    at += length;
  }
  if (!found.id)
    return corrupt("SPIR-V code has no compute entry point " +
                   quoteName(entryPoint));
  if (found.localSize && *found.localSize != workgroupSize)
    return corrupt("SPIR-V code has workgroup size " +
                   toText(*found.localSize) + ", the manifest says " +
                   toText(workgroupSize));
  return Status::ok();
}
