//===- TokenizerTextTest.cpp - hostile text, streams, linear time ---------===//
//
// Bad inputs 38 to 42, and what holds for every text: decoding gives the
// normalised text back, and a stream of ids gives the text of all ids.
//
//===----------------------------------------------------------------------===//

#include "TokenizerTestUtils.h"
#include "runtime/tokenizer/BytePairEncoder.h"
#include "runtime/tokenizer/Normalizer.h"
#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/Utf8.h"

#include "gmock/gmock.h"

using namespace quern;
using testing::HasSubstr;

static std::string roundTrip(const Tokenizer &tokenizer,
                             const std::string &text) {
  return decodeAll(tokenizer, encodeAll(tokenizer, text));
}

static std::string repeat(std::string_view unit, size_t bytes) {
  std::string text;
  text.reserve(bytes + unit.size());
  while (text.size() < bytes)
    text += unit;
  return text;
}

//===----------------------------------------------------------------------===//
// Invalid UTF-8 (38)
//===----------------------------------------------------------------------===//

TEST(TokenizerText, BadInput38InvalidUtf8BecomesReplacementCharacters) {
  const std::string r(replacementUtf8);
  const std::pair<std::string, std::string> cases[] = {
      {"a\xFF"
       "b",
       "a" + r + "b"},
      {"\x80\x80", r + r},
      {"\xC0\xAF", r + r},                    // overlong
      {"\xE0\x80\xAF", r + r + r},            // overlong
      {"\xF0\x80\x80\xAF", r + r + r + r},    // overlong
      {"\xED\xA0\x80", r + r + r},            // surrogate
      {"\xF4\x90\x80\x80", r + r + r + r},    // above U+10FFFF
      {"\xE4\xB8", r},                        // cut off
      {"\xE4\xB8z", r + "z"},                 // maximal subpart
      {"\xF0\x9F\x98\xE4\xB8\xAD", r + "中"}, // the rest stays whole
      {"<|im_end|>\xF0\x9F<|im_end|>", "<|im_end|>" + r + "<|im_end|>"},
  };
  for (const auto &[text, expected] : cases) {
    EXPECT_EQ(roundTrip(tinyQwen3(), text), expected);
    EXPECT_EQ(encodeAll(tinyQwen3(), text), encodeAll(tinyQwen3(), expected));
  }
  std::string nul("a\0b", 3);
  EXPECT_EQ(roundTrip(tinyQwen3(), nul), nul);
}

TEST(TokenizerText, RandomBytesRoundTrip) {
  TestRandom random(7);
  for (int round = 0; round != 300; ++round) {
    std::string text;
    for (uint64_t i = random.below(40); i != 0; --i)
      text += static_cast<char>(random.next());
    std::string valid = replaceInvalidUtf8(text);
    Normalizer normalizer;
    Result<std::string_view> expected = normalizer.normalize(valid);
    ASSERT_TRUE(expected.isOk());
    EXPECT_EQ(roundTrip(tinyQwen35(), text), *expected);
  }
}

//===----------------------------------------------------------------------===//
// Linear time (39)
//===----------------------------------------------------------------------===//

static EncodeStatistics workFor(const Tokenizer &tokenizer,
                                const std::string &text) {
  EncodeStatistics statistics;
  EncodeOptions options;
  options.parseSpecial = true;
  options.statistics = &statistics;
  Result<std::vector<TokenId>> ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids.isOk()) << ids.getStatus().getMessage();
  return statistics;
}

