//===- TemplateLexer.h - tokens of a chat template --------------*- C++ -*-===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATELEXER_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATELEXER_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct TemplateToken {
  enum class Kind : uint8_t {
    Text,        ///< outside of tags, white space already trimmed
    OutputBegin, ///< {{
    OutputEnd,
    BlockBegin, ///< {%
    BlockEnd,
    Name,
    Integer,
    Float,
    String,   ///< text is unescaped
    Operator, ///< text is the operator
    End,
  };
  Kind kind;
  unsigned line;
  std::string text;
};

/// Prefixes a message with its place in the template.
std::string atTemplateLine(unsigned line, std::string_view message);

/// Cuts a template into tokens, applying {%- -%} {%+, trim_blocks and
/// lstrip_blocks. The last token is End.
Result<std::vector<TemplateToken>> lexTemplate(std::string_view source);

/// Removes Python's white space from the ends of `text`.
std::string_view stripTemplateSpace(std::string_view text, bool left,
                                    bool right);

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATELEXER_H
