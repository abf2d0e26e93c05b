//===- TextModel.h - From text and chats to tokens --------------*- C++ -*-===//
//
// The tokenizer and the chat template of a bundle.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_TEXTMODEL_H
#define QUERN_RUNTIME_ENGINE_TEXTMODEL_H

#include "runtime/base/Status.h"
#include "runtime/bundle/Bundle.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "runtime/tokenizer/chat/ChatTemplate.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct ChatMessage {
  std::string role; ///< "system", "user", "assistant"
  std::string content;
};

struct ChatOptions {
  /// End with the beginning of the assistant's turn.
  bool addGenerationPrompt = true;
  /// The template's variable enable_thinking; unset: the template's default.
  std::optional<bool> enableThinking;
};

/// Thread-safe. Functions return NotFound if the bundle lacks what they need.
class TextModel {
public:
  /// Corrupt if the bundle's tokenizer or template is, or if the tokenizer has
  /// more ids than the model has rows.
  static Result<TextModel> create(std::shared_ptr<const Bundle> bundle);

  /// Null if the bundle has none.
  const Tokenizer *getTokenizer() const {
    return tokenizer ? &*tokenizer : nullptr;
  }
  bool hasChatTemplate() const { return chatTemplate.has_value(); }

  Result<std::vector<int32_t>> encode(std::string_view text,
                                      bool parseSpecial) const;
  Result<std::string> decode(std::span<const int32_t> ids,
                             bool skipSpecial) const;

  /// The conversation as the template writes it.
  Result<std::string> renderChat(std::span<const ChatMessage> messages,
                                 const ChatOptions &options = {}) const;

  /// The tokens of the conversation. Special tokens that stand in a message
  /// (<|im_end|>) are ordinary text there: only the template makes turns.
  Result<std::vector<int32_t>>
  encodeChat(std::span<const ChatMessage> messages,
             const ChatOptions &options = {}) const;

private:
  explicit TextModel(std::shared_ptr<const Bundle> bundle)
      : bundle(std::move(bundle)) {}
  std::string hideSpecialTokens(std::string_view text) const;
  Result<std::vector<int32_t>> encodeRendered(std::string_view text) const;

  std::shared_ptr<const Bundle> bundle; ///< The tokenizer points into it.
  std::optional<Tokenizer> tokenizer;
  std::optional<ChatTemplate> chatTemplate;
  struct SpecialToken {
    std::string_view text;
    int32_t id;
  };
  std::vector<SpecialToken> specialTokens; ///< Longest first.
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_TEXTMODEL_H
