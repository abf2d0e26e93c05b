//===- ChatTemplate.h - the Jinja subset of chat templates ------*- C++ -*-===//
//
// Renders the `chat_template` of a tokenizer_config.json, or the text of a
// chat_template.jinja, as Hugging Face does: Jinja with trim_blocks and
// lstrip_blocks. What Qwen's templates use is there; the list is in
// runtime/tokenizer/README.md. Anything else is Unsupported, with its line.
//
// Errors of render: InvalidArgument for what the template raises and for wrong
// types and undefined values ("chat template line 12: ..."), ResourceExhausted
// beyond a limit, Unsupported for operations that we do not have.
// Thread-safety: a const ChatTemplate may render in many threads at once.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_CHATTEMPLATE_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_CHATTEMPLATE_H

#include "runtime/base/Status.h"
#include "runtime/tokenizer/chat/TemplateValue.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace quern {

struct TemplateProgram;

/// What a rendering may cost. The defaults suit conversations of some
/// megabytes and stop a hostile template within a second or so.
struct TemplateLimits {
  uint64_t maxSteps = 20'000'000;
  uint64_t maxOutputBytes = uint64_t(16) << 20;
};

class ChatTemplate {
public:
  /// Longer templates are refused.
  static constexpr size_t maxTemplateBytes = size_t(64) << 10;

  /// Compiles a template. Corrupt for wrong syntax.
  static Result<ChatTemplate> parse(std::string_view text);

  /// The text of the template of a tokenizer_config.json: the member
  /// `chat_template`, a string or a list of {name, template} of which
  /// "default" is taken. NotFound if there is none.
  static Result<std::string_view> findInConfig(const JsonValue &config);

  /// Renders with these variables: messages (a list of {role, content, ...}),
  /// add_generation_prompt (bool), tools, enable_thinking and what else the
  /// template asks for.
  Result<std::string> render(const TemplateDict &variables,
                             const TemplateLimits &limits = {}) const;

private:
  std::shared_ptr<const TemplateProgram> program;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_CHATTEMPLATE_H
