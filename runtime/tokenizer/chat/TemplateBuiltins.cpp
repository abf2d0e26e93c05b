//===- TemplateBuiltins.cpp - filters, tests, methods of templates --------===//

#include "runtime/tokenizer/chat/TemplateBuiltins.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/Utf8.h"
#include "runtime/tokenizer/chat/TemplateLexer.h"

#include <algorithm>
#include <optional>

namespace quern {

using Kind = TemplateValue::Kind;
using Arguments = std::vector<TemplateValue>;
using Value = Result<TemplateValue>;

static Status typeError(std::string_view what, const TemplateValue &value) {
  if (value.isUndefined())
    return invalidArgument(value.whyUndefined());
  return invalidArgument(std::string(what) + ", found a value of type " +
                         std::string(value.typeName()));
}

static Status expectString(std::string_view who, const TemplateValue &value) {
  return value.isString()
             ? Status::ok()
             : typeError(std::string(who) + " expects a string", value);
}

static Value makeString(std::string text, TemplateBudget &budget) {
  QUERN_RETURN_IF_ERROR(budget.chargeString(text.size()));
  return TemplateValue(std::move(text));
}

static Value makeString(std::string_view text, TemplateBudget &budget) {
  return makeString(std::string(text), budget);
}

static Value makeList(TemplateValue::List items, TemplateBudget &budget) {
  QUERN_RETURN_IF_ERROR(budget.charge(items.size()));
  return TemplateValue(std::move(items));
}

//===----------------------------------------------------------------------===//
// Strings
//===----------------------------------------------------------------------===//

/// Python's strip with the set of characters of `characters`, or white space
/// if that is none.
static Value strip(const TemplateValue &value, const Arguments &arguments,
                   bool left, bool right, TemplateBudget &budget) {
  std::string_view text = value.asString();
  if (arguments.empty() || arguments[0].is(Kind::None))
    return makeString(stripTemplateSpace(text, left, right), budget);
  QUERN_RETURN_IF_ERROR(expectString("strip", arguments[0]));
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
  return makeString(text, budget);
}

static Value stripBoth(const TemplateValue &value, const Arguments &arguments,
                       TemplateBudget &budget) {
  return strip(value, arguments, true, true, budget);
}
static Value stripLeft(const TemplateValue &value, const Arguments &arguments,
                       TemplateBudget &budget) {
  return strip(value, arguments, true, false, budget);
}
static Value stripRight(const TemplateValue &value, const Arguments &arguments,
                        TemplateBudget &budget) {
  return strip(value, arguments, false, true, budget);
}

static Value split(const TemplateValue &value, const Arguments &arguments,
                   TemplateBudget &budget) {
  std::string_view text = value.asString();
  TemplateValue::List parts;
  int64_t cuts = INT64_MAX;
  if (arguments.size() > 1) {
    if (!arguments[1].is(Kind::Int))
      return typeError("split expects an integer", arguments[1]);
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
  QUERN_RETURN_IF_ERROR(expectString("split", arguments[0]));
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
      QUERN_RETURN_IF_ERROR(expectString("startswith or endswith", one));
      QUERN_ASSIGN_OR_RETURN(bool found, hasAffix(value, one, atStart));
      if (found)
        return true;
    }
    return false;
  }
  QUERN_RETURN_IF_ERROR(expectString("startswith or endswith", affix));
  return atStart ? value.asString().starts_with(affix.asString())
                 : value.asString().ends_with(affix.asString());
}

static Value startsWith(const TemplateValue &value, const Arguments &arguments,
                        TemplateBudget &) {
  QUERN_ASSIGN_OR_RETURN(bool found, hasAffix(value, arguments[0], true));
  return TemplateValue(found);
}

static Value endsWith(const TemplateValue &value, const Arguments &arguments,
                      TemplateBudget &) {
  QUERN_ASSIGN_OR_RETURN(bool found, hasAffix(value, arguments[0], false));
  return TemplateValue(found);
}

static Value replace(const TemplateValue &value, const Arguments &arguments,
                     TemplateBudget &budget) {
  QUERN_ASSIGN_OR_RETURN(std::string text, templateToString(value, budget));
  for (size_t i : {0, 1})
    QUERN_RETURN_IF_ERROR(expectString("replace", arguments[i]));
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
  return makeString(result.append(text, begin), budget);
}

//===----------------------------------------------------------------------===//
// Dictionaries and lists
//===----------------------------------------------------------------------===//

static Value items(const TemplateValue &value, const Arguments &,
                   TemplateBudget &budget) {
  TemplateValue::List pairs;
  if (value.isUndefined())
    return TemplateValue(std::move(pairs));
  if (!value.isDict())
    return typeError("items expects a mapping", value);
  QUERN_RETURN_IF_ERROR(budget.charge(2 * value.asDict().size()));
  for (const auto &[key, member] : value.asDict().getEntries())
    pairs.emplace_back(TemplateValue::List{TemplateValue(key), member},
                       /*isTuple=*/true);
  return TemplateValue(std::move(pairs));
}

