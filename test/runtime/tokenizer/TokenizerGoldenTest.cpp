//===- TokenizerGoldenTest.cpp - ids and text against Hugging Face --------===//
//
// The goldens hold the ids of the released tokenizers (and of tiny ones of the
// same form), made by Hugging Face's tokenizers library.
//
//===----------------------------------------------------------------------===//

#include "TokenizerTestUtils.h"

using namespace quern;

static std::vector<TokenId> idsOf(JsonValue list) {
  std::vector<TokenId> ids;
  for (JsonValue id : list.elements())
    ids.push_back(static_cast<TokenId>(*id.asInt64()));
  return ids;
}

/// Compares every string that has ids for `name`; returns how many.
static size_t checkStrings(const Tokenizer &tokenizer, JsonValue goldens,
                           std::string_view name) {
  size_t count = 0;
  for (JsonValue entry : goldens.get("strings")->elements()) {
    std::string_view text = *entry.get("text")->asString();
    std::optional<JsonValue> ids = entry.get("ids")->find(name);
    if (!ids)
      continue;
    ++count;
    EXPECT_EQ(encodeAll(tokenizer, text), idsOf(*ids)) << entry.path() << text;
    EXPECT_EQ(decodeAll(tokenizer, idsOf(*ids)),
              *entry.get("decoded")->asString())
        << entry.path();
  }
  return count;
}

TEST(TokenizerGoldens, TinyQwen3) {
  JsonDocument goldens =
      readJsonFile(tokenizerDataDir + "tokenizer_goldens.json");
  EXPECT_EQ(checkStrings(tinyQwen3(), goldens.root(), "tiny_qwen3"), 562u);
}

TEST(TokenizerGoldens, TinyQwen35) {
  JsonDocument goldens =
      readJsonFile(tokenizerDataDir + "tokenizer_goldens.json");
  EXPECT_EQ(checkStrings(tinyQwen35(), goldens.root(), "tiny_qwen3_5"), 562u);
}

TEST(TokenizerGoldens, IdCounts) {
  JsonDocument goldens =
      readJsonFile(tokenizerDataDir + "tokenizer_goldens.json");
  JsonValue tokenizers = *goldens.root().get("tokenizers");
  EXPECT_EQ(*tokenizers.get("tiny_qwen3")->get("total")->asInt64(),
            tinyQwen3().getIdCount());
  EXPECT_EQ(*tokenizers.get("tiny_qwen3_5")->get("total")->asInt64(),
            tinyQwen35().getIdCount());
}

static void checkFullSize(const std::string &name, size_t expectedStrings) {
  std::string file = QUERN_SHARED_DIR "/tokenizers/" + name + "/tokenizer.json";
  std::string goldenFile =
      QUERN_SHARED_DIR "/goldens/tokenizer/tokenizer_goldens.json";
  if (!std::filesystem::exists(file) || !std::filesystem::exists(goldenFile))
    GTEST_SKIP() << "the full-size tokenizers in ../shared are absent";
  Tokenizer tokenizer = loadTokenizer(file);
  JsonDocument goldens = readJsonFile(goldenFile);
  EXPECT_EQ(checkStrings(tokenizer, goldens.root(), name), expectedStrings);
}

TEST(TokenizerGoldens, FullQwen3) { checkFullSize("full_qwen3", 562); }
TEST(TokenizerGoldens, FullQwen35) { checkFullSize("full_qwen3_5", 562); }

// The two spellings of merges, "a b" and ["a", "b"], in files of the tree.
TEST(TokenizerGoldens, BothFormsOfMerges) {
  std::string checkpoints = QUERN_SOURCE_DIR "/test/data/checkpoints/";
  std::string oldForm =
      checkpoints + "qwen3-dense-untied-f32-sharded/tokenizer.json";
  std::string newForm =
      checkpoints + "qwen3-yarn-ropescaling-f32/tokenizer.json";
  ASSERT_TRUE(readJsonFile(oldForm)
                  .root()
                  .get("model")
                  ->get("merges")
                  ->at(0)
                  .isString());
  ASSERT_TRUE(readJsonFile(newForm)
                  .root()
                  .get("model")
                  ->get("merges")
                  ->at(0)
                  .isArray());
  std::string text = "the  theme of ké";
  EXPECT_EQ(encodeAll(loadTokenizer(oldForm), text),
            encodeAll(loadTokenizer(newForm), text));
}
