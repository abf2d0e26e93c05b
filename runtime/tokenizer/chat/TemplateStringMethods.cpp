//===- TemplateStringMethods.cpp - Python's string methods ----------------===//

#include "runtime/tokenizer/chat/TemplateStringMethods.h"

#include "runtime/tokenizer/Utf8.h"
#include "runtime/tokenizer/chat/TemplateLexer.h"

#include <algorithm>

namespace quern {

using Kind = TemplateValue::Kind;
using Arguments = std::vector<TemplateValue>;
using Value = Result<TemplateValue>;

Status templateTypeError(std::string_view what, const TemplateValue &value) {
  if (value.isUndefined())
    return invalidArgument(value.whyUndefined());
  return invalidArgument(std::string(what) + ", found a value of type " +
                         std::string(value.typeName()));
}

Status expectTemplateString(std::string_view who, const TemplateValue &value) {
  return value.isString()
             ? Status::ok()
             : templateTypeError(std::string(who) + " expects a string", value);
}

Value makeTemplateString(std::string text, TemplateBudget &budget) {
  QUERN_RETURN_IF_ERROR(budget.chargeString(text.size()));
  return TemplateValue(std::move(text));
}

Value makeTemplateString(std::string_view text, TemplateBudget &budget) {
  return makeTemplateString(std::string(text), budget);
}

/// Python's strip with the set of characters of `characters`, or white space
/// if that is none.
static Value strip(const TemplateValue &value, const Arguments &arguments,
                   bool left, bool right, TemplateBudget &budget) {
  std::string_view text = value.asString();
  if (arguments.empty() || arguments[0].is(Kind::None))
    return makeTemplateString(stripTemplateSpace(text, left, right), budget);
  QUERN_RETURN_IF_ERROR(expectTemplateString("strip", arguments[0]));
  std::u32string set;
  for (std::string_view rest = arguments[0].asString(); !rest.empty();) {
    Utf8Character c = scanUtf8(rest);
    set += static_cast<char32_t>(c.codepoint);
    rest.remove_prefix(c.length);
  }
  QUERN_RETURN_IF_ERROR(budget.charge(set.size() + text.size() / 8));
  auto inSet = [&](std::string_view character) {
    return set.find(static_cast<char32_t>(scanUtf8(character).codepoint)) !=
           set.npos;
  };
  while (left && !text.empty() && inSet(text)) {
    QUERN_RETURN_IF_ERROR(budget.charge(set.size() / 8));
    text.remove_prefix(scanUtf8(text).length);
  }
  while (right && !text.empty()) {
    size_t begin = text.size() - 1;
    while (begin != 0 && text.size() - begin < 4 &&
           (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
      --begin;
    QUERN_RETURN_IF_ERROR(budget.charge(set.size() / 8));
    if (!inSet(text.substr(begin)))
      break;
    text = text.substr(0, begin);
  }
  return makeTemplateString(text, budget);
}

Value templateStripBoth(const TemplateValue &value, const Arguments &arguments,
                        TemplateBudget &budget) {
  return strip(value, arguments, true, true, budget);
}
Value templateStripLeft(const TemplateValue &value, const Arguments &arguments,
                        TemplateBudget &budget) {
  return strip(value, arguments, true, false, budget);
}
Value templateStripRight(const TemplateValue &value, const Arguments &arguments,
                         TemplateBudget &budget) {
  return strip(value, arguments, false, true, budget);
}

Value templateSplit(const TemplateValue &value, const Arguments &arguments,
                    TemplateBudget &budget) {
  std::string_view text = value.asString();
  TemplateValue::List parts;
  int64_t cuts = INT64_MAX;
  if (arguments.size() > 1) {
    if (!arguments[1].is(Kind::Int))
      return templateTypeError("split expects an integer", arguments[1]);
    cuts = arguments[1].asInt() < 0 ? INT64_MAX : arguments[1].asInt();
  }
  QUERN_RETURN_IF_ERROR(budget.chargeString(text.size()));
  if (arguments.empty() || arguments[0].is(Kind::None)) {
    while (!(text = stripTemplateSpace(text, true, false)).empty()) {
      QUERN_RETURN_IF_ERROR(budget.charge(1));
      if (cuts-- == 0) {
        parts.emplace_back(text);
        break;
      }
      size_t end = 0;
      while (end != text.size() &&
             stripTemplateSpace(text.substr(end, 4), true, false).size() ==
                 text.substr(end, 4).size())
        end += scanUtf8(text.substr(end)).length;
      parts.emplace_back(text.substr(0, end));
      text.remove_prefix(end);
    }
    return TemplateValue(std::move(parts));
  }
  QUERN_RETURN_IF_ERROR(expectTemplateString("split", arguments[0]));
  const std::string &separator = arguments[0].asString();
  if (separator.empty())
    return invalidArgument("split expects a separator that is not empty");
  for (size_t at = 0; cuts != 0 && (at = text.find(separator)) != text.npos;
       --cuts) {
    QUERN_RETURN_IF_ERROR(budget.charge(1));
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.emplace_back(text);
  return TemplateValue(std::move(parts));
}

static Result<bool> hasAffix(const TemplateValue &value,
                             const TemplateValue &affix, bool atStart) {
  if (affix.isTuple()) {
    for (const TemplateValue &one : affix.asList()) {
      QUERN_RETURN_IF_ERROR(
          expectTemplateString("startswith or endswith", one));
      QUERN_ASSIGN_OR_RETURN(bool found, hasAffix(value, one, atStart));
      if (found)
        return true;
    }
    return false;
  }
  QUERN_RETURN_IF_ERROR(expectTemplateString("startswith or endswith", affix));
  return atStart ? value.asString().starts_with(affix.asString())
                 : value.asString().ends_with(affix.asString());
}

Value templateStartsWith(const TemplateValue &value, const Arguments &arguments,
                         TemplateBudget &) {
  QUERN_ASSIGN_OR_RETURN(bool found, hasAffix(value, arguments[0], true));
  return TemplateValue(found);
}

Value templateEndsWith(const TemplateValue &value, const Arguments &arguments,
                       TemplateBudget &) {
  QUERN_ASSIGN_OR_RETURN(bool found, hasAffix(value, arguments[0], false));
  return TemplateValue(found);
}

Value templateReplace(const TemplateValue &value, const Arguments &arguments,
                      TemplateBudget &budget) {
  QUERN_ASSIGN_OR_RETURN(std::string text, templateToString(value, budget));
  for (size_t i : {0, 1})
    QUERN_RETURN_IF_ERROR(expectTemplateString("replace", arguments[i]));
  const std::string &from = arguments[0].asString();
  const std::string &to = arguments[1].asString();
  if (from.empty())
    return unsupported("unsupported: replace of the empty string");
  std::string result;
  size_t begin = 0;
  for (size_t at; (at = text.find(from, begin)) != text.npos;
       begin = at + from.size()) {
    result.append(text, begin, at - begin).append(to);
    QUERN_RETURN_IF_ERROR(budget.charge(1 + to.size() / 8));
    if (result.size() > budget.stringBytes)
      break; // makeString reports it
  }
  return makeTemplateString(result.append(text, begin), budget);
}

} // namespace quern
