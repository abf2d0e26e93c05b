//===- ChatTemplateTest.cpp - the Jinja subset ----------------------------===//
//
// Goldens: what Hugging Face's apply_chat_template made of 21 conversations.
// Small cases: what Jinja 3.1 prints with trim_blocks and lstrip_blocks.
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/chat/ChatTemplate.h"
#include "TokenizerTestUtils.h"

#include "gmock/gmock.h"

using namespace quern;
using testing::HasSubstr;

static ChatTemplate parseTemplate(const std::string &text) {
  Result<ChatTemplate> result = ChatTemplate::parse(text);
  if (!result.isOk())
    throw std::runtime_error(result.getStatus().getMessage());
  return std::move(*result);
}

//===----------------------------------------------------------------------===//
// Goldens
//===----------------------------------------------------------------------===//

static TemplateDict variablesOf(JsonValue root, JsonValue testCase) {
  TemplateDict variables;
  std::string_view name = *testCase.get("conversation")->asString();
  variables.set("messages",
                TemplateValue::fromJson(*root.get("conversations")->get(name)));
  variables.set("add_generation_prompt",
                *testCase.get("add_generation_prompt")->asBool());
  variables.set("tools", *testCase.get("tools")->asBool()
                             ? TemplateValue::fromJson(*root.get("tools"))
                             : TemplateValue());
  for (JsonValue extra : testCase.get("kwargs")->members())
    variables.set(std::string(extra.key()), TemplateValue::fromJson(extra));
  return variables;
}

TEST(ChatTemplateGoldens, AllCases) {
  JsonDocument document =
      readJsonFile(tokenizerDataDir + "chat_template_goldens.json");
  JsonValue root = document.root();
  const std::pair<std::string, const Tokenizer *> tokenizers[] = {
      {"ids_tiny_qwen3", &tinyQwen3()}, {"ids_tiny_qwen3_5", &tinyQwen35()}};
  size_t rendered = 0, refused = 0;
  for (JsonValue testCase : root.get("cases")->elements()) {
    SCOPED_TRACE(testCase.path());
    std::string name(*testCase.get("template")->asString());
    ChatTemplate chatTemplate =
        parseTemplate(readFileText(tokenizerDataDir + name + "_style.jinja"));
    Result<std::string> text = chatTemplate.render(variablesOf(root, testCase));
    if (std::optional<JsonValue> error = testCase.find("error")) {
      ++refused;
      ASSERT_FALSE(text.isOk());
      EXPECT_EQ(text.getStatus().getCode(), StatusCode::InvalidArgument);
      EXPECT_THAT(text.getStatus().getMessage(),
                  testing::EndsWith(": " + std::string(*error->asString())));
      continue;
    }
    ++rendered;
    ASSERT_TRUE(text.isOk()) << text.getStatus().getMessage();
    EXPECT_EQ(*text, *testCase.get("rendered")->asString());
    for (const auto &[key, tokenizer] : tokenizers)
      if (std::optional<JsonValue> ids = testCase.find(key)) {
        std::vector<TokenId> expected;
        for (JsonValue id : ids->elements())
          expected.push_back(static_cast<TokenId>(*id.asInt64()));
        EXPECT_EQ(encodeAll(*tokenizer, *text), expected);
      }
  }
  EXPECT_EQ(rendered + refused, 312u);
  EXPECT_GT(refused, 0u);
}

TEST(ChatTemplate, IsFoundInTokenizerConfig) {
  auto find = [](const char *json) {
    Result<JsonDocument> document = parseJson(json);
    Result<std::string_view> text =
        ChatTemplate::findInConfig(document->root());
    return text.isOk() ? std::string(*text) : text.getStatus().getMessage();
  };
  EXPECT_EQ(find(R"({"chat_template":"x"})"), "x");
  EXPECT_EQ(find(R"({"chat_template":[{"name":"tool_use","template":"a"},
                     {"name":"default","template":"b"}]})"),
            "b");
  EXPECT_EQ(find("{}"), "$: no member 'chat_template'");
  EXPECT_THAT(find(R"({"chat_template":[]})"), HasSubstr("'default'"));
  EXPECT_THAT(find(R"({"chat_template":1})"), HasSubstr("expected a string"));
}

