//===- PackedWeightFixture.h - Checkpoints of one module --------*- C++ -*-===//
#ifndef QUERN_TEST_FRONTEND_HUGGINGFACE_PACKEDWEIGHTFIXTURE_H
#define QUERN_TEST_FRONTEND_HUGGINGFACE_PACKEDWEIGHTFIXTURE_H

#include "frontend/HuggingFace/PackedWeight.h"
#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/SafetensorsWriter.h"
#include "test/support/Expect.h"
#include "test/support/PackedCheckpoint.h"
#include "test/support/TempDir.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace quern::test {

inline constexpr const char *packedModule = "layers.0.q_proj.";

/// A tensor of these elements.
template <typename T>
PackedTensor make(DataType type, std::vector<uint64_t> shape,
                  std::vector<T> elements) {
  PackedTensor tensor{type, std::move(shape), {}};
  tensor.bytes.resize(elements.size() * sizeof(T));
  std::memcpy(tensor.bytes.data(), elements.data(), tensor.bytes.size());
  return tensor;
}

class PackedWeightTest : public testing::Test {
protected:
  /// Opens a checkpoint of these tensors under a quantization_config.
  Result<Checkpoint> open(const PackedTensors &tensors,
                          const std::string &config) {
    std::string text = "{\"quantization_config\": " + config + "}";
    QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text));
    ConfigReader reader(document.root());
    std::optional<QuantizationConfig> parsed;
    std::vector<std::string> warnings;
    QUERN_RETURN_IF_ERROR(readQuantization(reader, parsed, warnings));
    EXPECT_TRUE(warnings.empty()) << warnings.front();
    std::vector<SafetensorsTensor> list;
    for (const auto &[name, tensor] : tensors)
      list.push_back({name, tensor.type, tensor.shape, tensor.bytes});
    QUERN_RETURN_IF_ERROR(
        writeSafetensors(folder.file("model.safetensors"), list));
    QUERN_ASSIGN_OR_RETURN(ModelDir directory, ModelDir::open(folder.str()));
    return Checkpoint::open(directory, {.quantization = &*parsed});
  }

  /// The numbers of the one module.
  std::vector<float> read(const PackedTensors &tensors,
                          const std::string &config) {
    Result<Checkpoint> checkpoint = open(tensors, config);
    EXPECT_TRUE(succeeds(checkpoint));
    if (!checkpoint.isOk())
      return {};
    EXPECT_EQ(checkpoint->getTensors().size(), 1u);
    const StoredTensor *tensor =
        checkpoint->find(std::string(packedModule) + "weight");
    EXPECT_TRUE(tensor && tensor->packed);
    if (!tensor)
      return {};
    Result<std::vector<float>> values = readFloats(*tensor);
    EXPECT_TRUE(succeeds(values));
    return values.isOk() ? *values : std::vector<float>();
  }

  static std::string name(const char *part) {
    return std::string(packedModule) + part;
  }

  TempDir folder;
};

/// Normally distributed, as weights are.
inline std::vector<float> makeValues(uint64_t count) {
  std::mt19937 engine(7);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> values(count);
  std::ranges::generate(values, [&] { return normal(engine); });
  return values;
}

} // namespace quern::test

#endif // QUERN_TEST_FRONTEND_HUGGINGFACE_PACKEDWEIGHTFIXTURE_H
