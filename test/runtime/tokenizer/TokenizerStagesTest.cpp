//===- TokenizerStagesTest.cpp - each stage alone, and the blob -----------===//

#include "TokenizerTestUtils.h"
#include "runtime/tokenizer/BytePairEncoder.h"
#include "runtime/tokenizer/Normalizer.h"
#include "runtime/tokenizer/PreTokenizer.h"

#include "gmock/gmock.h"

#include <cstring>
#include <utf8proc.h>

using namespace quern;
using testing::ElementsAre;
using testing::HasSubstr;

//===----------------------------------------------------------------------===//
// PreTokenizer
//===----------------------------------------------------------------------===//

static std::vector<std::string> split(SplitPattern pattern,
                                      std::string_view text) {
  std::vector<std::string> pieces;
  PreTokenizer scanner(pattern, text);
  for (std::string_view piece; scanner.next(piece);)
    pieces.emplace_back(piece);
  return pieces;
}

// Expected pieces follow from the regular expression, alternative by
// alternative.
TEST(PreTokenizer, EachAlternative) {
  auto qwen2 = [](std::string_view t) { return split(SplitPattern::Qwen2, t); };
  EXPECT_THAT(qwen2("It's we'LL 'ſx 'x"),
              ElementsAre("It", "'s", " we", "'LL", " '", "ſx", " '", "x"));
  EXPECT_THAT(qwen2("'ſx"), ElementsAre("'ſ", "x"));
  EXPECT_THAT(qwen2("\tword (word"), ElementsAre("\tword", " (", "word"));
  EXPECT_THAT(qwen2("(word"), ElementsAre("(word"));
  EXPECT_THAT(qwen2("12a"), ElementsAre("1", "2", "a"));
  EXPECT_THAT(qwen2(" !?\n\n x"), ElementsAre(" !?\n\n", " x"));
  EXPECT_THAT(qwen2("a  \n \n  b"), ElementsAre("a", "  \n \n", " ", " b"));
  EXPECT_THAT(qwen2("a   "), ElementsAre("a", "   "));
  EXPECT_THAT(qwen2("a   1"), ElementsAre("a", "  ", " ", "1"));
  EXPECT_THAT(qwen2("\xE2\x80\x83"
                    "a"),
              ElementsAre("\xE2\x80\x83"
                          "a"));
  EXPECT_TRUE(qwen2("").empty());
}

TEST(PreTokenizer, MarksAreLettersForQwen35Only) {
  std::string_view text = "a\u0301b";
  EXPECT_THAT(split(SplitPattern::Qwen2, text), ElementsAre("a", "\u0301b"));
  EXPECT_THAT(split(SplitPattern::Qwen3_5, text), ElementsAre("a\u0301b"));
  EXPECT_THAT(split(SplitPattern::Qwen2, " \u0301"), ElementsAre(" \u0301"));
  EXPECT_THAT(split(SplitPattern::Qwen3_5, "1\u0301"),
              ElementsAre("1", "\u0301"));
}

//===----------------------------------------------------------------------===//
// Normalizer
//===----------------------------------------------------------------------===//

static std::string libraryNfc(const std::string &text) {
  auto *result =
      utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t *>(text.c_str()));
  std::string copy(reinterpret_cast<char *>(result));
  free(result);
  return copy;
}

TEST(Normalizer, EqualsTheLibraryOnShortText) {
  const std::string alphabet[] = {
      "a",      "e",      "é",      "\u0301", "\u0323", "\u0302", "\u0345",
      "\u1100", "\u1161", "\u11a8", "가",     "\u0915", "\u093c", "\u0958",
      "Å",      "\u212b", "q",      "\u0307", "中",     "\u0344", "😀",
      "\u0f71", "\u0f72", "\u0f74", "ǖ",      " ",      "\n"};
  TestRandom random(11);
  Normalizer normalizer;
  for (int round = 0; round != 5000; ++round) {
    std::string text;
    for (uint64_t i = random.below(10); i != 0; --i)
      text += alphabet[random.below(std::size(alphabet))];
    Result<std::string_view> ours = normalizer.normalize(text);
    ASSERT_TRUE(ours.isOk());
    EXPECT_EQ(*ours, libraryNfc(text));
  }
}

TEST(Normalizer, LeavesPlainTextAlone) {
  Normalizer normalizer;
  std::string text = "naïve ASCII and Latin: ÀÿĀžɐ";
  Result<std::string_view> result = normalizer.normalize(text);
  ASSERT_TRUE(result.isOk());
  EXPECT_EQ(result->data(), text.data());
  EXPECT_EQ(normalizer.getSteps(), 0u);
}

//===----------------------------------------------------------------------===//
// BytePairEncoder
//===----------------------------------------------------------------------===//

TEST(BytePairEncoder, SearchAndHeapAgree) {
  Result<TokenizerBlobView> view = openTokenizerBlob(tinyQwen3().serialize());
  ASSERT_TRUE(view.isOk());
  BytePairEncoder search(*view, /*searchLimit=*/1000);
  BytePairEncoder heap(*view, /*searchLimit=*/0);
  TestRandom random(5);
  for (int round = 0; round != 3000; ++round) {
    std::string piece;
    for (uint64_t i = 1 + random.below(60); i != 0; --i)
      piece += "the inaorsd "[random.below(12)];
    std::vector<TokenId> a, b;
    search.encode(piece, a);
    heap.encode(piece, b);
    EXPECT_EQ(a, b) << piece;
  }
}

