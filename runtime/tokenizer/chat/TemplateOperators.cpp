//===- TemplateOperators.cpp - operators of chat templates ----------------===//
//
// Python's operators on template values.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/tokenizer/Utf8.h"
#include "runtime/tokenizer/chat/TemplateBuiltins.h"

#include <algorithm>
#include <cmath>

namespace quern {

using Kind = TemplateValue::Kind;
using Value = Result<TemplateValue>;

static Status wrongOperands(std::string_view op, const TemplateValue &left,
                            const TemplateValue &right) {
  for (const TemplateValue *value : {&left, &right})
    if (value->isUndefined())
      return invalidArgument(value->whyUndefined());
  return invalidArgument(
      "the operator " + std::string(op) + " does not take values of type " +
      std::string(left.typeName()) + " and " + std::string(right.typeName()));
}

//===----------------------------------------------------------------------===//
// Iteration and membership
//===----------------------------------------------------------------------===//

Result<TemplateValue::List> iterateTemplateValue(const TemplateValue &value,
                                                 TemplateBudget &budget) {
  TemplateValue::List items;
  switch (value.kind()) {
  case Kind::Undefined:
    return items;
  case Kind::List:
    QUERN_RETURN_IF_ERROR(budget.charge(value.asList().size()));
    return value.asList();
  case Kind::Dict:
    QUERN_RETURN_IF_ERROR(budget.charge(value.asDict().size()));
    for (const auto &entry : value.asDict().getEntries())
      items.emplace_back(entry.first);
    return items;
  case Kind::String:
    QUERN_RETURN_IF_ERROR(budget.charge(value.asString().size()));
    for (std::string_view rest = value.asString(); !rest.empty();) {
      size_t length = scanUtf8(rest).length;
      items.emplace_back(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    return items;
  default:
    return invalidArgument("a value of type " + std::string(value.typeName()) +
                           " is not iterable");
  }
}

Result<bool> templateContains(const TemplateValue &haystack,
                              const TemplateValue &needle,
                              TemplateBudget &budget) {
  switch (haystack.kind()) {
  case Kind::Undefined:
    return false;
  case Kind::String:
    if (!needle.isString())
      return wrongOperands("in", needle, haystack);
    QUERN_RETURN_IF_ERROR(budget.charge(1 + haystack.asString().size() / 8));
    return haystack.asString().find(needle.asString()) != std::string::npos;
  case Kind::List:
    for (const TemplateValue &item : haystack.asList()) {
      QUERN_ASSIGN_OR_RETURN(bool equal, templateEquals(item, needle, budget));
      if (equal)
        return true;
    }
    return false;
  case Kind::Dict:
    QUERN_RETURN_IF_ERROR(budget.charge(1 + haystack.asDict().size() / 8));
    return needle.isString() && haystack.asDict().find(needle.asString());
  default:
    return wrongOperands("in", needle, haystack);
  }
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static Value integerArithmetic(std::string_view op, int64_t a, int64_t b) {
  std::optional<int64_t> result;
  if (op == "+") {
    result = checkedAdd(a, b);
  } else if (op == "*") {
    result = checkedMul(a, b);
  } else if (op == "-") {
    int64_t difference;
    if (!__builtin_sub_overflow(a, b, &difference))
      result = difference;
  } else {
    if (b == 0)
      return invalidArgument("division by zero");
    if (op == "/")
      return TemplateValue(static_cast<double>(a) / static_cast<double>(b));
    if (!(a == INT64_MIN && b == -1)) {
      // Python rounds towards minus infinity.
      bool adjust = a % b != 0 && (a % b < 0) != (b < 0);
      result = op == "//" ? a / b - adjust : a % b + (adjust ? b : 0);
    }
  }
  if (!result)
    return unsupported("unsupported: an integer of more than 64 bits");
  return TemplateValue(*result);
}

static Value floatArithmetic(std::string_view op, double a, double b) {
  if (op == "+")
    return TemplateValue(a + b);
  if (op == "-")
    return TemplateValue(a - b);
  if (op == "*")
    return TemplateValue(a * b);
  if (b == 0)
    return invalidArgument("division by zero");
  if (op == "/")
    return TemplateValue(a / b);
  double quotient = std::floor(a / b);
  return TemplateValue(op == "//" ? quotient : a - quotient * b);
}

static Value repeat(const std::string &text, int64_t count,
                    TemplateBudget &budget) {
  auto times = static_cast<uint64_t>(std::max<int64_t>(count, 0));
  std::optional<uint64_t> bytes = checkedMul<uint64_t>(text.size(), times);
  QUERN_RETURN_IF_ERROR(budget.chargeString(bytes.value_or(UINT64_MAX)));
  std::string result;
  result.reserve(*bytes);
  for (uint64_t i = 0; !text.empty() && i != times; ++i)
    result += text;
  return TemplateValue(std::move(result));
}

Value templateArithmetic(std::string_view op, const TemplateValue &left,
                         const TemplateValue &right, TemplateBudget &budget) {
  if (left.isNumber() && right.isNumber()) {
    if (left.is(Kind::Float) || right.is(Kind::Float))
      return floatArithmetic(op, left.asFloat(), right.asFloat());
    return integerArithmetic(op, left.asInt(), right.asInt());
  }
  if (op == "+" && left.isString() && right.isString()) {
    QUERN_RETURN_IF_ERROR(
        budget.chargeString(left.asString().size() + right.asString().size()));
    return TemplateValue(left.asString() + right.asString());
  }
  if (op == "+" && left.isList() && right.isList() &&
      left.isTuple() == right.isTuple()) {
    TemplateValue::List joined = left.asList();
    QUERN_RETURN_IF_ERROR(budget.charge(joined.size() + right.asList().size()));
    joined.insert(joined.end(), right.asList().begin(), right.asList().end());
    return TemplateValue(std::move(joined), left.isTuple());
  }
  if (op == "*" && left.isString() && right.isNumber() &&
      !right.is(Kind::Float))
    return repeat(left.asString(), right.asInt(), budget);
  if (op == "%" && left.isString())
    return unsupported("unsupported: formatting with %");
  return wrongOperands(op, left, right);
}

Result<int> templateOrder(const TemplateValue &left,
                          const TemplateValue &right) {
  if (left.isNumber() && right.isNumber()) {
    if (left.is(Kind::Float) || right.is(Kind::Float)) {
      double a = left.asFloat(), b = right.asFloat();
      return a < b ? -1 : a > b ? 1 : 0;
    }
    int64_t a = left.asInt(), b = right.asInt();
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (left.isString() && right.isString()) {
    // The order of UTF-8 bytes is the order of code points.
    int order = left.asString().compare(right.asString());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  return wrongOperands("<", left, right);
}

//===----------------------------------------------------------------------===//
// Subscripts and slices
//===----------------------------------------------------------------------===//

static TemplateValue noElement(const TemplateValue &value,
                               const TemplateValue &index) {
  std::string type(value.typeName());
  if (index.isString())
    return TemplateValue::undefined("'" + type + " object' has no attribute " +
                                    quoteName(index.asString(), 80));
  std::string text = index.isNumber() && !index.is(Kind::Float)
                         ? std::to_string(index.asInt())
                         : "of this type";
  return TemplateValue::undefined(type + " object has no element " + text);
}

Value templateSubscript(const TemplateValue &value, const TemplateValue &index,
                        TemplateBudget &budget) {
  if (value.isUndefined())
    return invalidArgument(value.whyUndefined());
  if (value.isDict() && index.isString()) {
    QUERN_RETURN_IF_ERROR(budget.charge(value.asDict().size() / 8));
    const TemplateValue *found = value.asDict().find(index.asString());
    return found ? *found : noElement(value, index);
  }
  bool isInteger = index.is(Kind::Int) || index.is(Kind::Bool);
  if (!isInteger || !(value.isList() || value.isString()))
    return noElement(value, index);
  int64_t at = index.asInt();
  if (value.isString()) {
    QUERN_ASSIGN_OR_RETURN(TemplateValue::List characters,
                           iterateTemplateValue(value, budget));
    auto size = static_cast<int64_t>(characters.size());
    at = at < 0 ? at + size : at;
    return at < 0 || at >= size ? noElement(value, index)
                                : characters[static_cast<size_t>(at)];
  }
  auto size = static_cast<int64_t>(value.asList().size());
  at = at < 0 ? at + size : at;
  return at < 0 || at >= size ? noElement(value, index)
                              : value.asList()[static_cast<size_t>(at)];
}

Value templateSlice(const TemplateValue &value, const TemplateValue &start,
                    const TemplateValue &stop, const TemplateValue &step,
                    TemplateBudget &budget) {
  for (const TemplateValue *bound : {&start, &stop, &step})
    if (!bound->is(Kind::None) && !bound->is(Kind::Int))
      return invalidArgument(
          "a slice expects integers, found a value of type " +
          std::string(bound->typeName()));
  if (value.isUndefined())
    return invalidArgument(value.whyUndefined());
  if (!value.isString() && !value.isList())
    return invalidArgument("a value of type " + std::string(value.typeName()) +
                           " has no slices");
  QUERN_ASSIGN_OR_RETURN(TemplateValue::List items,
                         iterateTemplateValue(value, budget));
  auto size = static_cast<int64_t>(items.size());
  int64_t by = step.is(Kind::None) ? 1 : step.asInt();
  if (by == 0)
    return invalidArgument("slice step cannot be zero");
  // Python: negative bounds count from the end, then both are clamped.
  int64_t lowest = by < 0 ? -1 : 0, highest = by < 0 ? size - 1 : size;
  auto clamp = [&](const TemplateValue &bound, int64_t absent) {
    if (bound.is(Kind::None))
      return absent;
    int64_t at = bound.asInt();
    return std::clamp(at < 0 ? at + size : at, lowest, highest);
  };
  int64_t at = clamp(start, by < 0 ? highest : lowest);
  int64_t end = clamp(stop, by < 0 ? lowest : highest);
  // A step longer than the list takes one element, as such a step does.
  by = std::clamp(by, -size - 1, size + 1);
  TemplateValue::List chosen;
  std::string text;
  for (; by < 0 ? at > end : at < end; at += by) {
    TemplateValue &item = items[static_cast<size_t>(at)];
    if (value.isString())
      text += item.asString();
    else
      chosen.push_back(std::move(item));
  }
  return value.isString() ? TemplateValue(std::move(text))
                          : TemplateValue(std::move(chosen), value.isTuple());
}

} // namespace quern
