//===- TemplateCalls.cpp - calls in chat templates ------------------------===//
//
// Filters, methods, macros, namespace() and raise_exception().
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/chat/TemplateBuiltins.h"
#include "runtime/tokenizer/chat/TemplateInterpreter.h"
#include "runtime/tokenizer/chat/TemplateLexer.h"

namespace quern {

using Value = Result<TemplateValue>;
using Kind = TemplateExpression::Kind;
using ValueKind = TemplateValue::Kind;

/// The positional arguments of a builtin, which takes no others.
Result<std::vector<TemplateValue>>
TemplateInterpreter::evaluateArguments(const TemplateExpression &expression) {
  if (!expression.names.empty())
    return unsupported(atTemplateLine(
        expression.line, "unsupported: the keyword argument " +
                             quoteName(expression.names.front(), 40)));
  std::vector<TemplateValue> arguments;
  for (size_t i = 1; i != expression.operands.size(); ++i) {
    QUERN_ASSIGN_OR_RETURN(TemplateValue value,
                           evaluate(*expression.operands[i]));
    arguments.push_back(std::move(value));
  }
  return arguments;
}

Value TemplateInterpreter::evaluateFilter(
    const TemplateExpression &expression) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue value,
                         evaluate(*expression.operands[0]));
  QUERN_ASSIGN_OR_RETURN(std::vector<TemplateValue> arguments,
                         evaluateArguments(expression));
  Value result = applyTemplateFilter(expression.name, value, arguments, budget);
  if (!result.isOk())
    return at(expression.line, std::move(result).takeStatus());
  return result;
}

Value TemplateInterpreter::evaluateCall(const TemplateExpression &expression) {
  const TemplateExpression &callee = *expression.operands[0];
  if (callee.kind == Kind::Name)
    return callFunction(expression);
  if (callee.kind != Kind::Attribute)
    return unsupported(atTemplateLine(
        expression.line, "unsupported: a call of anything but a macro, a "
                         "function or a method"));
  QUERN_ASSIGN_OR_RETURN(TemplateValue object, evaluate(*callee.operands[0]));
  QUERN_ASSIGN_OR_RETURN(std::vector<TemplateValue> arguments,
                         evaluateArguments(expression));
  Value result = callTemplateMethod(callee.name, object, arguments, budget);
  if (!result.isOk())
    return at(expression.line, std::move(result).takeStatus());
  return result;
}

Value TemplateInterpreter::callFunction(const TemplateExpression &expression) {
  const std::string &name = expression.operands[0]->name;
  if (const TemplateValue *value = findVariable(name)) {
    if (value->is(ValueKind::Macro))
      return callMacro(expression, value->asMacro());
    return fail(expression.line, quoteName(name, 40) + " of type " +
                                     std::string(value->typeName()) +
                                     " cannot be called");
  }
  if (name == "namespace")
    return callNamespace(expression);
  if (name == "raise_exception") {
    QUERN_ASSIGN_OR_RETURN(std::vector<TemplateValue> arguments,
                           evaluateArguments(expression));
    std::string message;
    if (!arguments.empty())
      QUERN_RETURN_IF_ERROR(
          appendOutput(expression.line, arguments[0], message));
    return fail(expression.line, message);
  }
  for (std::string_view known :
       {"range", "dict", "cycler", "joiner", "lipsum", "strftime_now"})
    if (name == known)
      return unsupported(atTemplateLine(
          expression.line, "unsupported: the function " + quoteName(name)));
  return fail(expression.line, quoteName(name, 80) + " is undefined");
}

Value TemplateInterpreter::callNamespace(const TemplateExpression &expression) {
  size_t count = expression.operands.size() - 1;
  if (count != expression.names.size())
    return unsupported(atTemplateLine(
        expression.line, "unsupported: namespace() with other than keyword "
                         "arguments"));
  TemplateValue result = TemplateValue::newNamespace();
  for (size_t i = 0; i != count; ++i) {
    QUERN_ASSIGN_OR_RETURN(TemplateValue value,
                           evaluate(*expression.operands[i + 1]));
    QUERN_RETURN_IF_ERROR(checkPlain(expression.line, value));
    result.asNamespace().set(expression.names[i], std::move(value));
  }
  return result;
}

/// Evaluates the arguments in the caller's scope and the defaults in the
/// macro's, then renders the body to a string.
Value TemplateInterpreter::callMacro(const TemplateExpression &expression,
                                     const TemplateMacro &macro) {
  size_t count = expression.operands.size() - 1;
  size_t positional = count - expression.names.size();
  const auto &parameters = macro.parameters;
  if (positional > parameters.size())
    return fail(expression.line,
                "macro " + quoteName(macro.name, 80) + " takes not more than " +
                    std::to_string(parameters.size()) + " argument(s)");
  std::vector<TemplateValue> values(parameters.size());
  std::vector<bool> given(parameters.size());
  for (size_t i = 0; i != count; ++i) {
    size_t target = i;
    if (i >= positional)
      for (target = 0; target != parameters.size(); ++target)
        if (parameters[target].name == expression.names[i - positional])
          break;
    if (target == parameters.size())
      return fail(expression.line, "macro '" + macro.name +
                                       "' takes no keyword argument '" +
                                       expression.names[i - positional] + "'");
    if (given[target])
      return fail(expression.line, "macro '" + macro.name +
                                       "' got two values for argument '" +
                                       parameters[target].name + "'");
    given[target] = true;
    QUERN_ASSIGN_OR_RETURN(values[target],
                           evaluate(*expression.operands[i + 1]));
  }

  scopes.emplace_back();
  scopes.back().isMacro = true;
  for (size_t i = 0; i != parameters.size(); ++i) {
    if (!given[i] && parameters[i].defaultValue) {
      QUERN_ASSIGN_OR_RETURN(values[i], evaluate(*parameters[i].defaultValue));
    } else if (!given[i]) {
      values[i] = TemplateValue::undefined("parameter " +
                                           quoteName(parameters[i].name, 80) +
                                           " was not provided");
    }
    setVariable(parameters[i].name, std::move(values[i]));
  }
  std::string text;
  QUERN_RETURN_IF_ERROR(execute(macro.body, text).getStatus());
  scopes.pop_back();
  return TemplateValue(std::move(text));
}

} // namespace quern