static Value keys(const TemplateValue &value, const Arguments &,
                  TemplateBudget &budget) {
  TemplateValue::List list;
  for (const auto &entry : value.asDict().getEntries())
    list.emplace_back(entry.first);
  return makeList(std::move(list), budget);
}

static Value values(const TemplateValue &value, const Arguments &,
                    TemplateBudget &budget) {
  TemplateValue::List list;
  for (const auto &entry : value.asDict().getEntries())
    list.push_back(entry.second);
  return makeList(std::move(list), budget);
}

static Value get(const TemplateValue &value, const Arguments &arguments,
                 TemplateBudget &budget) {
  QUERN_RETURN_IF_ERROR(expectString("get", arguments[0]));
  QUERN_RETURN_IF_ERROR(budget.charge(1 + value.asDict().size() / 8));
  if (const TemplateValue *found = value.asDict().find(arguments[0].asString()))
    return *found;
  return arguments.size() > 1 ? arguments[1] : TemplateValue(nullptr);
}

static Value length(const TemplateValue &value, const Arguments &,
                    TemplateBudget &budget) {
  switch (value.kind()) {
  case Kind::Undefined:
    return TemplateValue(0);
  case Kind::String:
    QUERN_RETURN_IF_ERROR(budget.charge(value.asString().size() / 8));
    return TemplateValue(static_cast<int64_t>(countUtf8(value.asString())));
  case Kind::List:
    return TemplateValue(static_cast<int64_t>(value.asList().size()));
  case Kind::Dict:
    return TemplateValue(static_cast<int64_t>(value.asDict().size()));
  default:
    return typeError("length expects a string, list or mapping", value);
  }
}

static Value join(const TemplateValue &value, const Arguments &arguments,
                  TemplateBudget &budget) {
  std::string separator;
  if (!arguments.empty()) {
    QUERN_ASSIGN_OR_RETURN(separator, templateToString(arguments[0], budget));
  }
  QUERN_ASSIGN_OR_RETURN(TemplateValue::List list,
                         iterateTemplateValue(value, budget));
  std::string result;
  for (size_t i = 0; i != list.size(); ++i) {
    QUERN_ASSIGN_OR_RETURN(std::string text, templateToString(list[i], budget));
    result.append(i == 0 ? "" : separator).append(text);
    QUERN_RETURN_IF_ERROR(budget.charge(1 + separator.size() / 8));
    if (result.size() > budget.stringBytes)
      break; // makeString reports it
  }
  return makeString(std::move(result), budget);
}

static Value firstOrLast(const TemplateValue &value, bool last,
                         TemplateBudget &budget) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue::List list,
                         iterateTemplateValue(value, budget));
  if (list.empty())
    return TemplateValue::undefined(last ? "no last item, sequence was empty"
                                         : "no first item, sequence was empty");
  return last ? list.back() : list.front();
}

static Value first(const TemplateValue &value, const Arguments &,
                   TemplateBudget &budget) {
  return firstOrLast(value, false, budget);
}

static Value last(const TemplateValue &value, const Arguments &,
                  TemplateBudget &budget) {
  return firstOrLast(value, true, budget);
}

static Value toList(const TemplateValue &value, const Arguments &,
                    TemplateBudget &budget) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue::List list,
                         iterateTemplateValue(value, budget));
  return TemplateValue(std::move(list));
}

//===----------------------------------------------------------------------===//
// Any value
//===----------------------------------------------------------------------===//

static Value toJson(const TemplateValue &value, const Arguments &,
                    TemplateBudget &budget) {
  QUERN_ASSIGN_OR_RETURN(std::string text, templateToJson(value, budget));
  return TemplateValue(std::move(text));
}

/// `string`, and `safe`: nothing is escaped, so nothing needs to be safe.
static Value toString(const TemplateValue &value, const Arguments &,
                      TemplateBudget &budget) {
  QUERN_ASSIGN_OR_RETURN(std::string text, templateToString(value, budget));
  return TemplateValue(std::move(text));
}

static Value trim(const TemplateValue &value, const Arguments &arguments,
                  TemplateBudget &budget) {
  QUERN_ASSIGN_OR_RETURN(std::string text, templateToString(value, budget));
  return strip(TemplateValue(std::move(text)), arguments, true, true, budget);
}

static Value orDefault(const TemplateValue &value, const Arguments &arguments,
                       TemplateBudget &) {
  bool alsoFalse = arguments.size() > 1 && arguments[1].isTrue();
  if (!value.isUndefined() && (!alsoFalse || value.isTrue()))
    return value;
  return arguments.empty() ? TemplateValue("") : arguments[0];
}

//===----------------------------------------------------------------------===//
// The list
//===----------------------------------------------------------------------===//

namespace {
struct Builtin {
  std::string_view name;
  size_t minArguments, maxArguments;
  Value (*function)(const TemplateValue &, const Arguments &, TemplateBudget &);
  /// Of methods: the type that has it.
  Kind owner = Kind::Undefined;
};
} // namespace

