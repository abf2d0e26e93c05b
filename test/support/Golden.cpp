//===- Golden.cpp - checkpoints and what they must compute ----------------===//
#include "test/support/Golden.h"

#include "frontend/HuggingFace/Safetensors.h"
#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/Json.h"

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
  std::optional<Checkpoint> checkpoint = expectOk(Checkpoint::open(*directory));
  if (!config || !checkpoint)
    return nullptr;
  return std::make_unique<TestModel>(
      TestModel{std::move(*config), std::move(*checkpoint)});
}

std::unique_ptr<TestModel> TestModel::openGolden(const std::string &name) {
  return open(std::string(QUERN_SOURCE_DIR) + "/test/data/checkpoints/" + name);
}

Golden::Golden(const std::string &model)
    : folder(std::string(QUERN_SOURCE_DIR) + "/test/data/goldens/" + model) {
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
        entry.offset, mapping.getBytes().subspan(entry.offset, entry.byteSize)};
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

double Golden::bf16RelativeError() const {
  std::optional<std::string> text =
      expectOk(readWholeFile(folder + "/golden.json", 1 << 20));
  if (!text)
    return 0;
  std::optional<JsonDocument> document = expectOk(parseJson(*text));
  if (!document)
    return 0;
  JsonValue value = document->root();
  for (const char *key : {"measured", "bf16_run_vs_float32", "rel_rms"}) {
    std::optional<JsonValue> member = expectOk(value.get(key));
    if (!member)
      return 0;
    value = *member;
  }
  return expectOk(value.asDouble()).value_or(0);
}
