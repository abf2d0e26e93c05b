//===- TemplateBuiltins.cpp - filters, tests, methods of templates --------===//

#include "runtime/tokenizer/chat/TemplateBuiltins.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/Utf8.h"
#include "runtime/tokenizer/chat/TemplateStringMethods.h"

#include <algorithm>
#include <optional>

namespace quern {

using Kind = TemplateValue::Kind;
using Arguments = std::vector<TemplateValue>;
using Value = Result<TemplateValue>;

static Value makeList(TemplateValue::List items, TemplateBudget &budget) {
  QUERN_RETURN_IF_ERROR(budget.charge(items.size()));
  return TemplateValue(std::move(items));
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
    return templateTypeError("items expects a mapping", value);
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
  QUERN_RETURN_IF_ERROR(expectTemplateString("get", arguments[0]));
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
    return templateTypeError("length expects a string, list or mapping", value);
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
  return makeTemplateString(std::move(result), budget);
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
  return templateStripBoth(TemplateValue(std::move(text)), arguments, budget);
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
  TemplateFunction *function;
  /// Of methods: the type that has it.
  Kind owner = Kind::Undefined;
};
} // namespace

static constexpr Builtin filters[] = {
    {"count", 0, 0, length},      {"d", 0, 2, orDefault},
    {"default", 0, 2, orDefault}, {"first", 0, 0, first},
    {"items", 0, 0, items},       {"join", 0, 1, join},
    {"last", 0, 0, last},         {"length", 0, 0, length},
    {"list", 0, 0, toList},       {"replace", 2, 2, templateReplace},
    {"safe", 0, 0, toString},     {"string", 0, 0, toString},
    {"tojson", 0, 0, toJson},     {"trim", 0, 1, trim},
};

static constexpr Builtin methods[] = {
    {"endswith", 1, 1, templateEndsWith, Kind::String},
    {"lstrip", 0, 1, templateStripLeft, Kind::String},
    {"replace", 2, 2, templateReplace, Kind::String},
    {"rstrip", 0, 1, templateStripRight, Kind::String},
    {"split", 0, 2, templateSplit, Kind::String},
    {"startswith", 1, 1, templateStartsWith, Kind::String},
    {"strip", 0, 1, templateStripBoth, Kind::String},
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
