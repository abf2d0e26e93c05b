//===- TemplateInterpreter.h - running a chat template ----------*- C++ -*-===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEINTERPRETER_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEINTERPRETER_H

#include "runtime/tokenizer/chat/ChatTemplate.h"
#include "runtime/tokenizer/chat/TemplateAst.h"

#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// One rendering. Scopes are Jinja's: a loop's body and a macro have their
/// own, an `if` has not; a macro sees its own variables and the top level's.
class TemplateInterpreter {
public:
  /// Expressions, blocks and macro calls nest at most this deep together.
  static constexpr unsigned maxDepth = 250;
  /// Lists and dictionaries in each other.
  static constexpr unsigned maxValueDepth = 100;

  TemplateInterpreter(const TemplateProgram &program,
                      const TemplateDict &variables,
                      const TemplateLimits &limits)
      : program(program), variables(variables),
        budget{limits.maxSteps, limits.maxOutputBytes} {}

  Result<std::string> run();

private:
  using Value = Result<TemplateValue>;

  /// How a body ended.
  enum class Flow : uint8_t { Next, Break, Continue };

  struct Scope {
    bool isMacro = false;
    std::vector<std::pair<std::string_view, TemplateValue>> variables;
  };

  // Statements (TemplateInterpreter.cpp).
  Result<Flow> execute(const TemplateBody &body, std::string &out);
  Result<Flow> execute(const TemplateStatement &statement, std::string &out);
  Result<Flow> executeIf(const TemplateStatement &statement, std::string &out);
  Result<Flow> executeFor(const TemplateStatement &statement, std::string &out);
  Result<TemplateValue::List> loopItems(const TemplateStatement &statement);
  Status executeSet(const TemplateStatement &statement);
  Status bind(const TemplateStatement &statement, TemplateValue value);
  Status appendOutput(unsigned line, const TemplateValue &value,
                      std::string &out);

  // Expressions (TemplateEvaluator.cpp).
  Value evaluate(const TemplateExpression &expression);
  Value evaluateNode(const TemplateExpression &expression);
  Value evaluateName(const TemplateExpression &expression);
  Value evaluateList(const TemplateExpression &expression);
  Value evaluateDict(const TemplateExpression &expression);
  Value evaluateSign(const TemplateExpression &expression);
  Value evaluateLogic(const TemplateExpression &expression);
  Value evaluateCompare(const TemplateExpression &expression);
  Value evaluateConcat(const TemplateExpression &expression);
  Value evaluateConditional(const TemplateExpression &expression);
  Value evaluateAttribute(const TemplateExpression &expression);
  Value evaluateLoopAttribute(const TemplateExpression &expression,
                              const TemplateLoop &loop);
  Value evaluateSubscript(const TemplateExpression &expression);
  Value evaluateSlice(const TemplateExpression &expression);
  Value evaluateFilter(const TemplateExpression &expression);
  Value evaluateTest(const TemplateExpression &expression);
  Value evaluateCall(const TemplateExpression &expression);
  Value callFunction(const TemplateExpression &expression);
  Value callNamespace(const TemplateExpression &expression);
  Value callMacro(const TemplateExpression &expression,
                  const TemplateMacro &macro);
  Result<std::vector<TemplateValue>>
  evaluateArguments(const TemplateExpression &expression);

  const TemplateValue *findVariable(std::string_view name) const;
  void setVariable(std::string_view name, TemplateValue value);
  Status checkPlain(unsigned line, const TemplateValue &value) const;
  Status fail(unsigned line, std::string_view message) const;
  Status at(unsigned line, Status status) const;

  const TemplateProgram &program;
  const TemplateDict &variables;
  TemplateBudget budget;
  std::vector<Scope> scopes;
  unsigned depth = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEINTERPRETER_H
