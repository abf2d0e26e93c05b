//===- TokenizerFileTest.cpp - tokenizer.json files that are wrong --------===//
//
// Bad inputs 30 to 36. Each case changes one thing in a file that loads.
//
//===----------------------------------------------------------------------===//

#include "TokenizerTestUtils.h"
#include "runtime/tokenizer/TokenizerJson.h"
#include "runtime/tokenizer/Utf8.h"

#include "gmock/gmock.h"

using namespace quern;
using testing::HasSubstr;

namespace {

/// The text of a small tokenizer.json, made of replaceable pieces.
struct FileParts {
  std::vector<std::pair<std::string, std::string>> vocab; ///< text, id (raw)
  std::vector<std::string> merges;                        ///< raw JSON
  std::vector<std::string> added;                         ///< raw JSON
  std::string normalizer = R"({"type":"NFC"})";
  std::string regex =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|)"
      R"( ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";
  std::string splitTail = R"("behavior":"Isolated","invert":false)";
  std::string preByteLevel =
      R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,)"
      R"("use_regex":false})";
  std::string postProcessor = R"({"type":"ByteLevel","use_regex":false})";
  std::string decoder = R"({"type":"ByteLevel","use_regex":false})";
  std::string modelHead = R"("type":"BPE","dropout":null,"unk_token":null)";
  std::string head = R"("version":"1.0","truncation":null,"padding":null)";

  FileParts() {
    uint32_t nextStandIn = 0x100;
    for (uint32_t byte = 0; byte != 256; ++byte) {
      bool printable =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      std::string text;
      appendUtf8(printable ? byte : nextStandIn++, text);
      vocab.emplace_back(text, std::to_string(byte));
    }
    vocab.emplace_back("th", "256");
    vocab.emplace_back("the", "257");
    merges = {R"("t h")", R"(["th","e"])"};
    added = {addedToken("258", "<|end|>")};
  }

  static std::string addedToken(const std::string &id,
                                const std::string &content,
                                const std::string &more = "") {
    return "{\"id\":" + id + ",\"content\":\"" + content +
           "\",\"special\":true" + more + "}";
  }

  static std::string join(const std::vector<std::string> &items) {
    std::string text;
    for (const std::string &item : items)
      text += (text.empty() ? "" : ",") + item;
    return text;
  }

  std::string text() const {
    std::vector<std::string> entries;
    for (const auto &[token, id] : vocab) {
      JsonWriter writer;
      writer.value(token);
      entries.push_back(writer.getText() + ":" + id);
    }
    return "{" + head + ",\"added_tokens\":[" + join(added) +
           "],\"normalizer\":" + normalizer +
           ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{"
           "\"type\":\"Split\",\"pattern\":{\"Regex\":\"" +
           regex + "\"}," + splitTail + "}," + preByteLevel +
           "]},\"post_processor\":" + postProcessor +
           ",\"decoder\":" + decoder + ",\"model\":{" + modelHead +
           ",\"vocab\":{" + join(entries) + "},\"merges\":[" + join(merges) +
           "]}}";
  }
};

} // namespace

static void expectError(const std::string &json, StatusCode code,
                        const std::string &message) {
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(json);
  ASSERT_FALSE(tokenizer.isOk()) << "expected: " << message;
  EXPECT_EQ(tokenizer.getStatus().getCode(), code)
      << tokenizer.getStatus().getMessage();
  EXPECT_THAT(tokenizer.getStatus().getMessage(), HasSubstr(message));
  EXPECT_THAT(tokenizer.getStatus().getMessage(), HasSubstr("tokenizer.json"));
}

static void expectCorrupt(const FileParts &parts, const std::string &message) {
  expectError(parts.text(), StatusCode::Corrupt, message);
}

static void expectUnsupported(const FileParts &parts,
                              const std::string &message) {
  expectError(parts.text(), StatusCode::Unsupported, message);
}

TEST(TokenizerFile, TheBaseOfAllCasesLoads) {
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(FileParts().text());
  ASSERT_TRUE(tokenizer.isOk()) << tokenizer.getStatus().getMessage();
  EXPECT_EQ(encodeAll(*tokenizer, "the<|end|>th"),
            (std::vector<TokenId>{257, 258, 256}));
  EXPECT_EQ(tokenizer->findAddedToken("<|end|>"), 258);
  EXPECT_EQ(tokenizer->findAddedToken("the"), std::nullopt);
  EXPECT_TRUE(tokenizer->isSpecial(258));
  EXPECT_FALSE(tokenizer->isSpecial(257));
  EXPECT_FALSE(tokenizer->isSpecial(-1));
}

