//===- Golden.cpp - checkpoints and what they must compute ----------------===//
#include "test/support/Golden.h"

#include "frontend/HuggingFace/Safetensors.h"
#include "frontend/HuggingFace/TensorData.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

/// The value, or a test failure and nothing.
template <typename T> static std::optional<T> expectOk(Result<T> result) {
  if (result.isOk())
    return std::move(*result);
  ADD_FAILURE() << result.getStatus().getMessage();
  return std::nullopt;
}

std::unique_ptr<TestModel> TestModel::open(const std::string &path) {
  std::optional<ModelDir> directory = expectOk(ModelDir::open(path));
  if (!directory)
    return nullptr;
  std::optional<ModelConfig> config = expectOk(loadModelConfig(*directory));
  if (!config)
    return nullptr;
  CheckpointOptions options;
  options.quantization =
      config->quantization ? &*config->quantization : nullptr;
  std::optional<Checkpoint> checkpoint =
      expectOk(Checkpoint::open(*directory, options));
  if (!checkpoint)
    return nullptr;
  return std::make_unique<TestModel>(
      TestModel{std::move(*config), std::move(*checkpoint)});
}

std::string quern::test::storedGoldens() {
  return std::string(QUERN_SOURCE_DIR) + "/test/data";
}

std::string quern::test::sharedGoldens() {
  return std::string(QUERN_SHARED_DIR) + "/goldens";
}

std::unique_ptr<TestModel> TestModel::openGolden(const std::string &name,
                                                 const std::string &root) {
  return open(root + "/checkpoints/" + name);
}

Golden::Golden(const std::string &model, const std::string &root)
    : folder(root + "/goldens/" + model) {
  std::optional<File> file =
      expectOk(File::open(folder + "/golden.safetensors"));
  if (!file)
    return;
  std::optional<SafetensorsHeader> header =
      expectOk(readSafetensorsHeader(*file));
  std::optional<MappedFile> mapped = expectOk(MappedFile::map(*file));
  if (!header || !mapped)
    return;
  mapping = std::move(*mapped);
  for (const SafetensorsEntry &entry : header->entries)
    tensors[entry.name] = {
        entry.name,   entry.type,
        entry.shape,  0,
        entry.offset, mapping.getBytes().subspan(entry.offset, entry.byteSize),
        nullptr};
}

std::vector<float> Golden::floats(const std::string &key) const {
  auto found = tensors.find(key);
  if (found == tensors.end()) {
    ADD_FAILURE() << "the golden has no " << key;
    return {};
  }
  return expectOk(readFloats(found->second)).value_or(std::vector<float>());
}

std::vector<int32_t> Golden::integers(const std::string &key) const {
  auto found = tensors.find(key);
  if (found == tensors.end()) {
    ADD_FAILURE() << "the golden has no " << key;
    return {};
  }
  std::vector<int64_t> values =
      expectOk(readIntegers(found->second)).value_or(std::vector<int64_t>());
  return {values.begin(), values.end()};
}

void Golden::read(std::initializer_list<const char *> path,
                  const std::function<void(const JsonValue &)> &use) const {
  std::optional<std::string> text =
      expectOk(readWholeFile(folder + "/golden.json", 1 << 20));
  if (!text)
    return;
  std::optional<JsonDocument> document = expectOk(parseJson(*text));
  if (!document)
    return;
  JsonValue value = document->root();
  for (const char *key : path) {
    std::optional<JsonValue> member = expectOk(value.get(key));
    if (!member)
      return;
    value = *member;
  }
  use(value);
}

static std::vector<int32_t> readIds(const JsonValue &object, const char *key) {
  std::vector<int32_t> ids;
  if (std::optional<JsonValue> list = expectOk(object.get(key)))
    for (JsonValue id : list->elements())
      ids.push_back(static_cast<int32_t>(expectOk(id.asInt64()).value_or(0)));
  return ids;
}

static std::string readKey(const JsonValue &object) {
  std::optional<JsonValue> key = expectOk(object.get("key"));
  return key ? std::string(expectOk(key->asString()).value_or("")) : "";
}

std::vector<EdgePrompt> Golden::edgePrompts() const {
  std::vector<EdgePrompt> prompts;
  read({"edge_prompts"}, [&](const JsonValue &list) {
    for (JsonValue prompt : list.elements())
      prompts.push_back({readKey(prompt), readIds(prompt, "input_ids")});
  });
  return prompts;
}

std::vector<DraftPrompt> Golden::draftPrompts() const {
  std::vector<DraftPrompt> prompts;
  read({"mtp", "prompts"}, [&](const JsonValue &list) {
    for (JsonValue prompt : list.elements()) {
      std::optional<JsonValue> row = expectOk(prompt.get("first_row"));
      prompts.push_back(
          {readKey(prompt), row ? expectOk(row->asInt64()).value_or(0) : 0,
           readIds(prompt, "next_ids"), readIds(prompt, "draft_chain_ids")});
    }
  });
  return prompts;
}

double Golden::number(std::initializer_list<const char *> path) const {
  double number = 0;
  read(path, [&](const JsonValue &value) {
    number = expectOk(value.asDouble()).value_or(0);
  });
  return number;
}

double Golden::bf16RelativeError() const {
  return number({"measured", "bf16_run_vs_float32", "rel_rms"});
}

double Golden::routerWeightError() const {
  return number({"router_weight_vs_float64_max_abs"});
}
