//===- TemplateEvaluator.cpp - expressions of chat templates --------------===//

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/chat/TemplateBuiltins.h"
#include "runtime/tokenizer/chat/TemplateInterpreter.h"
#include "runtime/tokenizer/chat/TemplateLexer.h"

namespace quern {

using Value = Result<TemplateValue>;
using Kind = TemplateExpression::Kind;
using ValueKind = TemplateValue::Kind;

Value TemplateInterpreter::evaluate(const TemplateExpression &expression) {
  QUERN_RETURN_IF_ERROR(at(expression.line, budget.charge(1)));
  if (++depth > maxDepth)
    return resourceExhausted(
        atTemplateLine(expression.line, "the template recurses too deep"));
  Value value = evaluateNode(expression);
  --depth;
  return value;
}

Value TemplateInterpreter::evaluateNode(const TemplateExpression &expression) {
  switch (expression.kind) {
  case Kind::Literal:
    return expression.literal;
  case Kind::Name:
    return evaluateName(expression);
  case Kind::List:
  case Kind::Tuple:
    return evaluateList(expression);
  case Kind::Dict:
    return evaluateDict(expression);
  case Kind::Negate:
  case Kind::Plus:
    return evaluateSign(expression);
  case Kind::Not:
  case Kind::And:
  case Kind::Or:
    return evaluateLogic(expression);
  case Kind::Arithmetic: {
    QUERN_ASSIGN_OR_RETURN(TemplateValue left,
                           evaluate(*expression.operands[0]));
    QUERN_ASSIGN_OR_RETURN(TemplateValue right,
                           evaluate(*expression.operands[1]));
    Value result = templateArithmetic(expression.names[0], left, right, budget);
    if (!result.isOk())
      return at(expression.line, std::move(result).takeStatus());
    return result;
  }
  case Kind::Concat:
    return evaluateConcat(expression);
  case Kind::Compare:
    return evaluateCompare(expression);
  case Kind::Conditional:
    return evaluateConditional(expression);
  case Kind::Attribute:
    return evaluateAttribute(expression);
  case Kind::Subscript:
    return evaluateSubscript(expression);
  case Kind::Slice:
    return evaluateSlice(expression);
  case Kind::Call:
    return evaluateCall(expression);
  case Kind::Filter:
    return evaluateFilter(expression);
  case Kind::Test:
    return evaluateTest(expression);
  }
  return TemplateValue();
}

Value TemplateInterpreter::evaluateName(const TemplateExpression &expression) {
  if (const TemplateValue *value = findVariable(expression.name))
    return *value;
  return TemplateValue::undefined(quoteName(expression.name, 80) +
                                  " is undefined");
}

Value TemplateInterpreter::evaluateList(const TemplateExpression &expression) {
  TemplateValue::List items;
  for (const TemplateExpressionPtr &operand : expression.operands) {
    QUERN_ASSIGN_OR_RETURN(TemplateValue item, evaluate(*operand));
    QUERN_RETURN_IF_ERROR(checkPlain(expression.line, item));
    items.push_back(std::move(item));
  }
  return TemplateValue(std::move(items), expression.kind == Kind::Tuple);
}

Value TemplateInterpreter::evaluateDict(const TemplateExpression &expression) {
  TemplateDict dict;
  for (size_t i = 0; i != expression.operands.size(); i += 2) {
    QUERN_ASSIGN_OR_RETURN(TemplateValue key,
                           evaluate(*expression.operands[i]));
    QUERN_ASSIGN_OR_RETURN(TemplateValue item,
                           evaluate(*expression.operands[i + 1]));
    if (!key.isString())
      return unsupported(atTemplateLine(
          expression.line, "unsupported: a dictionary key that is no string"));
    QUERN_RETURN_IF_ERROR(checkPlain(expression.line, item));
    dict.set(key.asString(), std::move(item));
  }
  return TemplateValue(std::move(dict));
}

Value TemplateInterpreter::evaluateSign(const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue operand,
                         evaluate(*expression.operands[0]));
  std::string_view op = expression.kind == Kind::Negate ? "-" : "+";
  if (operand.is(ValueKind::Float)) // 0 - 0.0 would lose the sign of zero
    return TemplateValue(op == "-" ? -operand.asFloat() : operand.asFloat());
  Value result = templateArithmetic(op, TemplateValue(0), operand, budget);
  if (!result.isOk())
    return at(expression.line, std::move(result).takeStatus());
  return result;
}

/// `and` and `or` give one of their operands, `not` a boolean.
Value TemplateInterpreter::evaluateLogic(const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue left, evaluate(*expression.operands[0]));
  if (expression.kind == Kind::Not)
    return TemplateValue(!left.isTrue());
  if (left.isTrue() == (expression.kind == Kind::Or))
    return left;
  return evaluate(*expression.operands[1]);
}

Value TemplateInterpreter::evaluateConcat(
    const TemplateExpression &expression) {
  std::string text;
  for (const TemplateExpressionPtr &operand : expression.operands) {
    QUERN_ASSIGN_OR_RETURN(TemplateValue value, evaluate(*operand));
    QUERN_RETURN_IF_ERROR(appendOutput(expression.line, value, text));
  }
  return TemplateValue(std::move(text));
}

