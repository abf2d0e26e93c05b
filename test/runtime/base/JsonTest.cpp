//===- JsonTest.cpp -------------------------------------------------------===//

#include "runtime/base/Json.h"
#include "runtime/base/JsonSyntax.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"

#include <chrono>

using namespace quern;
using namespace quern::test;

static Result<JsonDocument> parse(std::string_view text) {
  return parseJson(text);
}

TEST(Json, ValuesKeepOrderTypeAndPath) {
  Result<JsonDocument> document = parse(
      R"({"z":1,"a":{"list":[true,null,-2.5,"té\u00e9"]},"u":18446744073709551615})");
  ASSERT_TRUE(succeeds(document));
  JsonValue root = document->root();
  std::string keys;
  for (JsonValue member : root.members())
    keys += std::string(member.key()) + " ";
  EXPECT_EQ(keys, "z a u ");
  JsonValue list = *root.find("a")->find("list");
  EXPECT_EQ(list.path(), "$.a.list");
  EXPECT_EQ(list.at(3).path(), "$.a.list[3]");
  EXPECT_EQ(*list.at(0).asBool(), true);
  EXPECT_TRUE(list.at(1).isNull());
  EXPECT_EQ(*list.at(2).asDouble(), -2.5);
  EXPECT_EQ(*list.at(3).asString(), "téé");
  EXPECT_EQ(*root.find("z")->asInt64(), 1);
  EXPECT_EQ(*root.find("z")->asDouble(), 1.0);
  EXPECT_EQ(*root.find("u")->asUInt64(), UINT64_MAX);
  EXPECT_TRUE(failsWith(root.find("u")->asInt64(), StatusCode::Corrupt, "$.u"));
  EXPECT_FALSE(root.find("missing"));
  EXPECT_EQ(list.members().begin(), list.members().end());
}

TEST(Json, MovedDocumentKeepsItsValues) {
  Result<JsonDocument> document = parse(R"({"a":"text that is not short"})");
  ASSERT_TRUE(succeeds(document));
  JsonValue value = *document->root().find("a");
  JsonDocument moved = std::move(*document);
  EXPECT_EQ(*value.asString(), "text that is not short");
}

TEST(Json, GettersSayPathExpectedAndFound) {
  Result<JsonDocument> document = parse(
      R"({"a":{"hidden_size":"4096","f":4096.5,"b":true,"n":-1,"odd key.":[]}})");
  ASSERT_TRUE(succeeds(document));
  JsonValue a = *document->root().find("a");
  auto expect = [&](const auto &outcome, std::string_view message) {
    EXPECT_TRUE(failsWith(outcome, StatusCode::Corrupt, message));
  };
  expect(a.find("hidden_size")->asInt64(),
         "$.a.hidden_size: expected an integer, found the string '4096'");
  expect(a.find("f")->asInt64(), "$.a.f: expected an integer, found 4096.5");
  expect(a.find("b")->asInt64(), "$.a.b: expected an integer, found true");
  expect(a.find("b")->asDouble(), "expected a number, found true");
  expect(a.find("n")->asUInt64(), "not negative, found -1");
  expect(a.find("n")->asInt64In(0, 7),
         "expected an integer from 0 to 7, found -1");
  expect(a.find("n")->asBool(), "expected a boolean, found -1");
  expect(a.find("n")->asString(), "expected a string, found -1");
  expect(a.find("odd key.")->asInt64(), "$.a['odd key.']: ");
  expect(a.get("nope"), "$.a: expected a member 'nope', found none");
  expect(a.find("n")->get("x"), "$.a.n: expected an object, found -1");
}

namespace {
struct BadText {
  std::string_view text;
  std::string_view message;
};
} // namespace

TEST(Json, SyntaxErrorsNameTheByte) {
  using namespace std::string_view_literals;
  const BadText cases[] = {
      {"", "byte 0: expected a value, found the end"},
      {"  ", "byte 2: expected a value, found the end"},
      {"\xEF\xBB\xBF{}", "byte order mark"},
      {"\xFF\xFE{\0}\0"sv, "byte 0"},
      {"{", "byte 1: expected a key"},
      {"{\"a\"", "byte 4: expected ':'"},
      {"{\"a\":1,}", "byte 7: expected a key"},
      {"{\"a\":1 \"b\":2}", "byte 7: expected ',' or '}'"},
      {"[1,2", "byte 4: expected ',' or ']', found the end"},
      {"[1,,2]", "byte 3: expected a value"},
      {"{\"a\":\"b", "byte 5: string without end"},
      {"{} x", "byte 3: expected the end of the text"},
      {"{}{}", "byte 2: expected the end of the text"},
      {"{'a':1}", "byte 1: expected a key in double quotes"},
      {"NaN", "byte 0: expected a value"},
      {"-Infinity", "byte 1: expected a digit"},
      {"01", "byte 0: number with a leading zero"},
      {"1.", "byte 2: expected a digit"},
      {"+1", "byte 0: expected a value"},
      {"// c\n1", "byte 0: expected a value"},
      {"[1] \0"sv, "byte 4: expected the end of the text"},
      {"\"\x01\"", "byte 1: control character"},
      {"\"\\x\"", "byte 2: unknown escape"},
      {"\"\\u12g4\"", "byte 5: expected four hexadecimal digits"},
      {"\"\\ud800\"", "byte 1: surrogate without its partner"},
      {"\"a\xC0\x80\"", "byte 2: not UTF-8"},
      {"\"\xED\xA0\x80\"", "byte 1: not UTF-8"},
      {"[1e400]", "byte 1: number 1e400 does not fit 64 bits"},
      {"[-1e400]", "does not fit 64 bits"},
      {"18446744073709551616", "byte 0: number 18446744073709551616 does not"},
      {"-9223372036854775809", "byte 0: number -9223372036854775809 does not"},
  };
  for (const BadText &c : cases)
    EXPECT_TRUE(failsWith(parse(c.text), StatusCode::Corrupt, c.message))
        << c.text;
}

