//===- TemplatePrimaryParser.cpp - names, literals, calls, filters --------===//

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/chat/TemplateBuiltins.h"
#include "runtime/tokenizer/chat/TemplateParser.h"

#include <charconv>

namespace quern {

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
    return unsupportedHere("the number " + quoteName(token.text, 40));
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