//===----------------------------------------------------------------------===//
// The blob
//===----------------------------------------------------------------------===//

static std::vector<uint64_t> copyBlob(const Tokenizer &tokenizer) {
  std::span<const std::byte> bytes = tokenizer.serialize();
  std::vector<uint64_t> copy(bytes.size() / 8);
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

TEST(TokenizerBlob, IsUsedInPlaceAndGivesTheSameIds) {
  std::vector<uint64_t> blob = copyBlob(tinyQwen35());
  auto bytes = std::as_bytes(std::span(blob));
  Result<Tokenizer> tokenizer = Tokenizer::deserialize(bytes);
  ASSERT_TRUE(tokenizer.isOk()) << tokenizer.getStatus().getMessage();
  EXPECT_EQ(tokenizer->serialize().data(), bytes.data());
  std::string text = "Hello <|im_start|> the\u0301 world 123";
  EXPECT_EQ(encodeAll(*tokenizer, text), encodeAll(tinyQwen35(), text));
}

TEST(TokenizerBlob, IsDeterministic) {
  Tokenizer again =
      loadTokenizer(tokenizerDataDir + "tiny_qwen3/tokenizer.json");
  EXPECT_EQ(copyBlob(again), copyBlob(tinyQwen3()));
}

TEST(TokenizerBlob, RefusesEveryPrefixAndMore) {
  std::vector<uint64_t> blob = copyBlob(tinyQwen3());
  blob.push_back(0);
  auto bytes = std::as_bytes(std::span(blob));
  for (size_t length = 0; length <= bytes.size(); ++length)
    EXPECT_EQ(Tokenizer::deserialize(bytes.first(length)).isOk(),
              length == bytes.size() - 8)
        << length;
}

TEST(TokenizerBlob, NamesWhatIsWrong) {
  std::vector<uint64_t> blob = copyBlob(tinyQwen3());
  auto *header = reinterpret_cast<BlobHeader *>(blob.data());
  auto expect = [&](uint32_t BlobHeader::*field, uint32_t value,
                    StatusCode code, const char *message) {
    uint32_t saved = header->*field;
    header->*field = value;
    Result<Tokenizer> result =
        Tokenizer::deserialize(std::as_bytes(std::span(blob)));
    header->*field = saved;
    ASSERT_FALSE(result.isOk()) << message;
    EXPECT_EQ(result.getStatus().getCode(), code);
    EXPECT_THAT(result.getStatus().getMessage(), HasSubstr(message));
  };
  using H = BlobHeader;
  expect(&H::magic, 0x51544f4b, StatusCode::Corrupt, "byte 0: magic");
  expect(&H::version, 2, StatusCode::Unsupported,
         "format version 2, this build reads version 1");
  expect(&H::splitPattern, 2, StatusCode::Unsupported, "split pattern 2");
  expect(&H::idCount, 0, StatusCode::Corrupt, "byte 20: id count is 0");
  expect(&H::idCount, UINT32_MAX, StatusCode::Corrupt, "id count");
  expect(&H::idCount, header->idCount + 2, StatusCode::Corrupt, "total size");
  expect(&H::mergeCount, UINT32_MAX, StatusCode::Corrupt, "merge count");
  expect(&H::mergeCount, header->mergeCount - 1, StatusCode::Corrupt,
         "merge rank");
  expect(&H::mergeCapacity, 3000, StatusCode::Corrupt, "a power of two");
  expect(&H::mergeCapacity, 1u << 31, StatusCode::Corrupt, "capacity");
  expect(&H::addedCount, UINT32_MAX, StatusCode::Corrupt, "added token count");
  expect(&H::poolBytes, UINT32_MAX, StatusCode::Corrupt, "token pool");

  auto unaligned = std::as_bytes(std::span(blob)).subspan(4);
  EXPECT_EQ(Tokenizer::deserialize(unaligned).getStatus().getCode(),
            StatusCode::InvalidArgument);
}

// Every 32-bit word is checked or harmless: with any of them changed the blob
// is refused, or still encodes and decodes without leaving its bounds (which
// the sanitizers check).
TEST(TokenizerBlob, EveryChangedWordIsRefusedOrHarmless) {
  std::vector<uint64_t> blob = copyBlob(tinyQwen3());
  auto *words = reinterpret_cast<uint32_t *>(blob.data());
  size_t accepted = 0;
  for (size_t i = 0; i != blob.size() * 2; ++i)
    for (uint32_t flip : {1u, 0x80000000u, 0xFFFFFFFFu}) {
      words[i] ^= flip;
      Result<Tokenizer> tokenizer =
          Tokenizer::deserialize(std::as_bytes(std::span(blob)));
      if (tokenizer.isOk()) {
        ++accepted;
        std::vector<TokenId> ids =
            encodeAll(*tokenizer, "the <|im_end|> theme\u0301 12\xFF");
        for (TokenId id : ids)
          ASSERT_LT(static_cast<uint32_t>(id), tokenizer->getIdCount());
        EXPECT_TRUE(tokenizer->decode(ids).isOk());
      }
      words[i] ^= flip;
    }
  // Only words of the pool, of ranks that swap, of flags and of padding.
  EXPECT_LT(accepted, blob.size());
}
