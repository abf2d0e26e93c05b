//===- QuantizationConfig.h - How a checkpoint is quantised -----*- C++ -*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_QUANTIZATIONCONFIG_H
#define QUERN_FRONTEND_HUGGINGFACE_QUANTIZATIONCONFIG_H

#include "frontend/HuggingFace/ConfigReader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

enum class QuantMethod : uint8_t {
  Fp8,  ///< Blocks of float8_e4m3fn with a scale for each.
  Gptq, ///< Codes packed along the inputs.
  Awq   ///< 4-bit codes packed along the outputs, interleaved.
};

/// "fp8", as in quant_method.
std::string_view getQuantMethodName(QuantMethod method);

/// quantization_config of config.json: what its fields say that the tensors do
/// not. PackedWeight.h describes the tensors.
struct QuantizationConfig {
  QuantMethod method = QuantMethod::Fp8;

  /// Gptq, Awq: bits of a code.
  unsigned bits = 0;
  /// Gptq, Awq: inputs that share a scale; 0: all of them.
  int64_t groupSize = 0;
  /// Gptq: whether every zero point is 2^(bits - 1).
  bool isSymmetric = false;
  /// Gptq: whether groups of inputs may be permuted (g_idx).
  bool hasActOrder = false;
  /// Gptq: what is added to stored zero points, modulo 2^bits: 1, but 0 in the
  /// format gptq_v2.
  unsigned zeroOffset = 0;

  /// Fp8: rows and columns of a block.
  int64_t blockRows = 0, blockColumns = 0;
  /// Modules that are said not to be quantised.
  std::vector<std::string> unconvertedModules;

  bool operator==(const QuantizationConfig &) const = default;
};

/// Reads quantization_config if it is there. Corrupt and Unsupported start with
/// the JSON path: an unknown method, or a variant that cannot be read. Keys
/// that nothing here knows go to `warnings`.
Status readQuantization(ConfigReader &reader,
                        std::optional<QuantizationConfig> &out,
                        std::vector<std::string> &warnings);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_QUANTIZATIONCONFIG_H
