//===- TemplateInterpreter.cpp - statements of chat templates -------------===//

#include "runtime/tokenizer/chat/TemplateInterpreter.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/chat/TemplateBuiltins.h"
#include "runtime/tokenizer/chat/TemplateLexer.h"

namespace quern {

Result<std::string> TemplateInterpreter::run() {
  scopes.assign(1, Scope());
  std::string out;
  QUERN_RETURN_IF_ERROR(execute(program.body, out).getStatus());
  return out;
}

//===----------------------------------------------------------------------===//
// Variables and errors
//===----------------------------------------------------------------------===//

const TemplateValue *
TemplateInterpreter::findVariable(std::string_view name) const {
  for (size_t i = scopes.size(); i-- != 0;) {
    for (const auto &[known, value] : scopes[i].variables)
      if (known == name)
        return &value;
    if (scopes[i].isMacro)
      i = 1; // next is the top level
  }
  return variables.find(name);
}

void TemplateInterpreter::setVariable(std::string_view name,
                                      TemplateValue value) {
  auto &known = scopes.back().variables;
  for (auto &variable : known)
    if (variable.first == name) {
      variable.second = std::move(value);
      return;
    }
  known.emplace_back(name, std::move(value));
}

Status TemplateInterpreter::fail(unsigned line,
                                 std::string_view message) const {
  return invalidArgument(atTemplateLine(line, message));
}

Status TemplateInterpreter::at(unsigned line, Status status) const {
  if (status.isOk())
    return status;
  return Status(status.getCode(), atTemplateLine(line, status.getMessage()));
}

/// What may be an element of a list, dictionary or namespace.
Status TemplateInterpreter::checkPlain(unsigned line,
                                       const TemplateValue &value) const {
  if (!value.isPlain())
    return unsupported(atTemplateLine(
        line, "unsupported: storing a value of type " +
                  std::string(value.typeName()) + " inside of another value"));
  if (value.getDepth() >= maxValueDepth)
    return unsupported(
        atTemplateLine(line, "unsupported: values nested deeper than " +
                                 std::to_string(maxValueDepth)));
  return Status::ok();
}

Status TemplateInterpreter::appendOutput(unsigned line,
                                         const TemplateValue &value,
                                         std::string &out) {
  Result<std::string> text = templateToString(value, budget);
  if (!text.isOk())
    return at(line, std::move(text).takeStatus());
  if (out.size() + text->size() > budget.stringBytes)
    return at(line, budget.chargeString(out.size() + text->size()));
  out += *text;
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

Result<TemplateInterpreter::Flow>
TemplateInterpreter::execute(const TemplateBody &body, std::string &out) {
  for (const TemplateStatement &statement : body) {
    QUERN_RETURN_IF_ERROR(at(statement.line, budget.charge(1)));
    if (++depth > maxDepth)
      return resourceExhausted(
          atTemplateLine(statement.line, "the template recurses too deep"));
    Result<Flow> flow = execute(statement, out);
    --depth;
    if (!flow.isOk() || *flow != Flow::Next)
      return flow;
  }
  return Flow::Next;
}

Result<TemplateInterpreter::Flow>
TemplateInterpreter::execute(const TemplateStatement &statement,
                             std::string &out) {
  using Kind = TemplateStatement::Kind;
  switch (statement.kind) {
  case Kind::Text:
    QUERN_RETURN_IF_ERROR(
        appendOutput(statement.line, TemplateValue(statement.text), out));
    return Flow::Next;
  case Kind::Output: {
    QUERN_ASSIGN_OR_RETURN(TemplateValue value,
                           evaluate(*statement.expression));
    QUERN_RETURN_IF_ERROR(appendOutput(statement.line, value, out));
    return Flow::Next;
  }
  case Kind::If:
    return executeIf(statement, out);
  case Kind::For:
    return executeFor(statement, out);
  case Kind::Set:
  case Kind::SetAttribute:
  case Kind::SetBlock:
    QUERN_RETURN_IF_ERROR(executeSet(statement));
    return Flow::Next;
  case Kind::Macro:
    setVariable(statement.macro->name,
                TemplateValue::macro(statement.macro.get()));
    return Flow::Next;
  case Kind::Break:
    return Flow::Break;
  case Kind::Continue:
    return Flow::Continue;
  }
  return Flow::Next;
}

Result<TemplateInterpreter::Flow>
TemplateInterpreter::executeIf(const TemplateStatement &statement,
                               std::string &out) {
  for (const TemplateBranch &branch : statement.branches) {
    if (branch.condition) {
      QUERN_ASSIGN_OR_RETURN(TemplateValue value, evaluate(*branch.condition));
      if (!value.isTrue())
        continue;
    }
    return execute(branch.body, out);
  }
  return Flow::Next;
}

/// Assigns to the names of a `set` or `for`, unpacking if there are several.
Status TemplateInterpreter::bind(const TemplateStatement &statement,
                                 TemplateValue value) {
  const std::vector<std::string> &targets = statement.targets;
  if (targets.size() == 1) {
    setVariable(targets.front(), std::move(value));
    return Status::ok();
  }
  Result<TemplateValue::List> items = iterateTemplateValue(value, budget);
  if (!items.isOk())
    return at(statement.line, std::move(items).takeStatus());
  if (items->size() != targets.size())
    return fail(statement.line, "expected " + std::to_string(targets.size()) +
                                    " values to unpack, found " +
                                    std::to_string(items->size()));
  for (size_t i = 0; i != targets.size(); ++i)
    setVariable(targets[i], std::move((*items)[i]));
  return Status::ok();
}

Status TemplateInterpreter::executeSet(const TemplateStatement &statement) {
  if (statement.kind == TemplateStatement::Kind::SetBlock) {
    std::string text;
    scopes.emplace_back();
    QUERN_RETURN_IF_ERROR(execute(statement.body, text).getStatus());
    scopes.pop_back();
    return bind(statement, TemplateValue(std::move(text)));
  }
  QUERN_ASSIGN_OR_RETURN(TemplateValue value, evaluate(*statement.expression));
  if (statement.kind == TemplateStatement::Kind::Set)
    return bind(statement, std::move(value));

  const std::string &name = statement.targets[0];
  const TemplateValue *object = findVariable(name);
  if (!object || !object->is(TemplateValue::Kind::Namespace))
    return fail(statement.line, "cannot assign to an attribute of " +
                                    quoteName(name, 40) +
                                    ", which is not a namespace");
  QUERN_RETURN_IF_ERROR(checkPlain(statement.line, value));
  object->asNamespace().set(statement.targets[1], std::move(value));
  return Status::ok();
}

/// The elements of a loop, of which its `if` may leave out some.
Result<TemplateValue::List>
TemplateInterpreter::loopItems(const TemplateStatement &statement) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue sequence,
                         evaluate(*statement.expression));
  Result<TemplateValue::List> items = iterateTemplateValue(sequence, budget);
  if (!items.isOk())
    return at(statement.line, std::move(items).takeStatus());
  if (!statement.filter)
    return items;
  TemplateValue::List chosen;
  for (TemplateValue &item : *items) {
    scopes.emplace_back();
    QUERN_RETURN_IF_ERROR(bind(statement, item));
    QUERN_ASSIGN_OR_RETURN(TemplateValue keep, evaluate(*statement.filter));
    scopes.pop_back();
    if (keep.isTrue())
      chosen.push_back(std::move(item));
  }
  return chosen;
}

Result<TemplateInterpreter::Flow>
TemplateInterpreter::executeFor(const TemplateStatement &statement,
                                std::string &out) {
  QUERN_ASSIGN_OR_RETURN(TemplateValue::List items, loopItems(statement));
  if (items.empty())
    return execute(statement.otherwise, out);
  auto loop = std::make_shared<TemplateLoop>(std::move(items));
  for (; loop->index != loop->items.size(); ++loop->index) {
    QUERN_RETURN_IF_ERROR(at(statement.line, budget.charge(1)));
    // Each iteration starts without the variables of the one before.
    scopes.emplace_back();
    setVariable("loop", TemplateValue::loop(loop));
    QUERN_RETURN_IF_ERROR(bind(statement, loop->items[loop->index]));
    QUERN_ASSIGN_OR_RETURN(Flow flow, execute(statement.body, out));
    scopes.pop_back();
    if (flow == Flow::Break)
      break;
  }
  return Flow::Next;
}

} // namespace quern