static Result<bool> compare(const std::string &op, const TemplateValue &left,
                            const TemplateValue &right,
                            TemplateBudget &budget) {
  if (op == "in" || op == "not in") {
    QUERN_ASSIGN_OR_RETURN(bool found, templateContains(right, left, budget));
    return found == (op == "in");
  }
  if (op == "==" || op == "!=") {
    QUERN_ASSIGN_OR_RETURN(bool equal, templateEquals(left, right, budget));
    return equal == (op == "==");
  }
  QUERN_ASSIGN_OR_RETURN(int order, templateOrder(left, right));
  if (op[0] == '<')
    return order < 0 || (order == 0 && op == "<=");
  return order > 0 || (order == 0 && op == ">=");
}

/// a < b < c means a < b and b < c.
Value TemplateInterpreter::evaluateCompare(
    const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue left, evaluate(*expression.operands[0]));
  for (size_t i = 0; i != expression.names.size(); ++i) {
    QUERN_ASSIGN_OR_RETURN(TemplateValue right,
                           evaluate(*expression.operands[i + 1]));
    Result<bool> holds = compare(expression.names[i], left, right, budget);
    if (!holds.isOk())
      return at(expression.line, std::move(holds).takeStatus());
    if (!*holds)
      return TemplateValue(false);
    left = std::move(right);
  }
  return TemplateValue(true);
}

Value TemplateInterpreter::evaluateConditional(
    const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue condition,
                         evaluate(*expression.operands[1]));
  if (condition.isTrue())
    return evaluate(*expression.operands[0]);
  if (expression.operands[2])
    return evaluate(*expression.operands[2]);
  return TemplateValue::undefined(
      "the inline if-expression evaluated to false and no else section was "
      "defined");
}

//===----------------------------------------------------------------------===//
// Attributes and subscripts
//===----------------------------------------------------------------------===//

Value TemplateInterpreter::evaluateAttribute(
    const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue object,
                         evaluate(*expression.operands[0]));
  const std::string &name = expression.name;
  if (object.is(ValueKind::Loop))
    return evaluateLoopAttribute(expression, object.asLoop());
  if (object.is(ValueKind::Namespace)) {
    const TemplateValue *found = object.asNamespace().find(name);
    return found ? *found
                 : TemplateValue::undefined(
                       "'Namespace object' has no attribute " +
                       quoteName(name, 80));
  }
  // Python finds a type's own method before the key of a dictionary.
  if (hasTemplateMethod(object, name))
    return unsupported(atTemplateLine(expression.line,
                                      "unsupported: the method " +
                                          quoteName(name) + " without a call"));
  Value result = templateSubscript(object, TemplateValue(name), budget);
  if (!result.isOk())
    return at(expression.line, std::move(result).takeStatus());
  return result;
}

Value TemplateInterpreter::evaluateLoopAttribute(
    const TemplateExpression &expression, const TemplateLoop &loop) {
  const std::string &name = expression.name;
  auto index = static_cast<int64_t>(loop.index);
  auto length = static_cast<int64_t>(loop.items.size());
  if (name == "index")
    return TemplateValue(index + 1);
  if (name == "index0")
    return TemplateValue(index);
  if (name == "revindex")
    return TemplateValue(length - index);
  if (name == "revindex0")
    return TemplateValue(length - index - 1);
  if (name == "first")
    return TemplateValue(index == 0);
  if (name == "last")
    return TemplateValue(index + 1 == length);
  if (name == "length")
    return TemplateValue(length);
  if (name == "previtem")
    return index == 0 ? TemplateValue::undefined("there is no previous item")
                      : loop.items[loop.index - 1];
  if (name == "nextitem")
    return index + 1 == length
               ? TemplateValue::undefined("there is no next item")
               : loop.items[loop.index + 1];
  return unsupported(atTemplateLine(
      expression.line, "unsupported: the loop variable " + quoteName(name)));
}

Value TemplateInterpreter::evaluateSubscript(
    const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue object,
                         evaluate(*expression.operands[0]));
  QUERN_ASSIGN_OR_RETURN(TemplateValue index,
                         evaluate(*expression.operands[1]));
  Value result = templateSubscript(object, index, budget);
  if (!result.isOk())
    return at(expression.line, std::move(result).takeStatus());
  return result;
}

Value TemplateInterpreter::evaluateSlice(const TemplateExpression &expression) {
  TemplateValue parts[4];
  for (size_t i = 0; i != 4; ++i)
    if (expression.operands[i]) {
      QUERN_ASSIGN_OR_RETURN(parts[i], evaluate(*expression.operands[i]));
    }
  Value result = templateSlice(parts[0], parts[1], parts[2], parts[3], budget);
  if (!result.isOk())
    return at(expression.line, std::move(result).takeStatus());
  return result;
}

Value TemplateInterpreter::evaluateTest(const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue value,
                         evaluate(*expression.operands[0]));
  return TemplateValue(applyTemplateTest(expression.name, value));
}

} // namespace quern
