//===- PackedWeights.cpp - Finds the parts of quantised weights -----------===//
#include "frontend/HuggingFace/PackedWeight.h"
#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Numeric.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

using namespace quern;

PackedWeight::~PackedWeight() = default;

uint64_t PackedWeight::countStoredBytes() const {
  uint64_t total = 0;
  for (const StoredTensor &part : parts)
    total += part.bytes.size();
  return total;
}

void PackedWeight::encodeRows(uint64_t, uint64_t, EncodedGroup *) const {}

std::string quern::formatShape(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Status quern::checkShape(const PackedParts &parts, const StoredTensor &tensor,
                         const std::vector<int64_t> &shape) {
  if (tensor.shape == shape)
    return Status::ok();
  return corrupt(parts.describe(tensor) + ": expected shape " +
                 formatShape(shape) + ", found " + formatShape(tensor.shape));
}

template <typename T>
static T loadElement(const StoredTensor &tensor, uint64_t index) {
  T value;
  std::memcpy(&value, tensor.bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

float quern::readScale(const StoredTensor &scales, uint64_t index) {
  if (scales.type == DataType::F16)
    return f16ToFloat(loadElement<uint16_t>(scales, index));
  if (scales.type == DataType::BF16)
    return bf16ToFloat(loadElement<uint16_t>(scales, index));
  return loadElement<float>(scales, index);
}

Status quern::checkScales(const PackedParts &parts, const StoredTensor &scales,
                          const std::vector<int64_t> &shape,
                          float largestCode) {
  if (scales.type != DataType::F32 && scales.type != DataType::F16 &&
      scales.type != DataType::BF16)
    return unsupported(parts.describe(scales) +
                       ": expected element type F32, F16 or BF16, found " +
                       std::string(dataTypeName(scales.type)));
  QUERN_RETURN_IF_ERROR(checkShape(parts, scales, shape));
  uint64_t count = scales.bytes.size() / (dataTypeBits(scales.type) / 8);
  for (uint64_t i = 0; i != count; ++i) {
    float scale = readScale(scales, i);
    if (!(scale > 0) || !std::isfinite(scale * largestCode)) {
      char text[32];
      std::snprintf(text, sizeof(text), "%g", static_cast<double>(scale));
      return corrupt(parts.describe(scales) + ": element " + std::to_string(i) +
                     " is " + text + ", expected a finite scale above 0");
    }
  }
  return Status::ok();
}

namespace quern {

/// Goes through the tensors of a checkpoint.
class PackedWeightAssembler {
public:
  PackedWeightAssembler(Checkpoint &checkpoint,
                        const QuantizationConfig &config)
      : checkpoint(checkpoint), config(config),
        isFp8(config.method == QuantMethod::Fp8) {}

  Status run();

private:
  Status findWeights();
  Status checkIsPart(const StoredTensor &tensor) const;
  Status findParts(const std::string &weight, PackedParts &parts) const;
  Status checkModule(const std::string &weight, const StoredTensor &part) const;
  Status assemble(const std::string &weight);

  Checkpoint &checkpoint;
  const QuantizationConfig &config;
  bool isFp8;
  std::vector<std::string> weights; ///< "a.b.weight"
};

} // namespace quern

static constexpr std::string_view fp8Suffix = "_scale_inv",
                                  integerSuffix = ".qweight";

/// "a.b." of "a.b.weight".
static std::string getModule(const std::string &tensor) {
  return tensor.substr(0, tensor.rfind('.') + 1);
}

/// Tensors that are nothing without another one.
Status PackedWeightAssembler::checkIsPart(const StoredTensor &tensor) const {
  const std::string &name = tensor.name;
  std::string module = getModule(name), missing;
  if (isFp8 && tensor.type == DataType::F8E4M3)
    missing = name + std::string(fp8Suffix);
  for (const char *part : {"qzeros", "scales", "g_idx"})
    if (!isFp8 && name == module + part)
      missing = module + "qweight";
  if (missing.empty() || checkpoint.find(missing))
    return Status::ok();
  return corrupt(checkpoint.describe(tensor) + ": " + quoteName(missing) +
                 " is missing");
}

Status PackedWeightAssembler::findWeights() {
  std::string_view suffix = isFp8 ? fp8Suffix : integerSuffix;
  for (const auto &[name, tensor] : checkpoint.getTensors()) {
    QUERN_RETURN_IF_ERROR(checkIsPart(tensor));
    if (name.ends_with(suffix))
      weights.push_back(name.substr(0, name.size() - suffix.size()) +
                        (isFp8 ? "" : ".weight"));
  }
  if (weights.empty())
    return corrupt("$.quantization_config says " +
                   std::string(getQuantMethodName(config.method)) +
                   ", but the checkpoint has no tensor " +
                   quoteName("*" + std::string(suffix)));
  return Status::ok();
}

Status PackedWeightAssembler::findParts(const std::string &weight,
                                        PackedParts &parts) const {
  std::string module = getModule(weight);
  parts.weight = checkpoint.find(weight);
  if (isFp8) {
    parts.scales = checkpoint.find(weight + std::string(fp8Suffix));
    if (!parts.weight)
      return corrupt(checkpoint.describe(*parts.scales) + ": " +
                     quoteName(weight) + " is missing");
    return Status::ok();
  }
  parts.qweight = checkpoint.find(module + "qweight");
  parts.qzeros = checkpoint.find(module + "qzeros");
  parts.scales = checkpoint.find(module + "scales");
  if (config.method == QuantMethod::Gptq)
    parts.groupIndex = checkpoint.find(module + "g_idx");
  if (parts.weight)
    return corrupt(checkpoint.describe(*parts.weight) +
                   ": is in the checkpoint twice, also as " +
                   quoteName(parts.qweight->name));
  return Status::ok();
}

/// What config.json says about the module, and its bias: some tools write one
/// of zeros for each module. The families have none, and it stays as it is.
Status PackedWeightAssembler::checkModule(const std::string &weight,
                                          const StoredTensor &part) const {
  std::string module = getModule(weight);
  for (const std::string &name : config.unconvertedModules)
    if (name + "." == module)
      return corrupt(checkpoint.describe(part) +
                     ": is quantised, but modules_to_not_convert of the config "
                     "lists its module");
  const StoredTensor *bias = checkpoint.find(module + "bias");
  if (!bias)
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(std::vector<float> values, readFloats(*bias));
  if (std::ranges::any_of(values, [](float x) { return x != 0; }))
    return unsupported(checkpoint.describe(*bias) +
                       ": the model has no bias, expected zeros");
  return Status::ok();
}

Status PackedWeightAssembler::assemble(const std::string &weight) {
  PackedParts parts{config, [&](const StoredTensor &tensor) {
                      return checkpoint.describe(tensor);
                    }};
  QUERN_RETURN_IF_ERROR(findParts(weight, parts));
  QUERN_RETURN_IF_ERROR(
      checkModule(weight, isFp8 ? *parts.weight : *parts.qweight));
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<const PackedWeight> packed,
                         isFp8 ? makeFp8Weight(parts)
                               : makeIntegerWeight(parts));
  const StoredTensor &first = packed->getParts().front();
  StoredTensor tensor;
  tensor.name = weight;
  tensor.shape = parts.shape;
  tensor.file = first.file;
  tensor.offset = first.offset;
  tensor.packed = packed;
  for (const StoredTensor &part : packed->getParts())
    checkpoint.tensors.erase(part.name);
  checkpoint.tensors.emplace(weight, std::move(tensor));
  return Status::ok();
}

Status PackedWeightAssembler::run() {
  QUERN_RETURN_IF_ERROR(findWeights());
  for (const std::string &weight : weights)
    QUERN_RETURN_IF_ERROR(assemble(weight));
  return Status::ok();
}

Status quern::assemblePackedWeights(Checkpoint &checkpoint,
                                    const QuantizationConfig &config) {
  return PackedWeightAssembler(checkpoint, config).run();
}