//===----------------------------------------------------------------------===//
// Small cases
//===----------------------------------------------------------------------===//

static TemplateDict sampleVariables() {
  Result<JsonDocument> document = parseJson(R"({
    "s": "héllo wörld", "n": 3, "f": 1.5, "t": true, "none": null,
    "list": [1, "two", 3.0, null], "words": ["a", "b", "c"],
    "dict": {"b": 1, "a": "x", "items": 5, "nested": {"k": [1, {"z": "'q'"}]}},
    "messages": [{"role": "user", "content": "hi"},
                 {"role": "assistant", "content": "yo"}]})");
  TemplateDict variables;
  for (JsonValue member : document->root().members())
    variables.set(std::string(member.key()), TemplateValue::fromJson(member));
  return variables;
}

static std::string render(const std::string &text) {
  Result<ChatTemplate> chatTemplate = ChatTemplate::parse(text);
  if (!chatTemplate.isOk())
    return "error: " + chatTemplate.getStatus().getMessage();
  Result<std::string> result = chatTemplate->render(sampleVariables());
  return result.isOk() ? *result : "error: " + result.getStatus().getMessage();
}

// The expectations were printed by Jinja 3.1.6.
TEST(ChatTemplate, EqualsJinjaOnSmallCases) {
  JsonDocument document = readJsonFile(tokenizerDataDir + "jinja_cases.json");
  size_t count = 0;
  for (JsonValue testCase : document.root().elements()) {
    std::string text(*testCase.at(0).asString());
    EXPECT_EQ(render(text), *testCase.at(1).asString()) << text;
    ++count;
  }
  EXPECT_GT(count, 100u);
}

//===----------------------------------------------------------------------===//
// Errors and limits (37)
//===----------------------------------------------------------------------===//

TEST(ChatTemplate, BadInput37TooLargeOrMalformed) {
  EXPECT_THAT(render(std::string(65537, 'x')),
              HasSubstr("65537 bytes, expected at most 65536"));
  EXPECT_THAT(render("\xFF"), HasSubstr("not valid UTF-8"));
  const std::pair<const char *, const char *> cases[] = {
      {"a\n{{ x", "line 2: an output tag without its end"},
      {"{% if x", "line 1: a block tag without its end"},
      {"{# x", "line 1: a comment without its end"},
      {"{{ 'x }}", "line 1: a string without its end"},
      {"{{ ( }}", "line 1: unexpected '}'"},
      {"{{ ) }}", "line 1: unexpected ')'"},
      {"{{ }}", "line 1: expected an expression, found '}}'"},
      {"{{ a b }}", "line 1: expected '}}', found 'b'"},
      {"{% if x %}", "expected {% endif %}, found the end of the template"},
      {"{% for x in y %}", "expected {% endfor %}"},
      {"{% for in y %}{% endfor %}", "expected 'in'"},
      {"{% endif %}", "the tag 'endif'"},
      {"{% break %}", "'break' outside of a loop"},
      {"{{ '\\xZZ' }}", "hexadecimal digits"},
      {"{{ a[] }}", "expected an index"},
      {"{% macro m(a, a) %}{% endmacro %}", "parameter 'a' is repeated"},
      {"{{ ? }}", "unexpected character '?'"},
  };
  for (const auto &[text, message] : cases) {
    Result<ChatTemplate> result = ChatTemplate::parse(text);
    ASSERT_FALSE(result.isOk()) << text;
    EXPECT_THAT(result.getStatus().getMessage(), HasSubstr(message)) << text;
  }
}

