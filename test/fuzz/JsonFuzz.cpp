//===- JsonFuzz.cpp - The JSON reader -------------------------------------===//
//
// Attacks parseJson, the syntax scanner that explains its errors, and the
// writer. Accepted means: printing and parsing again gives the same document,
// and the scanner accepts as well. Refused means: the scanner finds a place, or
// a key repeats.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Json.h"
#include "runtime/base/JsonSyntax.h"
#include "test/fuzz/Fuzz.h"

using namespace quern;

static void checkAccepted(const JsonDocument &document) {
  std::string printed = JsonWriter().value(document.root()).take();
  Result<JsonDocument> again = parseJson(printed);
  FUZZ_CHECK(again.isOk());
  FUZZ_CHECK(JsonWriter().value(again->root()).take() == printed);
  // The indented form is the same document.
  Result<JsonDocument> indented =
      parseJson(JsonWriter(2).value(document.root()).take());
  FUZZ_CHECK(indented.isOk());
  FUZZ_CHECK(JsonWriter().value(indented->root()).take() == printed);
}

/// Every member is found by its key, at every level.
static void checkLookup(const JsonValue &value) {
  for (JsonValue member : value.members()) {
    std::optional<JsonValue> found = value.find(member.key());
    FUZZ_CHECK(found && found->path() == member.path());
    checkLookup(member);
  }
  for (JsonValue element : value.elements())
    checkLookup(element);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text = fuzz::asText(data, size);
  if (size > 0xFFFF)
    return 0;
  JsonLimits limits;
  Result<JsonDocument> document = parseJson(text, limits);
  std::optional<JsonSyntaxError> error =
      findJsonSyntaxError(text, limits.maxDepth);
  if (document.isOk()) {
    FUZZ_CHECK(!error);
    checkAccepted(*document);
    checkLookup(document->root());
    return 0;
  }
  fuzz::checkRefusal(document.getStatus());
  FUZZ_CHECK(error ||
             document.getStatus().getMessage().ends_with(": duplicate key"));
  if (error)
    FUZZ_CHECK(error->offset <= size);
  return 0;
}
