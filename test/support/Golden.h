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
#include "runtime/base/Json.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace quern::test {

/// The checkpoints of test/data/checkpoints, each with a golden.
inline const char *const goldenModels[] = {
    "qwen3-dense-tied-bf16",         "qwen3-dense-untied-f32-sharded",
    "qwen3-yarn-ropeparameters-f32", "qwen3-yarn-ropescaling-f32",
    "qwen3-moe-bf16-sharded",        "qwen3-moe-mixed-f32"};

/// Those of hybrids, whose goldens are cut down: t150.last_logits [16, V] in
/// place of t150.logits, no greedy_logits; small tensors of the vision tower
/// alone.
inline const char *const hybridModels[] = {
    "qwen3-next-small-f32", "qwen3_5-dense-tied-bf16", "qwen3_6-moe-bf16"};

/// Prompts of every golden: random tokens, by their number.
inline const char *const goldenPrompts[] = {"t1", "t7", "t41", "t150"};

/// Folders with checkpoints/<model> and goldens/<model>: those of the
/// repository, and all of ../shared, which may be absent.
std::string storedGoldens();
std::string sharedGoldens();

/// A model by its name, of the repository or of ../shared.
struct GoldenModel {
  const char *name;
  bool isShared;
  std::string root() const {
    return isShared ? sharedGoldens() : storedGoldens();
  }
};

/// A model's name as GoogleTest takes it: with underscores.
inline std::string toTestName(std::string model) {
  std::replace(model.begin(), model.end(), '-', '_');
  return model;
}

/// A checkpoint folder, opened.
struct TestModel {
  ModelConfig config;
  Checkpoint checkpoint;

  /// Null, after a test failure, if it cannot be opened.
  static std::unique_ptr<TestModel> open(const std::string &path);
  static std::unique_ptr<TestModel>
  openGolden(const std::string &name,
             const std::string &root = storedGoldens());
};

/// A prompt without all of its logits: eN.last_logits [V].
struct EdgePrompt {
  std::string key;
  std::vector<int32_t> ids;
};

/// A prompt of the draft (mtp.<key>.…): logits [T - firstRow, V] and
/// chain_logits [3, V], from which the tokens of the chain were taken.
struct DraftPrompt {
  std::string key;
  int64_t firstRow;
  std::vector<int32_t> nextIds;
  std::vector<int32_t> chainIds;
};

/// Arrays of test/data/goldens/<model>/golden.safetensors. Keys (golden.json):
/// <prompt>.input_ids, .logits [T, V], .greedy_ids [16], .greedy_logits [16,
/// V]; t41.hidden.<layers> [T, H]; of mixtures of experts also
/// t41.layer<i>.router_experts [T, k] and .router_weights. A key that is absent
/// or of another type is a test failure and gives an empty vector.
class Golden {
public:
  explicit Golden(const std::string &model,
                  const std::string &root = storedGoldens());

  bool has(const std::string &key) const { return tensors.contains(key); }
  std::vector<float> floats(const std::string &key) const;
  std::vector<int32_t> integers(const std::string &key) const;

  std::vector<EdgePrompt> edgePrompts() const;
  std::vector<DraftPrompt> draftPrompts() const;

  /// Relative root-mean-square error of a bfloat16 run of transformers.
  double bf16RelativeError() const;
  /// The greatest error of the golden's own router weights, against float64.
  double routerWeightError() const;

private:
  /// The member of golden.json at a path, given to `use`.
  void read(std::initializer_list<const char *> path,
            const std::function<void(const JsonValue &)> &use) const;
  double number(std::initializer_list<const char *> path) const;

  std::string folder;
  MappedFile mapping;
  std::map<std::string, StoredTensor> tensors;
};

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_GOLDEN_H