TEST(ChatTemplate, BadInput37UnsupportedConstructsAreNamed) {
  const std::pair<const char *, const char *> cases[] = {
      {"\n{% include 'x' %}", "line 2: unsupported: the tag 'include'"},
      {"{% raw %}x{% endraw %}", "the tag 'raw'"},
      {"{% generation %}x{% endgeneration %}", "the tag 'generation'"},
      {"{{ x | selectattr('a') }}", "the filter 'selectattr'"},
      {"{{ x is divisibleby(3) }}", "the test 'divisibleby'"},
      {"{{ x.format(1) }}", "the method 'format'"},
      {"{{ 2 ** 3 }}", "the operator **"},
      {"{% for a in b recursive %}{% endfor %}", "a recursive loop"},
      {"{% for a in b %}{% macro m() %}{% endmacro %}{% endfor %}",
       "a macro inside"},
      {"{{ f(*args) }}", "arguments with *"},
      {"{{ range(3) }}", "the function 'range'"},
      {"{{ n | tojson(indent=2) }}", "the keyword argument 'indent'"},
      {"{{ dict.items }}", "the method 'items' without a call"},
      {"{{ '%s' % n }}", "formatting with %"},
      {"{{ {1: 2} }}", "a dictionary key that is no string"},
      {"{{ [namespace()] }}", "storing a value of type Namespace"},
      {"{{ 99999999999999999999 }}", "the number '99999999999999999999'"},
      {"{{ '\\N{DASH}' }}", "the string escape \\N"},
      {"{% for m in messages %}{{ loop.depth }}{% endfor %}",
       "the loop variable 'depth'"},
  };
  for (const auto &[text, message] : cases) {
    Result<ChatTemplate> result = ChatTemplate::parse(text);
    Status status = result.isOk()
                        ? result->render(sampleVariables()).getStatus()
                        : result.getStatus();
    EXPECT_EQ(status.getCode(), StatusCode::Unsupported)
        << text << ": " << status.getMessage();
    EXPECT_THAT(status.getMessage(), HasSubstr(message)) << text;
  }
}

