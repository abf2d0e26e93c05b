//===- TemplateParser.h - tokens of a chat template to its tree -*- C++ -*-===//
//
// Recursive descent with Jinja's precedence, from loose to tight: `x if y else
// z`, or, and, not, comparisons and `in`, + -, ~, * / // %, unary + -, then
// postfix: attribute, subscript, call, filter, test.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEPARSER_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEPARSER_H

#include "runtime/tokenizer/chat/TemplateAst.h"
#include "runtime/tokenizer/chat/TemplateLexer.h"

#include <algorithm>
#include <initializer_list>

namespace quern {

class TemplateParser {
public:
  /// Blocks and brackets nest at most this deep, expressions too.
  static constexpr unsigned maxDepth = 100;

  explicit TemplateParser(std::vector<TemplateToken> tokens)
      : tokens(std::move(tokens)) {}

  Result<TemplateProgram> parse();

private:
  using Kind = TemplateToken::Kind;
  using Expression = Result<TemplateExpressionPtr>;
  using ExpressionKind = TemplateExpression::Kind;
  using StatementKind = TemplateStatement::Kind;

  // Statements (TemplateStatementParser.cpp). A body ends in front of a block
  // tag with one of these names; "" stands for the end of the template.
  Status parseBody(TemplateBody &body,
                   std::initializer_list<std::string_view> ends);
  Status parseBlock(TemplateBody &body);
  Status parseIf(TemplateStatement &statement);
  Status parseFor(TemplateStatement &statement);
  Status parseSet(TemplateStatement &statement);
  Status parseMacro(TemplateStatement &statement);
  Status parseParameters(TemplateMacro &macro);
  Status parseTargets(std::vector<std::string> &targets);
  Status endBlock();
  Status endNamedBlock(std::string_view name);

  // Expressions (TemplateParser.cpp).
  Expression parseExpression(); ///< a conditional expression
  Expression parseTuple();      ///< one or several, with commas
  Expression parseOr();
  Expression parseAnd();
  Expression parseNot();
  Expression parseCompare();
  Expression parseArithmetic(unsigned level);
  Expression parseConcat();
  Expression parseUnary(bool withFilters);
  Expression parsePrimary();
  Expression parseName();
  Expression parseNumber();
  Expression parseList();
  Expression parseDict();
  Expression parsePostfix(TemplateExpressionPtr value);
  Expression parseSubscript(TemplateExpressionPtr value);
  Expression parseFilters(TemplateExpressionPtr value);
  Expression parseTest(TemplateExpressionPtr value);
  Status parseArguments(TemplateExpression &call);
  Expression makeNode(ExpressionKind kind, unsigned line,
                      std::vector<TemplateExpressionPtr> operands = {},
                      std::string name = {});
  template <typename... Operands>
  Expression makeFrom(ExpressionKind kind, unsigned line,
                      Operands &&...operands) {
    std::vector<TemplateExpressionPtr> list;
    (list.push_back(std::move(operands)), ...);
    return makeNode(kind, line, std::move(list));
  }

  const TemplateToken &peek(size_t ahead = 0) const {
    return tokens[std::min(position + ahead, tokens.size() - 1)];
  }
  bool isOperator(std::string_view op) const {
    return peek().kind == Kind::Operator && peek().text == op;
  }
  bool isName(std::string_view name) const {
    return peek().kind == Kind::Name && peek().text == name;
  }
  bool skipOperator(std::string_view op);
  bool skipName(std::string_view name);
  Status expectOperator(std::string_view op);
  Status expectName(std::string &name);
  Status unexpected(std::string_view expected) const;
  Status unsupportedHere(std::string_view what) const;

  /// Counts nested calls of the functions through which all recursion goes.
  class Nesting {
  public:
    explicit Nesting(unsigned &depth) : depth(++depth) {}
    ~Nesting() { --depth; }

  private:
    unsigned &depth;
  };
  Status checkNesting() const;

  std::vector<TemplateToken> tokens;
  size_t position = 0;
  unsigned depth = 0;
  unsigned loops = 0; ///< around the current statement
  bool insideMacro = false;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEPARSER_H