TEST(TokenizerFile, BadInput30SizeDepthDuplicateKeys) {
  std::string text = FileParts().text();
  expectError(text + std::string(maxTokenizerJsonBytes, ' '),
              StatusCode::Corrupt, "67108864");
  FileParts deep;
  deep.normalizer = std::string(70, '[') + std::string(70, ']');
  expectCorrupt(deep, "byte ");
  FileParts duplicate;
  duplicate.modelHead += ",\"dropout\":null";
  expectCorrupt(duplicate, "duplicate key");
  expectError("", StatusCode::Corrupt, "");
  expectError(text.substr(0, text.size() / 2), StatusCode::Corrupt, "byte ");
  expectError("[]", StatusCode::Corrupt, "$: expected an object");
}

TEST(TokenizerFile, EveryPrefixIsRefused) {
  std::string text = FileParts().text();
  for (size_t length = 0; length < text.size(); length += 7)
    EXPECT_FALSE(Tokenizer::fromJson(text.substr(0, length)).isOk()) << length;
}

TEST(TokenizerFile, BadInput31TokenIds) {
  for (const char *id : {"-1", "2.5", "1e3", "\"7\"", "4194304", "1e400",
                         "18446744073709551616", "null"}) {
    FileParts parts;
    parts.vocab.back().second = id;
    expectCorrupt(parts, "");
  }
  FileParts negative;
  negative.vocab.back().second = "-1";
  expectCorrupt(negative, "$.model.vocab.the: expected an integer from 0 to "
                          "4194303, found -1");
  FileParts gap;
  gap.vocab.emplace_back("gap", "2000000");
  expectCorrupt(gap, "no such gap");
  FileParts duplicateId;
  duplicateId.vocab.back().second = "256";
  expectCorrupt(duplicateId, "id 256 already belongs to 'th'");
  FileParts duplicateText;
  duplicateText.vocab.emplace_back("the", "300");
  expectCorrupt(duplicateText, "duplicate key");
  FileParts empty;
  empty.vocab.emplace_back("", "300");
  expectCorrupt(empty, "without text");
  FileParts smallGap;
  smallGap.vocab.emplace_back("gap", "1000");
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(smallGap.text());
  ASSERT_TRUE(tokenizer.isOk());
  EXPECT_EQ(tokenizer->getIdCount(), 1001u);
  EXPECT_FALSE(tokenizer->decode(std::vector<TokenId>{999}).isOk());
}

TEST(TokenizerFile, BadInput32Merges) {
  for (const char *merge :
       {R"("th")", R"("t h e")", R"(["t"])", R"(["t","h","e"])", "7", "null",
        R"({"t":"h"})", R"([1,2])", R"("")", R"(" ")"}) {
    FileParts parts;
    parts.merges.push_back(merge);
    expectCorrupt(parts, "$.model.merges[2]");
  }
  FileParts unknownPart;
  unknownPart.merges.push_back(R"(["qqq","e"])");
  expectCorrupt(unknownPart,
                "$.model.merges[2]: 'qqq' is not a token of the vocabulary");
  FileParts unknownProduct;
  unknownProduct.merges.push_back(R"("e e")");
  expectCorrupt(unknownProduct, "'ee' is not a token of the vocabulary");
  FileParts twice;
  twice.merges.push_back(R"("t h")");
  expectCorrupt(twice, "repeats merge 0");
  FileParts tooMany;
  tooMany.merges.assign(1, "0");
  for (uint32_t i = 0; i != maxTokenMerges; ++i)
    tooMany.merges[0] += ",0";
  expectCorrupt(tooMany, "$.model.merges: more than 4194304");
}

TEST(TokenizerFile, BadInput33IncompleteAlphabet) {
  FileParts parts;
  parts.vocab.erase(parts.vocab.begin() + 200);
  expectCorrupt(parts, "no token for the single byte 200");
  FileParts outside;
  outside.vocab.emplace_back("a b", "300");
  expectUnsupported(outside, "outside of the byte-level alphabet");
}

