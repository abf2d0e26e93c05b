//===- TemplateAst.h - the parsed form of a chat template -------*- C++ -*-===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEAST_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEAST_H

#include "runtime/tokenizer/chat/TemplateValue.h"

#include <memory>
#include <string>
#include <vector>

namespace quern {

struct TemplateExpression;
using TemplateExpressionPtr = std::unique_ptr<TemplateExpression>;

struct TemplateExpression {
  enum class Kind : uint8_t {
    Literal,     ///< literal
    Name,        ///< name
    List,        ///< operands
    Tuple,       ///< operands
    Dict,        ///< operands: key, value, key, value, ...
    Not,         ///< operands[0]
    Negate,      ///< operands[0]
    Plus,        ///< operands[0]
    And,         ///< operands[0..1]
    Or,          ///< operands[0..1]
    Arithmetic,  ///< names[0] the operator, operands[0..1]
    Concat,      ///< operands joined as strings
    Compare,     ///< operands[0] names[0] operands[1] names[1] ...
    Conditional, ///< operands: value, condition, else or null
    Attribute,   ///< operands[0] . name
    Subscript,   ///< operands[0] [ operands[1] ]
    Slice,       ///< operands: value, start, stop, step; the last three or null
    Call,        ///< operands[0] ( arguments )
    Filter,      ///< operands[0] | name ( arguments )
    Test,        ///< operands[0] is name
  };
  Kind kind;
  unsigned line;
  /// Nesting below this node; the parser bounds it.
  unsigned depth = 0;
  std::string name;
  TemplateValue literal;
  std::vector<TemplateExpressionPtr> operands;
  /// Of Call and Filter: operands[1..] are the arguments, of which the last
  /// names.size() are keyword arguments. Of Compare and Arithmetic: operators.
  std::vector<std::string> names;
};

struct TemplateStatement;
using TemplateBody = std::vector<TemplateStatement>;

/// `if`, `elif` or `else` (without a condition).
struct TemplateBranch {
  TemplateExpressionPtr condition;
  TemplateBody body;
};

struct TemplateMacro {
  struct Parameter {
    std::string name;
    TemplateExpressionPtr defaultValue; ///< or null
  };
  std::string name;
  std::vector<Parameter> parameters;
  TemplateBody body;
};

struct TemplateStatement {
  enum class Kind : uint8_t {
    Text,         ///< text
    Output,       ///< expression
    If,           ///< branches
    For,          ///< targets, expression, filter, body, otherwise
    Set,          ///< targets, expression
    SetAttribute, ///< targets[0] . targets[1] = expression
    SetBlock,     ///< targets[0], body
    Macro,        ///< macro
    Break,
    Continue,
  };
  Kind kind;
  unsigned line;
  std::string text;
  std::vector<std::string> targets;
  TemplateExpressionPtr expression;
  TemplateExpressionPtr filter; ///< or null
  std::vector<TemplateBranch> branches;
  TemplateBody body;
  TemplateBody otherwise;
  std::unique_ptr<TemplateMacro> macro;
};

struct TemplateProgram {
  TemplateBody body;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEAST_H