TEST(Json, DuplicateKeysAreRefusedAtAnyDepth) {
  EXPECT_TRUE(failsWith(parse(R"({"a":1,"b":2,"a":1})"), StatusCode::Corrupt,
                        "$.a: duplicate key"));
  EXPECT_TRUE(failsWith(parse(R"([{"x":{"\u0061":1,"a":2}}])"),
                        StatusCode::Corrupt, "$[0].x.a: duplicate key"));
}

TEST(Json, Limits) {
  JsonLimits limits;
  limits.maxBytes = 10;
  EXPECT_TRUE(failsWith(parseJson("[1,2,3,4,5]", limits), StatusCode::Corrupt,
                        "11 bytes, expected at most 10"));
  limits = {};
  limits.maxDepth = 2;
  EXPECT_TRUE(succeeds(parseJson("[[1]]", limits)));
  EXPECT_TRUE(failsWith(parseJson("[[[1]]]", limits), StatusCode::Corrupt,
                        "byte 2: nested deeper than 2"));
  EXPECT_TRUE(succeeds(parseJson("[[]]", limits)));
  EXPECT_TRUE(failsWith(parseJson("[0,{\"a\":[]}]", limits),
                        StatusCode::Corrupt, "$[1].a: nested deeper than 2"));
  limits = {};
  limits.maxStringBytes = 3;
  EXPECT_TRUE(succeeds(parseJson(R"({"abc":"def"})", limits)));
  EXPECT_TRUE(failsWith(parseJson(R"({"a":["defg"]})", limits),
                        StatusCode::Corrupt, "$.a: string of 4 bytes"));
  EXPECT_TRUE(failsWith(parseJson(R"({"abcd":1})", limits), StatusCode::Corrupt,
                        "key of 4 bytes"));
  limits = {};
  limits.maxMembers = 2;
  EXPECT_TRUE(succeeds(parseJson("[[1,2],[3,4]]", limits)));
  EXPECT_TRUE(failsWith(parseJson(R"({"k":[1,2,3]})", limits),
                        StatusCode::Corrupt, "$.k: more than 2 members"));
  limits = {};
  limits.maxValues = 4;
  EXPECT_TRUE(failsWith(parseJson("[[1,2],[3]]", limits), StatusCode::Corrupt,
                        "more than 4 values"));
}

TEST(Json, DepthBombIsRefusedFast) {
  auto start = std::chrono::steady_clock::now();
  std::string bomb(4u << 20, '[');
  EXPECT_TRUE(
      failsWith(parse(bomb), StatusCode::Corrupt, "nested deeper than 64"));
  std::string objects;
  for (int i = 0; i < 500'000; ++i)
    objects += "{\"a\":";
  EXPECT_TRUE(
      failsWith(parse(objects), StatusCode::Corrupt, "nested deeper than 64"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Json, ManyMembersWithLongCommonPrefixAreNotQuadratic) {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i)
    text += (i ? ",\"prefix_" : "\"prefix_") + std::to_string(i) + "\":0";
  text += "}";
  Result<JsonDocument> document = parse(text);
  ASSERT_TRUE(succeeds(document));
  EXPECT_EQ(document->root().size(), 100'000u);
  EXPECT_TRUE(document->root().find("prefix_99999"));
}

TEST(Json, EveryFailedAllocationIsReported) {
  std::string text = R"({"a":[1,2,{"b":"some longer string value here"}]})";
  EXPECT_GT(sweepAllocationFailures([&] { return parse(text); }), 3u);
  sweepAllocationFailures([&] { return parse(text); }, /*persistent=*/true);
}

TEST(JsonSyntax, AcceptsWhatIsValid) {
  for (std::string_view good :
       {"0", "-0", "1e-999", "[]", "{}", " [ 1 , {\"a\" : [ ] } ] ",
        "\"\\ud83d\\ude00\\/\\b\"", "9223372036854775807", "1.5E+3", "null"}) {
    EXPECT_FALSE(findJsonSyntaxError(good, 64)) << good;
    EXPECT_TRUE(succeeds(parse(good))) << good;
  }
}