TEST(TokenizerFile, BadInput34UnknownComponents) {
  auto with = [](auto member, const char *value) {
    FileParts parts;
    parts.*member = value;
    return parts;
  };
  expectUnsupported(with(&FileParts::normalizer, R"({"type":"NFKC"})"),
                    "$.normalizer.type: unsupported: expected 'NFC', found "
                    "the string 'NFKC'");
  expectUnsupported(with(&FileParts::normalizer, "null"), "$.normalizer");
  expectUnsupported(with(&FileParts::decoder, R"({"type":"Metaspace"})"),
                    "$.decoder.type");
  expectUnsupported(
      with(&FileParts::postProcessor, R"({"type":"TemplateProcessing"})"),
      "$.post_processor.type");
  expectUnsupported(with(&FileParts::preByteLevel, R"({"type":"Digits"})"),
                    "$.pre_tokenizer.pretokenizers[1].type");
  expectUnsupported(with(&FileParts::preByteLevel, R"({"type":"ByteLevel"})"),
                    "'add_prefix_space'");
  expectUnsupported(with(&FileParts::regex, R"(\\p{N}{1,3})"),
                    "pattern.Regex: unsupported: expected the split regex of "
                    "Qwen2/3 or of Qwen3.5");
  expectUnsupported(
      with(&FileParts::splitTail, R"("behavior":"Removed","invert":false)"),
      "behavior");
  expectUnsupported(
      with(&FileParts::splitTail, R"("behavior":"Isolated","invert":true)"),
      "invert");
  expectUnsupported(with(&FileParts::modelHead, R"("type":"Unigram")"),
                    "$.model.type");
  for (const char *member :
       {R"("dropout":0.1)", R"("unk_token":"<unk>")", R"("byte_fallback":true)",
        R"("ignore_merges":true)", R"("end_of_word_suffix":"</w>")",
        R"("continuing_subword_prefix":"##")", R"("surprise":1)"}) {
    FileParts parts;
    parts.modelHead = std::string(R"("type":"BPE",)") + member;
    expectUnsupported(parts, "$.model.");
  }
  expectUnsupported(
      with(&FileParts::head,
           R"("version":"1.0","truncation":{"max_length":512},"padding":null)"),
      "$.truncation");
  expectUnsupported(with(&FileParts::head, R"("version":"2.0")"), "$.version");
}

TEST(TokenizerFile, BadInput35AddedTokens) {
  FileParts empty;
  empty.added.push_back(FileParts::addedToken("300", ""));
  expectCorrupt(empty, "$.added_tokens[1].content: expected 1 to 256 bytes");
  FileParts huge;
  huge.added.push_back(FileParts::addedToken("300", std::string(257, 'x')));
  expectCorrupt(huge, "found 257");
  FileParts idClash;
  idClash.added.push_back(FileParts::addedToken("257", "<|x|>"));
  expectCorrupt(idClash, "id 257 already belongs to 'the'");
  FileParts textClash;
  textClash.added.push_back(FileParts::addedToken("300", "the"));
  expectCorrupt(textClash, "'the' is already token 257");
  FileParts twice;
  twice.added.push_back(FileParts::addedToken("300", "<|end|>"));
  expectCorrupt(twice, "'<|end|>' is already token 258");
  FileParts same;
  same.added.push_back(FileParts::addedToken("258", "<|end|>"));
  expectCorrupt(same, "id 258 is added twice");
  FileParts beyondCap;
  beyondCap.added.push_back(FileParts::addedToken("4194304", "<|x|>"));
  expectCorrupt(beyondCap, "$.added_tokens[1].id");
  for (const char *flag : {"single_word", "lstrip", "rstrip", "normalized"}) {
    FileParts parts;
    parts.added.push_back(FileParts::addedToken(
        "300", "<|x|>", ",\"" + std::string(flag) + "\":true"));
    expectUnsupported(parts, flag);
  }
  // An added token may repeat one of the vocabulary under its own id.
  FileParts repeats;
  repeats.added.push_back(FileParts::addedToken("257", "the"));
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(repeats.text());
  ASSERT_TRUE(tokenizer.isOk()) << tokenizer.getStatus().getMessage();
  EXPECT_TRUE(tokenizer->isSpecial(257));
}

TEST(TokenizerFile, BadInput36VocabSize) {
  const Tokenizer &tokenizer = tinyQwen3();
  EXPECT_TRUE(tokenizer.checkVocabSize(tokenizer.getIdCount()).isOk());
  EXPECT_TRUE(tokenizer.checkVocabSize(151936).isOk());
  Status status = tokenizer.checkVocabSize(tokenizer.getIdCount() - 1);
  EXPECT_EQ(status.getCode(), StatusCode::Corrupt);
  EXPECT_THAT(status.getMessage(), HasSubstr("vocab_size is 877"));
}