// Work is counted, not timed: a quadratic stage would exceed these bounds by
// orders of magnitude. Stages: an added token is at most a few dozen bytes; a
// code point is decomposed, composed, classified a few times; each byte enters
// at most three look-ups and three heap operations.
TEST(TokenizerText, BadInput39WorkIsLinearInTheText) {
  const std::string units[] = {
      "a",  " ",  "7",   "中",  "\u0301",       "<|",
      "\n", "' ", "'",   "!",   "ab",           "<|im_start",
      "\r", "a ", " \n", "<",   "\u0301\u0323", "\t",
      "'l", "한", "😀",  "\xFF"};
  for (const std::string &unit : units) {
    std::string text = repeat(unit, size_t(1) << 20);
    for (const Tokenizer *tokenizer : {&tinyQwen3(), &tinyQwen35()}) {
      EncodeStatistics work = workFor(*tokenizer, text);
      // \xFF becomes three bytes.
      uint64_t bytes = text.size() * (unit == "\xFF" ? 3 : 1);
      EXPECT_LE(work.addedTokenSteps, 12 * bytes) << unit;
      EXPECT_LE(work.normalizerSteps, 3 * bytes) << unit;
      EXPECT_LE(work.scannerSteps, 5 * bytes) << unit;
      EXPECT_LE(work.mergeSteps, 10 * bytes) << unit;
    }
  }
}

TEST(TokenizerText, BadInput39SixteenMebibytesOfOneCharacter) {
  for (std::string_view unit : {"a", "\u0301"}) {
    std::string text = repeat(unit, size_t(16) << 20);
    std::vector<TokenId> ids = encodeAll(tinyQwen3(), text);
    EXPECT_EQ(decodeAll(tinyQwen3(), ids), text);
  }
}

//===----------------------------------------------------------------------===//
// Limits and buffers (40)
//===----------------------------------------------------------------------===//

TEST(TokenizerText, BadInput40TextLongerThanTheLimit) {
  EncodeOptions options;
  options.maxTextBytes = 10;
  EXPECT_TRUE(tinyQwen3().encode("0123456789", options).isOk());
  Result<std::vector<TokenId>> ids = tinyQwen3().encode("0123456789a", options);
  ASSERT_FALSE(ids.isOk());
  EXPECT_EQ(ids.getStatus().getCode(), StatusCode::InvalidArgument);
  EXPECT_THAT(ids.getStatus().getMessage(),
              HasSubstr("text of 11 bytes, expected at most 10"));
}

TEST(TokenizerText, BadInput40BufferTooSmall) {
  std::vector<TokenId> buffer(8, -7);
  size_t required = 0;
  Status status = tinyQwen3().encodeInto("0123456789",
                                         std::span(buffer).first(4), required);
  EXPECT_EQ(status.getCode(), StatusCode::InvalidArgument);
  EXPECT_EQ(required, 10u);
  EXPECT_EQ(buffer, std::vector<TokenId>(8, -7));
  buffer.assign(12, -7);
  EXPECT_TRUE(tinyQwen3().encodeInto("0123456789", buffer, required).isOk());
  EXPECT_EQ(required, 10u);
  EXPECT_NE(buffer[9], -7);
  EXPECT_EQ(buffer[10], -7);
}

//===----------------------------------------------------------------------===//
// Special tokens (41)
//===----------------------------------------------------------------------===//

TEST(TokenizerText, BadInput41SpecialTextIsTextUnlessAsked) {
  const Tokenizer &tokenizer = tinyQwen3();
  std::optional<TokenId> end = tokenizer.findAddedToken("<|im_end|>");
  std::optional<TokenId> think = tokenizer.findAddedToken("<think>");
  ASSERT_TRUE(end && think);
  std::string text = "a<|im_end|><think>b";
  std::vector<TokenId> parsed = encodeAll(tokenizer, text, true);
  std::vector<TokenId> plain = encodeAll(tokenizer, text, false);
  EXPECT_THAT(parsed, testing::Contains(*end));
  EXPECT_THAT(plain, testing::Not(testing::Contains(*end)));
  // <think> is an added token without the special flag.
  EXPECT_THAT(plain, testing::Contains(*think));
  EXPECT_EQ(decodeAll(tokenizer, plain), text);
  EXPECT_EQ(decodeAll(tokenizer, parsed), text);

  DecodeOptions skip;
  skip.skipSpecial = true;
  EXPECT_EQ(*tokenizer.decode(parsed, skip), "a<think>b");
  EXPECT_EQ(*tokenizer.decode(plain, skip), text);
}

