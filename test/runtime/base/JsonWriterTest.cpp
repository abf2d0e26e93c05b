//===- JsonWriterTest.cpp -------------------------------------------------===//

#include "runtime/base/Json.h"
#include "test/support/Expect.h"

#include <cmath>
#include <limits>

using namespace quern;
using namespace quern::test;

TEST(JsonWriter, Compact) {
  JsonWriter json;
  json.beginObject().key("a").beginArray().value(1).value(2.0).value(true);
  json.null().beginObject().endObject().beginArray().endArray().endArray();
  json.key("b").value("x").key("c").value(UINT64_MAX).endObject();
  EXPECT_EQ(
      json.take(),
      R"({"a":[1,2.0,true,null,{},[]],"b":"x","c":18446744073709551615})");
}

TEST(JsonWriter, Indented) {
  JsonWriter json(2);
  json.beginObject().key("a").beginArray().value(1).value(2).endArray();
  json.key("e").beginObject().endObject().endObject();
  EXPECT_EQ(json.take(), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"e\": {}\n}");
}

TEST(JsonWriter, EscapesAndRepairsStrings) {
  JsonWriter json;
  json.value("\"\\\n\x7f é \xff");
  EXPECT_EQ(json.take(), "\"\\\"\\\\\\u000a\\u007f é \uFFFD\"");
}

TEST(JsonWriter, DoublesReadBackEqual) {
  for (double x : {0.1, 1e-6, 1e300, 5e-324, -0.0, 123456789.0, 1e22,
                   std::numeric_limits<double>::max()}) {
    JsonWriter json;
    json.value(x);
    Result<JsonDocument> document = parseJson(json.getText());
    ASSERT_TRUE(succeeds(document)) << json.getText();
    EXPECT_EQ(document->root().kind(), JsonKind::Double) << json.getText();
    EXPECT_EQ(*document->root().asDouble(), x);
    EXPECT_EQ(std::signbit(*document->root().asDouble()), std::signbit(x));
  }
  JsonWriter json;
  json.beginArray().value(NAN).value(INFINITY).endArray();
  EXPECT_EQ(json.take(), "[null,null]");
}

TEST(JsonWriter, CopiesParsedValues) {
  std::string text =
      R"({"a":[1,-2,18446744073709551615,1.5,"x\u0000y",null,false],"b":{}})";
  Result<JsonDocument> document = parseJson(text);
  ASSERT_TRUE(succeeds(document));
  EXPECT_EQ(JsonWriter().value(document->root()).take(), text);
}
