//===- TemplateParser.cpp - expressions of chat templates -----------------===//

#include "runtime/tokenizer/chat/TemplateParser.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/chat/TemplateBuiltins.h"

#include <algorithm>
#include <charconv>

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

//===----------------------------------------------------------------------===//
// Primaries
//===----------------------------------------------------------------------===//

TemplateParser::Expression TemplateParser::parsePrimary() {
  unsigned line = peek().line;
  switch (peek().kind) {
  case Kind::Name:
    return parseName();
  case Kind::Integer:
  case Kind::Float:
    return parseNumber();
  case Kind::String: {
    // Neighbouring strings are one, as in Python.
    std::string text;
    for (; peek().kind == Kind::String; ++position)
      text += peek().text;
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr node,
                           makeNode(ExpressionKind::Literal, line));
    node->literal = TemplateValue(std::move(text));
    return node;
  }
  default:
    break;
  }
  if (skipOperator("(")) {
    if (skipOperator(")"))
      return makeNode(ExpressionKind::Tuple, line);
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr value, parseTuple());
    QUERN_RETURN_IF_ERROR(expectOperator(")"));
    return value;
  }
  if (skipOperator("["))
    return parseList();
  if (skipOperator("{"))
    return parseDict();
  return unexpected("an expression");
}

TemplateParser::Expression TemplateParser::parseName() {
  const TemplateToken &token = peek();
  ++position;
  TemplateValue literal;
  if (token.text == "true" || token.text == "True")
    literal = true;
  else if (token.text == "false" || token.text == "False")
    literal = false;
  else if (token.text != "none" && token.text != "None")
    return makeNode(ExpressionKind::Name, token.line, {}, token.text);
  QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr node,
                         makeNode(ExpressionKind::Literal, token.line));
  node->literal = std::move(literal);
  return node;
}

TemplateParser::Expression TemplateParser::parseNumber() {
  const TemplateToken &token = peek();
  const char *begin = token.text.data(), *end = begin + token.text.size();
  QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr node,
                         makeNode(ExpressionKind::Literal, token.line));
  std::from_chars_result read;
  if (token.kind == Kind::Integer) {
    int64_t value = 0;
    read = std::from_chars(begin, end, value);
    node->literal = value;
  } else {
    double value = 0;
    read = std::from_chars(begin, end, value);
    node->literal = value;
  }
  if (read.ec != std::errc() || read.ptr != end)
    return unsupportedHere("the number " + token.text);
  ++position;
  return node;
}

TemplateParser::Expression TemplateParser::parseList() {
  unsigned line = peek().line;
  std::vector<TemplateExpressionPtr> items;
  while (!skipOperator("]")) {
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr item, parseExpression());
    items.push_back(std::move(item));
    if (!isOperator("]"))
      QUERN_RETURN_IF_ERROR(expectOperator(","));
  }
  return makeNode(ExpressionKind::List, line, std::move(items));
}

TemplateParser::Expression TemplateParser::parseDict() {
  unsigned line = peek().line;
  std::vector<TemplateExpressionPtr> entries;
  while (!skipOperator("}")) {
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr key, parseExpression());
    QUERN_RETURN_IF_ERROR(expectOperator(":"));
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr value, parseExpression());
    entries.push_back(std::move(key));
    entries.push_back(std::move(value));
    if (!isOperator("}"))
      QUERN_RETURN_IF_ERROR(expectOperator(","));
  }
  return makeNode(ExpressionKind::Dict, line, std::move(entries));
}

//===----------------------------------------------------------------------===//
// Postfix
//===----------------------------------------------------------------------===//

TemplateParser::Expression
TemplateParser::parsePostfix(TemplateExpressionPtr value) {
  while (true) {
    unsigned line = peek().line;
    if (skipOperator(".")) {
      if (peek().kind == Kind::Integer) {
        QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr index, parseNumber());
        QUERN_ASSIGN_OR_RETURN(
            value, makeFrom(ExpressionKind::Subscript, line, value, index));
        continue;
      }
      std::string name;
      QUERN_RETURN_IF_ERROR(expectName(name));
      QUERN_ASSIGN_OR_RETURN(value,
                             makeFrom(ExpressionKind::Attribute, line, value));
      value->name = std::move(name);
    } else if (skipOperator("[")) {
      QUERN_ASSIGN_OR_RETURN(value, parseSubscript(std::move(value)));
    } else if (isOperator("(")) {
      if (value->kind == ExpressionKind::Attribute &&
          !isTemplateMethod(value->name))
        return unsupportedHere("the method " + quoteName(value->name, 40));
      QUERN_ASSIGN_OR_RETURN(value,
                             makeFrom(ExpressionKind::Call, line, value));
      QUERN_RETURN_IF_ERROR(parseArguments(*value));
    } else {
      return value;
    }
  }
}

