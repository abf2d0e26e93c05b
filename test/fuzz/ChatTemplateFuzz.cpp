//===- ChatTemplateFuzz.cpp - chat template text -------------------------===//
//
// Attacks the lexer, parser and interpreter of chat templates. Whatever parses
// must render within its limits or fail with a message, twice the same.
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/chat/ChatTemplate.h"
#include "test/fuzz/Fuzz.h"

using namespace quern;

static const TemplateDict &sampleVariables() {
  static const TemplateDict variables = [] {
    Result<JsonDocument> document = parseJson(R"({
      "messages": [{"role": "system", "content": "be kind"},
                   {"role": "user", "content": "h\u00e9llo"},
                   {"role": "assistant", "content": "<think>x</think>y",
                    "tool_calls": [{"function": {"name": "f",
                                    "arguments": {"a": [1, 2.5, null]}}}]},
                   {"role": "tool", "content": "42"}],
      "tools": [{"type": "function", "function": {"name": "f"}}],
      "add_generation_prompt": true, "n": 3, "s": " ab "})");
    TemplateDict dict;
    for (JsonValue member : document->root().members())
      dict.set(std::string(member.key()), TemplateValue::fromJson(member));
    return dict;
  }();
  return variables;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text = fuzz::asText(data, size);
  Result<ChatTemplate> chatTemplate = ChatTemplate::parse(text);
  if (!chatTemplate.isOk()) {
    fuzz::checkRefusal(chatTemplate.getStatus());
    return 0;
  }
  TemplateLimits limits;
  limits.maxSteps = 50'000;
  limits.maxOutputBytes = 1 << 16;
  Result<std::string> first = chatTemplate->render(sampleVariables(), limits);
  Result<std::string> again = chatTemplate->render(sampleVariables(), limits);
  FUZZ_CHECK(first.isOk() == again.isOk());
  if (first.isOk())
    FUZZ_CHECK(*first == *again && first->size() <= limits.maxOutputBytes);
  else
    FUZZ_CHECK(first.getStatus().getMessage() ==
               again.getStatus().getMessage());
  return 0;
}