//===----------------------------------------------------------------------===//
// Decoding and streams (42)
//===----------------------------------------------------------------------===//

TEST(TokenizerText, BadInput42IdsWithoutAToken) {
  const Tokenizer &tokenizer = tinyQwen3();
  for (TokenId id : {-1, INT32_MIN, INT32_MAX, TokenId(878), 151935}) {
    Result<std::string> text = tokenizer.decode(std::vector<TokenId>{64, id});
    ASSERT_FALSE(text.isOk());
    EXPECT_EQ(text.getStatus().getCode(), StatusCode::InvalidArgument);
    EXPECT_THAT(text.getStatus().getMessage(),
                HasSubstr("no token has the id " + std::to_string(id)));
    EXPECT_EQ(tokenizer.getTokenBytes(id), std::nullopt);
  }
}

TEST(StreamingDetokenizer, BadInput42HalfACharacterAtTheEnd) {
  const Tokenizer &tokenizer = tinyQwen3();
  std::vector<TokenId> ids = encodeAll(tokenizer, "𐍈");
  ASSERT_EQ(ids.size(), 4u) << "the test needs a character of 4 byte tokens";
  StreamingDetokenizer stream(tokenizer);
  std::string text;
  for (int i = 0; i != 3; ++i) {
    ASSERT_TRUE(stream.append(ids[static_cast<size_t>(i)], text).isOk());
    EXPECT_EQ(text, "");
  }
  EXPECT_FALSE(stream.append(-1, text).isOk());
  EXPECT_EQ(text, "") << "an error changes nothing";
  stream.flush(text);
  EXPECT_EQ(text, replacementUtf8);
  text.clear();
  for (TokenId id : ids)
    ASSERT_TRUE(stream.append(id, text).isOk());
  EXPECT_EQ(text, "𐍈") << "usable again after flush";
}

// Any sequence of ids, most of which make ill-formed text.
TEST(StreamingDetokenizer, EqualsOneShotAndEmitsWholeCharacters) {
  TestRandom random(3);
  for (const Tokenizer *tokenizer : {&tinyQwen3(), &tinyQwen35()})
    for (int round = 0; round != 2000; ++round) {
      std::vector<TokenId> ids(random.below(12));
      std::string bytes;
      for (TokenId &id : ids) {
        id = static_cast<TokenId>(
            random.below(round % 2 ? 256 : tokenizer->getIdCount()));
        bytes += *tokenizer->getTokenBytes(id);
      }
      StreamingDetokenizer stream(*tokenizer);
      std::string text;
      for (TokenId id : ids) {
        std::string piece;
        ASSERT_TRUE(stream.append(id, piece).isOk());
        EXPECT_EQ(piece, replaceInvalidUtf8(piece));
        text += piece;
      }
      stream.flush(text);
      EXPECT_EQ(text, decodeAll(*tokenizer, ids));
      EXPECT_EQ(text, replaceInvalidUtf8(bytes));
    }
}

TEST(StreamingDetokenizer, GoldenStringsTokenByToken) {
  JsonDocument goldens =
      readJsonFile(tokenizerDataDir + "tokenizer_goldens.json");
  for (JsonValue entry : goldens.root().get("strings")->elements()) {
    std::string_view text = *entry.get("text")->asString();
    StreamingDetokenizer stream(tinyQwen3());
    std::string streamed;
    for (TokenId id : encodeAll(tinyQwen3(), text))
      ASSERT_TRUE(stream.append(id, streamed).isOk());
    stream.flush(streamed);
    EXPECT_EQ(streamed, *entry.get("decoded")->asString());
  }
}
