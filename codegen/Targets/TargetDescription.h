//===- TargetDescription.h - What is known of a target ----------*- C++ -*-===//
//
// A target is one JSON file. Those of codegen/Targets are built into the
// compiler; any other file can be named on the command line. Adding a target
// needs no C++.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_TARGETS_TARGETDESCRIPTION_H
#define QUERN_CODEGEN_TARGETS_TARGETDESCRIPTION_H

#include "runtime/base/DataType.h"
#include "runtime/base/Status.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// How read-only arguments are bound where both ways are legal.
enum class ReadAccess : uint8_t { Storage, Texel };

/// Instructions of a CPU that sum products of bytes.
enum class ByteDot : uint8_t {
  None,
  Avx2,     ///< Pairs in 16 bits, then pairs of those.
  Vnni,     ///< One of unsigned by signed bytes (AVX-VNNI, AVX512-VNNI).
  VnniInt8, ///< Also one of signed by signed bytes.
  Vnni512,  ///< As Vnni, in registers of 512 bits.
  Neon,     ///< Products in 16 bits, then pairs of them.
  NeonDot,  ///< One of signed by signed bytes.
};

/// "avx2", as in target files.
std::string_view getByteDotName(ByteDot kind);
std::optional<ByteDot> findByteDot(std::string_view name);

/// Code that uses more instructions than the target asks for. All else, weights
/// and programs, it shares with the target's own.
struct CodeVariant {
  std::string name;                  ///< "avx512vnni", "sm_90a"
  std::string cpu;                   ///< In place of the target's, or empty.
  std::vector<std::string> features; ///< Besides those of the CPU.
  ByteDot byteDot = ByteDot::None;   ///< Only for CPUs.
};

/// All sizes in bytes unless named otherwise. Plain data; thread-safe.
struct TargetDescription {
  std::string name;                        ///< "vulkan-lavapipe"
  std::string summary;                     ///< One line for `quern targets`.
  std::string api;                         ///< "vulkan", "cuda" or "cpu"
  std::string apiVersion;                  ///< Least version of the API, "1.1".
  uint32_t spirvMajor = 1, spirvMinor = 3; ///< Only for Vulkan.
  /// LLVM's names of the architecture (only for CPUs) and of the CPU or GPU
  /// whose instructions may be used: "x86_64" and "x86-64-v3", "sm_80".
  std::string architecture, cpu;
  /// Only for CPUs: what they have besides, in LLVM's names.
  std::vector<std::string> cpuFeatures;
  /// Code that bundles have beside the target's own, best first. For CUDA one
  /// for each architecture, named like it: a cubin where ptxas knows it, else
  /// PTX if the variant has instructions of its own.
  std::vector<CodeVariant> variants;
  std::vector<std::string> requiredFeatures; ///< Of the device at run time.
  /// Lower-case parts of device names that this target is for; may be empty.
  std::vector<std::string> devices;

  uint32_t subgroupSize = 0; ///< The size that kernels are compiled for.
  uint32_t maxWorkgroupSize = 0;
  uint32_t maxWorkgroupMemory = 0;
  std::array<uint32_t, 3> maxGrid = {0, 0, 0};
  uint64_t maxStorageBufferBytes = 0; ///< Of one binding.
  uint64_t maxTexelElements = 0;      ///< Of one texel view.

  ReadAccess readAccess = ReadAccess::Storage;
  /// Whether a norm of one row is worth several subgroups.
  bool useWorkgroupMemory = false;
  DataType preferredCompute = DataType::F32; ///< F32, F16 or BF16.

