//===- TemplateStatementParser.cpp - statements of chat templates ---------===//

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/chat/TemplateParser.h"

#include <algorithm>

namespace quern {

Result<TemplateProgram> TemplateParser::parse() {
  TemplateProgram program;
  QUERN_RETURN_IF_ERROR(parseBody(program.body, {""}));
  return program;
}

Status TemplateParser::parseBody(TemplateBody &body,
                                 std::initializer_list<std::string_view> ends) {
  Nesting nesting(depth);
  QUERN_RETURN_IF_ERROR(checkNesting());
  while (true) {
    const TemplateToken &token = peek();
    TemplateStatement statement{};
    statement.line = token.line;
    switch (token.kind) {
    case Kind::Text:
      statement.kind = StatementKind::Text;
      statement.text = token.text;
      ++position;
      body.push_back(std::move(statement));
      break;
    case Kind::OutputBegin: {
      ++position;
      statement.kind = StatementKind::Output;
      QUERN_ASSIGN_OR_RETURN(statement.expression, parseTuple());
      if (peek().kind != Kind::OutputEnd)
        return unexpected("'}}'");
      ++position;
      body.push_back(std::move(statement));
      break;
    }
    case Kind::BlockBegin: {
      const TemplateToken &name = peek(1);
      if (name.kind == Kind::Name &&
          std::find(ends.begin(), ends.end(), name.text) != ends.end())
        return Status::ok();
      QUERN_RETURN_IF_ERROR(parseBlock(body));
      break;
    }
    default:
      if (token.kind == Kind::End && ends.begin()->empty())
        return Status::ok();
      return unexpected("{% " + std::string(*(ends.end() - 1)) + " %}");
    }
  }
}

Status TemplateParser::parseBlock(TemplateBody &body) {
  TemplateStatement statement{};
  statement.line = peek().line;
  ++position; // {%
  std::string name;
  QUERN_RETURN_IF_ERROR(expectName(name));
  if (name == "if") {
    QUERN_RETURN_IF_ERROR(parseIf(statement));
  } else if (name == "for") {
    QUERN_RETURN_IF_ERROR(parseFor(statement));
  } else if (name == "set") {
    QUERN_RETURN_IF_ERROR(parseSet(statement));
  } else if (name == "macro") {
    QUERN_RETURN_IF_ERROR(parseMacro(statement));
  } else if (name == "break" || name == "continue") {
    statement.kind =
        name == "break" ? StatementKind::Break : StatementKind::Continue;
    if (loops == 0)
      return corrupt(
          atTemplateLine(statement.line, "'" + name + "' outside of a loop"));
    QUERN_RETURN_IF_ERROR(endBlock());
  } else {
    return unsupported(atTemplateLine(statement.line, "unsupported: the tag " +
                                                          quoteName(name, 40)));
  }
  body.push_back(std::move(statement));
  return Status::ok();
}

Status TemplateParser::endBlock() {
  if (peek().kind != Kind::BlockEnd)
    return unexpected("'%}'");
  ++position;
  return Status::ok();
}

/// The whole closing tag, whose name parseBody has seen.
Status TemplateParser::endNamedBlock(std::string_view name) {
  position += 2; // {% and the name
  if (name == "endmacro" && peek().kind == Kind::Name)
    ++position; // Jinja allows the macro's name here
  return endBlock();
}

Status TemplateParser::parseIf(TemplateStatement &statement) {
  statement.kind = StatementKind::If;
  while (true) {
    TemplateBranch branch;
    QUERN_ASSIGN_OR_RETURN(branch.condition, parseTuple());
    QUERN_RETURN_IF_ERROR(endBlock());
    QUERN_RETURN_IF_ERROR(parseBody(branch.body, {"elif", "else", "endif"}));
    statement.branches.push_back(std::move(branch));
    if (peek(1).text != "elif")
      break;
    position += 2;
  }
  if (peek(1).text == "else") {
    position += 2;
    QUERN_RETURN_IF_ERROR(endBlock());
    TemplateBranch branch;
    QUERN_RETURN_IF_ERROR(parseBody(branch.body, {"endif"}));
    statement.branches.push_back(std::move(branch));
  }
  return endNamedBlock("endif");
}

Status TemplateParser::parseTargets(std::vector<std::string> &targets) {
  bool inParentheses = skipOperator("(");
  do {
    std::string name;
    QUERN_RETURN_IF_ERROR(expectName(name));
    targets.push_back(std::move(name));
  } while (skipOperator(","));
  return inParentheses ? expectOperator(")") : Status::ok();
}

Status TemplateParser::parseFor(TemplateStatement &statement) {
  statement.kind = StatementKind::For;
  QUERN_RETURN_IF_ERROR(parseTargets(statement.targets));
  if (!skipName("in"))
    return unexpected("'in'");
  // Not a conditional expression: `if` begins the loop's filter.
  QUERN_ASSIGN_OR_RETURN(statement.expression, parseOr());
  if (skipName("if")) {
    QUERN_ASSIGN_OR_RETURN(statement.filter, parseExpression());
  }
  if (isName("recursive"))
    return unsupportedHere("a recursive loop");
  QUERN_RETURN_IF_ERROR(endBlock());
  ++loops;
  QUERN_RETURN_IF_ERROR(parseBody(statement.body, {"else", "endfor"}));
  --loops;
  if (peek(1).text == "else") {
    position += 2;
    QUERN_RETURN_IF_ERROR(endBlock());
    QUERN_RETURN_IF_ERROR(parseBody(statement.otherwise, {"endfor"}));
  }
  return endNamedBlock("endfor");
}

Status TemplateParser::parseSet(TemplateStatement &statement) {
  statement.kind = StatementKind::Set;
  QUERN_RETURN_IF_ERROR(parseTargets(statement.targets));
  if (statement.targets.size() == 1 && skipOperator(".")) {
    statement.kind = StatementKind::SetAttribute;
    std::string attribute;
    QUERN_RETURN_IF_ERROR(expectName(attribute));
    statement.targets.push_back(std::move(attribute));
  }
  if (skipOperator("=")) {
    QUERN_ASSIGN_OR_RETURN(statement.expression, parseTuple());
    return endBlock();
  }
  if (statement.kind == StatementKind::SetAttribute ||
      statement.targets.size() != 1)
    return unexpected("'='");
  if (isOperator("|"))
    return unsupportedHere("a set block with a filter");
  statement.kind = StatementKind::SetBlock;
  QUERN_RETURN_IF_ERROR(endBlock());
  QUERN_RETURN_IF_ERROR(parseBody(statement.body, {"endset"}));
  return endNamedBlock("endset");
}

Status TemplateParser::parseMacro(TemplateStatement &statement) {
  statement.kind = StatementKind::Macro;
  // A macro inside of a loop or a macro would need to keep their variables.
  if (loops != 0 || insideMacro)
    return unsupportedHere("a macro inside of a loop or a macro");
  statement.macro = std::make_unique<TemplateMacro>();
  QUERN_RETURN_IF_ERROR(expectName(statement.macro->name));
  QUERN_RETURN_IF_ERROR(parseParameters(*statement.macro));
  QUERN_RETURN_IF_ERROR(endBlock());
  insideMacro = true;
  QUERN_RETURN_IF_ERROR(parseBody(statement.macro->body, {"endmacro"}));
  insideMacro = false;
  return endNamedBlock("endmacro");
}

Status TemplateParser::parseParameters(TemplateMacro &macro) {
  QUERN_RETURN_IF_ERROR(expectOperator("("));
  while (!skipOperator(")")) {
    TemplateMacro::Parameter parameter;
    QUERN_RETURN_IF_ERROR(expectName(parameter.name));
    for (const TemplateMacro::Parameter &other : macro.parameters)
      if (other.name == parameter.name)
        return corrupt(atTemplateLine(
            peek().line,
            "parameter " + quoteName(parameter.name, 40) + " is repeated"));
    if (skipOperator("=")) {
      QUERN_ASSIGN_OR_RETURN(parameter.defaultValue, parseExpression());
    } else if (!macro.parameters.empty() &&
               macro.parameters.back().defaultValue) {
      return unexpected("a default value, as the parameters before have");
    }
    macro.parameters.push_back(std::move(parameter));
    if (!isOperator(")"))
      QUERN_RETURN_IF_ERROR(expectOperator(","));
  }
  return Status::ok();
}

} // namespace quern