TEST(ChatTemplate, BadInput37UndefinedAndWrongTypes) {
  const std::pair<const char *, const char *> cases[] = {
      {"\n\n{{ x.y }}", "line 3: 'x' is undefined"},
      {"{{ x() }}", "'x' is undefined"},
      {"{{ x + 1 }}", "'x' is undefined"},
      {"{{ x < 1 }}", "'x' is undefined"},
      {"{{ x[0] }}", "'x' is undefined"},
      {"{{ x.strip() }}", "'x' is undefined"},
      {"{{ dict.q.z }}", "'dict object' has no attribute 'q'"},
      {"{{ words[7].z }}", "list object has no element 7"},
      {"{{ x | tojson }}", "'x' is undefined"},
      {"{{ s + n }}", "does not take values of type str and int"},
      {"{{ s < n }}", "does not take values of type str and int"},
      {"{{ 1 in n }}", "does not take values of type int and int"},
      {"{% for a in n %}{% endfor %}", "a value of type int is not iterable"},
      {"{% for a, b in words %}{% endfor %}", "expected 2 values to unpack"},
      {"{{ n // 0 }}", "division by zero"},
      {"{{ s.split('') }}", "a separator that is not empty"},
      {"{{ n.strip() }}", "a value of type int has no method 'strip'"},
      {"{% set s.x = 1 %}", "which is not a namespace"},
      {"{{ words[::0] }}", "slice step cannot be zero"},
      {"{{ none | length }}", "found a value of type NoneType"},
      {"{{ raise_exception('No, ' ~ n) }}", "line 1: No, 3"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
       "macro 'm' takes not more than 1 argument(s)"},
      {"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "keyword argument 'b'"},
      {"{% macro m(a) %}{% endmacro %}{{ m(2, a=2) }}", "two values"},
  };
  for (const auto &[text, message] : cases) {
    Result<std::string> result = parseTemplate(text).render(sampleVariables());
    ASSERT_FALSE(result.isOk()) << text << ": " << *result;
    EXPECT_EQ(result.getStatus().getCode(), StatusCode::InvalidArgument)
        << text << result.getStatus().getMessage();
    EXPECT_THAT(result.getStatus().getMessage(), HasSubstr(message)) << text;
  }
}

static std::string repeatText(const std::string &unit, size_t count) {
  std::string text;
  for (size_t i = 0; i != count; ++i)
    text += unit;
  return text;
}

// Each of these would run or grow for ever, or overflow the stack.
TEST(ChatTemplate, BadInput37EveryKindOfExcessIsStopped) {
  const std::string doubling = "{% set ns = namespace(v='ab') %}"
                               "{% for a in s %}{% for b in s %}";
  const std::string ends = "{% endfor %}{% endfor %}";
  const std::string cases[] = {
      // steps: 11^9 iterations
      repeatText("{% for a in s %}", 9) + "x" + repeatText("{% endfor %}", 9),
      // the output, a string, a list, a nested value
      doubling + "{% set ns.v = ns.v ~ ns.v %}" + ends,
      doubling + "{% set ns.v = ns.v + ns.v %}{{ ns.v }}" + ends,
      doubling + "{% set ns.v = ns.v.replace('a', ns.v) %}" + ends,
      doubling + "{% set ns.v = [ns.v, ns.v] %}" + ends + "{{ ns.v }}",
      doubling + "{% set ns.v = [ns.v, ns.v] %}" + ends + "{{ ns.v == ns.v }}",
      doubling + "{% set ns.v = [ns.v ~ '', ns.v] | join(s) %}" + ends,
      "{% set x = 'x' * 99999999 %}",
      "{% set x = 'x' * 9223372036854775807 %}",
      // recursion of macros, of the parser, of long chains
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      ("{% macro a() %}{{ b() }}{% endmacro %}"
       "{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"),
      "{{ " + repeatText("(", 5000) + "1" + repeatText(")", 5000) + " }}",
      "{{ " + repeatText("[", 5000) + repeatText("]", 5000) + " }}",
      "{{ " + repeatText("not ", 9000) + "1 }}",
      "{{ " + repeatText("-", 9000) + "1 }}",
      "{{ 1" + repeatText(" + 1", 9000) + " }}",
      "{{ x" + repeatText(".y", 9000) + " }}",
      "{{ x" + repeatText("|trim", 9000) + " }}",
      "{{ " + repeatText("1 if 1 else ", 4000) + "1 }}",
      repeatText("{% if 1 %}", 3000) + repeatText("{% endif %}", 3000),
  };
  for (const std::string &text : cases) {
    Result<ChatTemplate> result = ChatTemplate::parse(text);
    Status status = result.isOk()
                        ? result->render(sampleVariables()).getStatus()
                        : result.getStatus();
    EXPECT_TRUE(status.getCode() == StatusCode::ResourceExhausted ||
                status.getCode() == StatusCode::Unsupported)
        << text.substr(0, 120) << ": " << status.getMessage();
  }
}

TEST(ChatTemplate, BadInput37LimitsAreTheCallers) {
  ChatTemplate chatTemplate =
      parseTemplate("{% for m in messages %}{{ s }}{% endfor %}");
  TemplateDict variables = sampleVariables();
  TemplateLimits limits;
  limits.maxOutputBytes = 26;
  EXPECT_TRUE(chatTemplate.render(variables, limits).isOk());
  limits.maxOutputBytes = 25;
  EXPECT_EQ(chatTemplate.render(variables, limits).getStatus().getCode(),
            StatusCode::ResourceExhausted);
  limits = TemplateLimits();
  limits.maxSteps = 5;
  EXPECT_EQ(chatTemplate.render(variables, limits).getStatus().getCode(),
            StatusCode::ResourceExhausted);
}