static constexpr Builtin filters[] = {
    {"count", 0, 0, length},      {"d", 0, 2, orDefault},
    {"default", 0, 2, orDefault}, {"first", 0, 0, first},
    {"items", 0, 0, items},       {"join", 0, 1, join},
    {"last", 0, 0, last},         {"length", 0, 0, length},
    {"list", 0, 0, toList},       {"replace", 2, 2, replace},
    {"safe", 0, 0, toString},     {"string", 0, 0, toString},
    {"tojson", 0, 0, toJson},     {"trim", 0, 1, trim},
};

static constexpr Builtin methods[] = {
    {"endswith", 1, 1, endsWith, Kind::String},
    {"lstrip", 0, 1, stripLeft, Kind::String},
    {"replace", 2, 2, replace, Kind::String},
    {"rstrip", 0, 1, stripRight, Kind::String},
    {"split", 0, 2, split, Kind::String},
    {"startswith", 1, 1, startsWith, Kind::String},
    {"strip", 0, 1, stripBoth, Kind::String},
    {"get", 1, 2, get, Kind::Dict},
    {"items", 0, 0, items, Kind::Dict},
    {"keys", 0, 0, keys, Kind::Dict},
    {"values", 0, 0, values, Kind::Dict},
};

using TestFunction = bool (*)(const TemplateValue &);
static constexpr std::pair<std::string_view, TestFunction> tests[] = {
    {"boolean", [](const TemplateValue &v) { return v.is(Kind::Bool); }},
    {"defined", [](const TemplateValue &v) { return !v.isUndefined(); }},
    {"false",
     [](const TemplateValue &v) { return v.is(Kind::Bool) && !v.asBool(); }},
    {"float", [](const TemplateValue &v) { return v.is(Kind::Float); }},
    {"integer", [](const TemplateValue &v) { return v.is(Kind::Int); }},
    {"iterable",
     [](const TemplateValue &v) {
       return v.isString() || v.isList() || v.isDict() || v.isUndefined();
     }},
    {"mapping", [](const TemplateValue &v) { return v.isDict(); }},
    {"none", [](const TemplateValue &v) { return v.is(Kind::None); }},
    {"number", [](const TemplateValue &v) { return v.isNumber(); }},
    {"sequence",
     [](const TemplateValue &v) {
       return v.isString() || v.isList() || v.isDict() || v.isUndefined();
     }},
    {"string", [](const TemplateValue &v) { return v.isString(); }},
    {"true",
     [](const TemplateValue &v) { return v.is(Kind::Bool) && v.asBool(); }},
    {"undefined", [](const TemplateValue &v) { return v.isUndefined(); }},
};

template <size_t N>
static const Builtin *findBuiltin(const Builtin (&list)[N],
                                  std::string_view name,
                                  Kind owner = Kind::Undefined) {
  for (const Builtin &builtin : list)
    if (builtin.name == name &&
        (owner == Kind::Undefined || builtin.owner == owner))
      return &builtin;
  return nullptr;
}

bool isTemplateFilter(std::string_view name) {
  return findBuiltin(filters, name);
}

bool isTemplateMethod(std::string_view name) {
  return findBuiltin(methods, name);
}

bool hasTemplateMethod(const TemplateValue &value, std::string_view name) {
  return (value.isString() || value.isDict()) &&
         findBuiltin(methods, name, value.kind());
}

bool isTemplateTest(std::string_view name) {
  return std::any_of(std::begin(tests), std::end(tests),
                     [&](const auto &test) { return test.first == name; });
}

static Value call(const Builtin &builtin, const TemplateValue &value,
                  const Arguments &arguments, TemplateBudget &budget) {
  if (arguments.size() < builtin.minArguments)
    return invalidArgument(quoteName(builtin.name) + " expects at least " +
                           std::to_string(builtin.minArguments) +
                           " arguments, found " +
                           std::to_string(arguments.size()));
  if (arguments.size() > builtin.maxArguments)
    return unsupported("unsupported: " + quoteName(builtin.name) + " with " +
                       std::to_string(arguments.size()) + " arguments");
  return builtin.function(value, arguments, budget);
}

Value applyTemplateFilter(std::string_view name, const TemplateValue &value,
                          const Arguments &arguments, TemplateBudget &budget) {
  if (const Builtin *filter = findBuiltin(filters, name))
    return call(*filter, value, arguments, budget);
  return unsupported("unsupported: the filter " + quoteName(name));
}

Value callTemplateMethod(std::string_view name, const TemplateValue &value,
                         const Arguments &arguments, TemplateBudget &budget) {
  if (value.isUndefined())
    return invalidArgument(value.whyUndefined());
  if (const Builtin *method = findBuiltin(methods, name, value.kind()))
    return call(*method, value, arguments, budget);
  return invalidArgument("a value of type " + std::string(value.typeName()) +
                         " has no method " + quoteName(name));
}

bool applyTemplateTest(std::string_view name, const TemplateValue &value) {
  for (const auto &[testName, function] : tests)
    if (testName == name)
      return function(value);
  return false; // the parser knows the names
}

} // namespace quern
