//===- Golden.h - checkpoints and what they must compute --------*- C++ -*-===//
//
// Add Golden.cpp to the sources and link quern-huggingface.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_SUPPORT_GOLDEN_H
#define QUERN_TEST_SUPPORT_GOLDEN_H

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/Config.h"
#include "runtime/base/File.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace quern::test {

/// The checkpoints of test/data/checkpoints, each with a golden.
inline const char *const goldenModels[] = {
    "qwen3-dense-tied-bf16", "qwen3-dense-untied-f32-sharded",
    "qwen3-yarn-ropeparameters-f32", "qwen3-yarn-ropescaling-f32"};

/// Prompts of every golden: random tokens, by their number.
inline const char *const goldenPrompts[] = {"t1", "t7", "t41", "t150"};

/// A checkpoint folder, opened.
struct TestModel {
  ModelConfig config;
  Checkpoint checkpoint;

  /// Null, after a test failure, if it cannot be opened.
  static std::unique_ptr<TestModel> open(const std::string &path);
  /// A folder of test/data/checkpoints.
  static std::unique_ptr<TestModel> openGolden(const std::string &name);
};

/// Arrays of test/data/goldens/<model>/golden.safetensors. Keys (golden.json):
/// <prompt>.input_ids, .logits [T, V], .greedy_ids [16], .greedy_logits [16,
/// V]; t41.hidden.<layers> [T, H], t41.final_norm. A key that is absent or of
/// another type is a test failure and gives an empty vector.
class Golden {
public:
  explicit Golden(const std::string &model);

  bool has(const std::string &key) const { return tensors.contains(key); }
  std::vector<float> floats(const std::string &key) const;
  std::vector<int32_t> integers(const std::string &key) const;

  /// Relative root-mean-square error of a bfloat16 run of transformers.
  double bf16RelativeError() const;

private:
  std::string folder;
  MappedFile mapping;
  std::map<std::string, StoredTensor> tensors;
};

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_GOLDEN_H
