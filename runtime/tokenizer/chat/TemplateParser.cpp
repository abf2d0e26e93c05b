//===- TemplateParser.cpp - operators of chat templates -------------------===//

#include "runtime/tokenizer/chat/TemplateParser.h"

#include "runtime/base/Escape.h"

#include <algorithm>

namespace quern {

//===----------------------------------------------------------------------===//
// Tokens and errors
//===----------------------------------------------------------------------===//

bool TemplateParser::skipOperator(std::string_view op) {
  if (!isOperator(op))
    return false;
  ++position;
  return true;
}

bool TemplateParser::skipName(std::string_view name) {
  if (!isName(name))
    return false;
  ++position;
  return true;
}

Status TemplateParser::expectOperator(std::string_view op) {
  return skipOperator(op) ? Status::ok() : unexpected(quoteName(op));
}

Status TemplateParser::expectName(std::string &name) {
  if (peek().kind != Kind::Name)
    return unexpected("a name");
  name = peek().text;
  ++position;
  return Status::ok();
}

Status TemplateParser::unexpected(std::string_view expected) const {
  static constexpr std::string_view names[] = {"text",
                                               "'{{'",
                                               "'}}'",
                                               "'{%'",
                                               "'%}'",
                                               "",
                                               "a number",
                                               "a number",
                                               "a string",
                                               "",
                                               "the end of the template"};
  const TemplateToken &token = peek();
  std::string found(names[static_cast<size_t>(token.kind)]);
  if (found.empty())
    found = quoteName(token.text, 80);
  return corrupt(atTemplateLine(
      token.line, "expected " + std::string(expected) + ", found " + found));
}

Status TemplateParser::unsupportedHere(std::string_view what) const {
  return unsupported(
      atTemplateLine(peek().line, "unsupported: " + std::string(what)));
}

Status TemplateParser::checkNesting() const {
  return depth <= maxDepth
             ? Status::ok()
             : unsupportedHere("more than " + std::to_string(maxDepth) +
                               " levels of nesting");
}

TemplateParser::Expression
TemplateParser::makeNode(ExpressionKind kind, unsigned line,
                         std::vector<TemplateExpressionPtr> operands,
                         std::string name) {
  auto node = std::make_unique<TemplateExpression>();
  node->kind = kind;
  node->line = line;
  node->name = std::move(name);
  for (const TemplateExpressionPtr &operand : operands)
    if (operand)
      node->depth = std::max(node->depth, operand->depth + 1);
  node->operands = std::move(operands);
  // Long chains of operators nest as well, without recursion of the parser.
  if (node->depth > maxDepth)
    return unsupportedHere("an expression of more than " +
                           std::to_string(maxDepth) + " levels");
  return node;
}

//===----------------------------------------------------------------------===//
// Operators, loose to tight
//===----------------------------------------------------------------------===//

TemplateParser::Expression TemplateParser::parseExpression() {
  Nesting nesting(depth);
  QUERN_RETURN_IF_ERROR(checkNesting());
  QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr value, parseOr());
  while (isName("if")) {
    unsigned line = peek().line;
    ++position;
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr condition, parseOr());
    TemplateExpressionPtr otherwise;
    if (skipName("else")) {
      QUERN_ASSIGN_OR_RETURN(otherwise, parseExpression());
    }
    QUERN_ASSIGN_OR_RETURN(value, makeFrom(ExpressionKind::Conditional, line,
                                           value, condition, otherwise));
  }
  return value;
}

TemplateParser::Expression TemplateParser::parseTuple() {
  unsigned line = peek().line;
  std::vector<TemplateExpressionPtr> items;
  bool isTuple = false;
  do {
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr item, parseExpression());
    items.push_back(std::move(item));
    if (!isOperator(","))
      break;
    isTuple = true;
    ++position;
  } while (!isOperator(")") && peek().kind != Kind::OutputEnd &&
           peek().kind != Kind::BlockEnd);
  if (!isTuple)
    return std::move(items.front());
  return makeNode(ExpressionKind::Tuple, line, std::move(items));
}

