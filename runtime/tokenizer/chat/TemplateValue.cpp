//===- TemplateValue.cpp - values of chat templates -----------------------===//

#include "runtime/tokenizer/chat/TemplateValue.h"

#include <algorithm>

namespace quern {

//===----------------------------------------------------------------------===//
// TemplateDict
//===----------------------------------------------------------------------===//

const TemplateValue *TemplateDict::find(std::string_view key) const {
  for (const Entry &entry : entries)
    if (entry.first == key)
      return &entry.second;
  return nullptr;
}

void TemplateDict::set(std::string key, TemplateValue value) {
  for (Entry &entry : entries)
    if (entry.first == key) {
      entry.second = std::move(value);
      return;
    }
  append(std::move(key), std::move(value));
}

void TemplateDict::append(std::string key, TemplateValue value) {
  entries.emplace_back(std::move(key), std::move(value));
}

//===----------------------------------------------------------------------===//
// TemplateValue
//===----------------------------------------------------------------------===//

TemplateValue::TemplateValue(List items, bool isTuple) {
  unsigned depth = 0;
  for (const TemplateValue &item : items)
    depth = std::max(depth, item.getDepth());
  data = std::make_shared<const ListData>(
      ListData{std::move(items), depth + 1, isTuple});
}

TemplateValue::TemplateValue(TemplateDict dict) {
  unsigned depth = 0;
  for (const auto &entry : dict.getEntries())
    depth = std::max(depth, entry.second.getDepth());
  data = std::make_shared<const DictData>(DictData{std::move(dict), depth + 1});
}

TemplateValue TemplateValue::undefined(std::string why) {
  TemplateValue value;
  value.data = Undefined{std::make_shared<const std::string>(std::move(why))};
  return value;
}

TemplateValue TemplateValue::newNamespace() {
  TemplateValue value;
  value.data = std::make_shared<TemplateDict>();
  return value;
}

TemplateValue TemplateValue::loop(std::shared_ptr<TemplateLoop> state) {
  TemplateValue value;
  value.data = std::move(state);
  return value;
}

TemplateValue TemplateValue::macro(const TemplateMacro *macro) {
  TemplateValue value;
  value.data = macro;
  return value;
}

TemplateValue TemplateValue::fromJson(const JsonValue &json) {
  switch (json.kind()) {
  case JsonKind::Null:
    return nullptr;
  case JsonKind::Bool:
    return *json.asBool();
  case JsonKind::Integer:
    if (Result<int64_t> integer = json.asInt64(); integer.isOk())
      return *integer;
    [[fallthrough]];
  case JsonKind::Double:
    return *json.asDouble();
  case JsonKind::String:
    return *json.asString();
  case JsonKind::Array: {
    List items;
    items.reserve(json.size());
    for (JsonValue element : json.elements())
      items.push_back(fromJson(element));
    return items;
  }
  case JsonKind::Object: {
    TemplateDict dict;
    for (JsonValue member : json.members())
      dict.append(std::string(member.key()), fromJson(member));
    return dict;
  }
  }
  return nullptr;
}

int64_t TemplateValue::asInt() const {
  return is(Kind::Bool) ? int64_t(asBool()) : std::get<int64_t>(data);
}

double TemplateValue::asFloat() const {
  return is(Kind::Float) ? std::get<double>(data)
                         : static_cast<double>(asInt());
}

const std::string &TemplateValue::asString() const {
  return *std::get<std::shared_ptr<const std::string>>(data);
}

const TemplateValue::List &TemplateValue::asList() const {
  return std::get<std::shared_ptr<const ListData>>(data)->items;
}

bool TemplateValue::isTuple() const {
  return isList() && std::get<std::shared_ptr<const ListData>>(data)->isTuple;
}

const TemplateDict &TemplateValue::asDict() const {
  return std::get<std::shared_ptr<const DictData>>(data)->dict;
}

TemplateDict &TemplateValue::asNamespace() const {
  return *std::get<std::shared_ptr<TemplateDict>>(data);
}

const TemplateLoop &TemplateValue::asLoop() const {
  return *std::get<std::shared_ptr<TemplateLoop>>(data);
}

const TemplateMacro &TemplateValue::asMacro() const {
  return *std::get<const TemplateMacro *>(data);
}

const std::string &TemplateValue::whyUndefined() const {
  return *std::get<Undefined>(data).why;
}

unsigned TemplateValue::getDepth() const {
  if (isList())
    return std::get<std::shared_ptr<const ListData>>(data)->depth;
  return isDict() ? std::get<std::shared_ptr<const DictData>>(data)->depth : 0;
}

bool TemplateValue::isTrue() const {
  switch (kind()) {
  case Kind::Undefined:
  case Kind::None:
    return false;
  case Kind::Bool:
  case Kind::Int:
    return asInt() != 0;
  case Kind::Float:
    return asFloat() != 0;
  case Kind::String:
    return !asString().empty();
  case Kind::List:
    return !asList().empty();
  case Kind::Dict:
    return asDict().size() != 0;
  case Kind::Namespace:
  case Kind::Loop:
  case Kind::Macro:
    return true;
  }
  return false;
}

std::string_view TemplateValue::typeName() const {
  static constexpr std::string_view names[] = {
      "Undefined", "NoneType", "bool",      "int",         "float", "str",
      "list",      "dict",     "Namespace", "LoopContext", "Macro"};
  return isTuple() ? "tuple" : names[data.index()];
}

//===----------------------------------------------------------------------===//
// Budget and equality
//===----------------------------------------------------------------------===//

Status TemplateBudget::charge(uint64_t count) {
  if (count > steps) {
    steps = 0;
    return resourceExhausted("the template takes more steps than allowed");
  }
  steps -= count;
  return Status::ok();
}

Status TemplateBudget::chargeString(uint64_t bytes) {
  if (bytes > stringBytes)
    return resourceExhausted("the template makes more than " +
                             std::to_string(stringBytes) + " bytes of text");
  return charge(1 + bytes / 8);
}

static Result<bool> equalDicts(const TemplateDict &a, const TemplateDict &b,
                               TemplateBudget &budget) {
  if (a.size() != b.size())
    return false;
  for (const auto &[key, value] : a.getEntries()) {
    QUERN_RETURN_IF_ERROR(budget.charge(1 + b.size()));
    const TemplateValue *other = b.find(key);
    if (!other)
      return false;
    QUERN_ASSIGN_OR_RETURN(bool equal, templateEquals(value, *other, budget));
    if (!equal)
      return false;
  }
  return true;
}

static Result<bool> equalLists(const TemplateValue &a, const TemplateValue &b,
                               TemplateBudget &budget) {
  const TemplateValue::List &x = a.asList(), &y = b.asList();
  if (x.size() != y.size() || a.isTuple() != b.isTuple())
    return false;
  for (size_t i = 0; i != x.size(); ++i) {
    QUERN_ASSIGN_OR_RETURN(bool equal, templateEquals(x[i], y[i], budget));
    if (!equal)
      return false;
  }
  return true;
}

Result<bool> templateEquals(const TemplateValue &a, const TemplateValue &b,
                            TemplateBudget &budget) {
  using Kind = TemplateValue::Kind;
  QUERN_RETURN_IF_ERROR(budget.charge(1));
  if (a.isNumber() && b.isNumber()) {
    if (a.is(Kind::Float) || b.is(Kind::Float))
      return a.asFloat() == b.asFloat();
    return a.asInt() == b.asInt();
  }
  if (a.kind() != b.kind())
    return false;
  switch (a.kind()) {
  case Kind::String:
    QUERN_RETURN_IF_ERROR(budget.charge(a.asString().size() / 8));
    return a.asString() == b.asString();
  case Kind::List:
    return equalLists(a, b, budget);
  case Kind::Dict:
    return equalDicts(a.asDict(), b.asDict(), budget);
  case Kind::Namespace:
    return &a.asNamespace() == &b.asNamespace();
  case Kind::Loop:
    return &a.asLoop() == &b.asLoop();
  case Kind::Macro:
    return &a.asMacro() == &b.asMacro();
  default:
    return true; // two undefined values or two nones
  }
}

} // namespace quern