  /// Subgroups of a workgroup in kernels that need no workgroup memory.
  uint32_t subgroupsPerWorkgroup = 8;
  /// Weight rows that a subgroup of a matrix-vector kernel computes.
  uint32_t gemvRows = 4;
  /// Register tile of one lane of a matrix-matrix kernel.
  uint32_t gemmTokens = 4, gemmRows = 4;
  /// Tile of tokens x weight rows that a workgroup computes on matrix units
  /// when there are many tokens, and steps of it that are in workgroup memory
  /// at a time; 0 tokens: the target has no such units.
  uint32_t mmaTokens = 0, mmaRows = 0, mmaStages = 0;
  /// Only for CUDA: multiprocessors of the device, each of which should get
  /// work; 0: unknown.
  uint32_t multiprocessors = 0;
  /// Only for CPUs: linear layers with weights in panels of as many rows as a
  /// subgroup has lanes. Tokens and panels of a register tile, and panels that
  /// steps of few tokens read side by side.
  uint32_t panelTokens = 4, panelWidth = 2, panelStreams = 4;
  /// How many bytes ahead such steps ask for a panel; 0: not at all.
  uint32_t panelPrefetch = 0;
  /// Only for CPUs: with some, quantised weights are multiplied with int8
  /// activations.
  ByteDot byteDot = ByteDot::None;
  /// Tokens and panels of a tile of those products, and panelPrefetch.
  uint32_t integerTokens = 4, integerWidth = 1, integerPrefetch = 0;
  /// Only for CPUs with tile registers (AMX): tokens and panels for which a
  /// workgroup makes its tiles of inputs once; 0 tokens: there are none.
  uint32_t tileTokens = 0, tilePanels = 0;
  /// Tokens, and rows (query heads of one key head, of all these tokens), that
  /// share one pass over the keys; the tighter limit counts.
  uint32_t attentionTokens = 4, attentionRows = 8;
  /// Positions that a lane scores in one turn.
  uint32_t attentionPositions = 4;
  /// Only for CPUs: how many positions ahead steps of few tokens ask for keys
  /// and values, in whole turns; 0: not at all.
  uint32_t attentionPrefetch = 0;
  /// Steps of few tokens split the positions until attention has as many
  /// workgroups; 0: never.
  uint32_t attentionWorkgroups = 0;
  /// Columns of the state that a subgroup has in a delta rule of few tokens.
  uint32_t deltaRuleColumns = 32;
  /// The chunked gated delta rule: tokens of a chunk, columns of the state that
  /// a team of lanes keeps in registers, and the least number of tokens in a
  /// step for which it is faster than going token by token.
  uint32_t deltaChunkTokens = 8, deltaChunkColumns = 16;
  uint32_t deltaChunkMinTokens = 8;
  /// Choices per chosen expert of a mixture from which on it is faster to sort
  /// tokens by expert than to read an expert's weights for each of its tokens.
  double expertsMinReuse = 1.1;
  /// Those from which on tiles of sorted tokens have 4 and 8 rows, not 2.
  double expertsTile4Reuse = 2, expertsTile8Reuse = 16;
  /// Workgroups that walk the tiles of sorted tokens.
  uint32_t expertsWorkgroups = 1024;
  /// Subgroups of a workgroup that shares one row (sampling, norms).
  uint32_t rowSubgroups = 1;

  /// The target whose own code is the variant's. Names of LLVM's are names of
  /// required features as well.
  TargetDescription withVariant(const CodeVariant &variant) const;

  /// Whether the lanes of a subgroup are the elements of one register.
  bool lanesAreRegister() const { return api == "cpu"; }
  /// Whether products of bytes are those of bytes without a sign by bytes with
  /// one, and no others.
  bool multipliesUnsignedBytes() const { return byteDot == ByteDot::Vnni512; }
  /// Rows of a panel of a weight; 0: weights are row-major.
  uint32_t getPanelRows() const {
    return lanesAreRegister() ? subgroupSize : 0;
  }

  /// The most rows of a tile of experts, of one read of their weights, whose
  /// inputs have the type: what registers hold, or matrix units multiply.
  int64_t getMaxExpertTile(DataType compute) const {
    constexpr int64_t mostRegisters = 8, mostFragments = 32;
    if (mmaTokens != 0 && compute != DataType::F32)
      return std::min<int64_t>(mmaTokens, mostFragments);
    return lanesAreRegister() ? panelTokens : mostRegisters;
  }

  /// Inputs of a step of a tile on matrix units: rows of 64 bytes of 16-bit
  /// elements, and a group of an encoded weight.
  static constexpr uint32_t mmaDepth = 32;
  /// Workgroup memory of a step.
  uint64_t getMatrixStageBytes() const {
    return uint64_t(mmaTokens + mmaRows) * mmaDepth * 2;
  }

  double memoryBandwidth = 0; ///< Bytes per second, for estimates; 0 unknown.
  /// The file; of one that extends another all members in one object.
  std::string text;

  /// "1.3"
  std::string getSpirvVersion() const {
    return std::to_string(spirvMajor) + "." + std::to_string(spirvMinor);
  }
};

/// Parses a description; `where` names it in errors. Every member is checked
/// for kind and range, unknown members are errors.
Result<TargetDescription> parseTarget(std::string_view json,
                                      std::string_view where);

/// A built-in target by name, the default of an API ("vulkan" gives
/// "vulkan-generic", "cpu" and "cuda" the first that extends no other), or the
/// file `spec` if it ends in ".json". "cuda:sm_90a,sm_80" is "cuda-sm_90a" with
/// code for exactly these architectures; "cpu:avx512vnni,avx512" has only these
/// variants, "cpu:base" none, "cpu:all" all, as "cpu". NotFound lists the
/// built-in names.
Result<TargetDescription> findTarget(std::string_view spec);

/// Names of the built-in targets, sorted.
std::vector<std::string_view> listTargets();

} // namespace quern

#endif // QUERN_CODEGEN_TARGETS_TARGETDESCRIPTION_H