TemplateParser::Expression TemplateParser::parseOr() {
  QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr left, parseAnd());
  while (isName("or")) {
    unsigned line = peek().line;
    ++position;
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr right, parseAnd());
    QUERN_ASSIGN_OR_RETURN(left,
                           makeFrom(ExpressionKind::Or, line, left, right));
  }
  return left;
}

TemplateParser::Expression TemplateParser::parseAnd() {
  QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr left, parseNot());
  while (isName("and")) {
    unsigned line = peek().line;
    ++position;
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr right, parseNot());
    QUERN_ASSIGN_OR_RETURN(left,
                           makeFrom(ExpressionKind::And, line, left, right));
  }
  return left;
}

TemplateParser::Expression TemplateParser::parseNot() {
  if (!isName("not"))
    return parseCompare();
  Nesting nesting(depth);
  QUERN_RETURN_IF_ERROR(checkNesting());
  unsigned line = peek().line;
  ++position;
  QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr operand, parseNot());
  return makeFrom(ExpressionKind::Not, line, operand);
}

TemplateParser::Expression TemplateParser::parseCompare() {
  static constexpr std::string_view comparisons[] = {"==", "!=", "<",
                                                     "<=", ">",  ">="};
  unsigned line = peek().line;
  std::vector<TemplateExpressionPtr> operands;
  std::vector<std::string> names;
  while (true) {
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr operand, parseArithmetic(0));
    operands.push_back(std::move(operand));
    bool isComparison =
        peek().kind == Kind::Operator &&
        std::find(std::begin(comparisons), std::end(comparisons),
                  peek().text) != std::end(comparisons);
    if (isComparison || isName("in")) {
      names.push_back(peek().text);
      ++position;
    } else if (isName("not") && peek(1).kind == Kind::Name &&
               peek(1).text == "in") {
      names.push_back("not in");
      position += 2;
    } else {
      break;
    }
  }
  if (names.empty())
    return std::move(operands.front());
  QUERN_ASSIGN_OR_RETURN(
      TemplateExpressionPtr node,
      makeNode(ExpressionKind::Compare, line, std::move(operands)));
  node->names = std::move(names);
  return node;
}

/// Level 0 is + and -, level 1 is * / // and %; ~ binds in between.
TemplateParser::Expression TemplateParser::parseArithmetic(unsigned level) {
  auto parseNext = [&] {
    return level == 0 ? parseConcat() : parseUnary(/*withFilters=*/true);
  };
  QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr left, parseNext());
  while (true) {
    if (isOperator("**"))
      return unsupportedHere("the operator **");
    bool here = level == 0 ? isOperator("+") || isOperator("-")
                           : isOperator("*") || isOperator("/") ||
                                 isOperator("//") || isOperator("%");
    if (!here)
      return left;
    unsigned line = peek().line;
    std::string op = peek().text;
    ++position;
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr right, parseNext());
    QUERN_ASSIGN_OR_RETURN(
        left, makeFrom(ExpressionKind::Arithmetic, line, left, right));
    left->names.push_back(std::move(op));
  }
}

TemplateParser::Expression TemplateParser::parseConcat() {
  unsigned line = peek().line;
  std::vector<TemplateExpressionPtr> operands;
  do {
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr operand, parseArithmetic(1));
    operands.push_back(std::move(operand));
  } while (skipOperator("~"));
  if (operands.size() == 1)
    return std::move(operands.front());
  return makeNode(ExpressionKind::Concat, line, std::move(operands));
}

TemplateParser::Expression TemplateParser::parseUnary(bool withFilters) {
  Nesting nesting(depth);
  QUERN_RETURN_IF_ERROR(checkNesting());
  TemplateExpressionPtr value;
  if (isOperator("-") || isOperator("+")) {
    ExpressionKind kind =
        isOperator("-") ? ExpressionKind::Negate : ExpressionKind::Plus;
    unsigned line = peek().line;
    ++position;
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr operand, parseUnary(false));
    QUERN_ASSIGN_OR_RETURN(value, makeFrom(kind, line, operand));
  } else {
    QUERN_ASSIGN_OR_RETURN(value, parsePrimary());
  }
  QUERN_ASSIGN_OR_RETURN(value, parsePostfix(std::move(value)));
  return withFilters ? parseFilters(std::move(value))
                     : Expression(std::move(value));
}

} // namespace quern