/// After the opening bracket: an index or a slice.
TemplateParser::Expression
TemplateParser::parseSubscript(TemplateExpressionPtr value) {
  unsigned line = peek().line;
  std::vector<TemplateExpressionPtr> parts;
  parts.push_back(std::move(value));
  bool isSlice = false;
  for (int part = 0; part != 3; ++part) {
    TemplateExpressionPtr bound;
    if (!isOperator(":") && !isOperator("]")) {
      QUERN_ASSIGN_OR_RETURN(bound, parseExpression());
    }
    parts.push_back(std::move(bound));
    if (!skipOperator(":"))
      break;
    isSlice = true;
  }
  QUERN_RETURN_IF_ERROR(expectOperator("]"));
  if (!isSlice && !parts[1])
    return unexpected("an index");
  if (isSlice)
    parts.resize(4);
  return makeNode(isSlice ? ExpressionKind::Slice : ExpressionKind::Subscript,
                  line, std::move(parts));
}

TemplateParser::Expression
TemplateParser::parseFilters(TemplateExpressionPtr value) {
  while (true) {
    unsigned line = peek().line;
    if (skipOperator("|")) {
      std::string name;
      QUERN_RETURN_IF_ERROR(expectName(name));
      if (!isTemplateFilter(name))
        return unsupportedHere("the filter " + quoteName(name, 40));
      QUERN_ASSIGN_OR_RETURN(value,
                             makeFrom(ExpressionKind::Filter, line, value));
      value->name = std::move(name);
      if (isOperator("("))
        QUERN_RETURN_IF_ERROR(parseArguments(*value));
    } else if (isName("is")) {
      QUERN_ASSIGN_OR_RETURN(value, parseTest(std::move(value)));
    } else if (isOperator("(")) {
      QUERN_ASSIGN_OR_RETURN(value,
                             makeFrom(ExpressionKind::Call, line, value));
      QUERN_RETURN_IF_ERROR(parseArguments(*value));
    } else {
      return value;
    }
  }
}

TemplateParser::Expression
TemplateParser::parseTest(TemplateExpressionPtr value) {
  unsigned line = peek().line;
  ++position; // is
  bool negated = skipName("not");
  std::string name;
  QUERN_RETURN_IF_ERROR(expectName(name));
  if (!isTemplateTest(name))
    return unsupportedHere("the test " + quoteName(name, 40));
  if (isOperator("("))
    return unsupportedHere("a test with arguments");
  QUERN_ASSIGN_OR_RETURN(value, makeFrom(ExpressionKind::Test, line, value));
  value->name = std::move(name);
  return negated ? makeFrom(ExpressionKind::Not, line, value)
                 : Expression(std::move(value));
}

Status TemplateParser::parseArguments(TemplateExpression &call) {
  QUERN_RETURN_IF_ERROR(expectOperator("("));
  while (!skipOperator(")")) {
    if (isOperator("*") || isOperator("**"))
      return unsupportedHere("arguments with *");
    bool isKeyword = peek().kind == Kind::Name &&
                     peek(1).kind == Kind::Operator && peek(1).text == "=";
    if (isKeyword) {
      call.names.push_back(peek().text);
      position += 2;
    } else if (!call.names.empty()) {
      return unexpected("a keyword argument");
    }
    QUERN_ASSIGN_OR_RETURN(TemplateExpressionPtr argument, parseExpression());
    call.depth = std::max(call.depth, argument->depth + 1);
    call.operands.push_back(std::move(argument));
    if (!isOperator(")"))
      QUERN_RETURN_IF_ERROR(expectOperator(","));
  }
  return Status::ok();
}

} // namespace quern
