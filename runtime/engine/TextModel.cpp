//===- TextModel.cpp - From text and chats to tokens ----------------------===//

#include "runtime/engine/TextModel.h"

#include <algorithm>

using namespace quern;

/// Stands inside of a special token's text in a message, so that it is none.
/// U+FDD0, a code point that no text has; taken out again before encoding.
static constexpr std::string_view kMarker = "\xEF\xB7\x90";

Result<TextModel> TextModel::create(std::shared_ptr<const Bundle> bundle) {
  TextModel model(std::move(bundle));
  const Bundle &file = *model.bundle;
  if (!file.getTokenizer().empty()) {
    Result<Tokenizer> tokenizer = Tokenizer::deserialize(file.getTokenizer());
    if (!tokenizer.isOk())
      return std::move(tokenizer).takeStatus().withContext(file.getName() +
                                                           ": tokenizer");
    QUERN_RETURN_IF_ERROR(
        tokenizer->checkVocabSize(file.getManifest().model()->vocab_size())
            .withContext(file.getName()));
    model.tokenizer = std::move(*tokenizer);
    for (uint32_t id = 0; id != model.tokenizer->getIdCount(); ++id)
      if (model.tokenizer->isSpecial(TokenId(id)))
        model.specialTokens.push_back(
            {*model.tokenizer->getTokenBytes(TokenId(id)), int32_t(id)});
    std::ranges::stable_sort(
        model.specialTokens, std::ranges::greater(),
        [](const SpecialToken &token) { return token.text.size(); });
  }
  if (!file.getChatTemplate().empty()) {
    Result<ChatTemplate> parsed = ChatTemplate::parse(file.getChatTemplate());
    if (!parsed.isOk())
      return std::move(parsed).takeStatus().withContext(file.getName());
    model.chatTemplate = std::move(*parsed);
  }
  return model;
}

Result<std::vector<int32_t>> TextModel::encode(std::string_view text,
                                               bool parseSpecial) const {
  if (!tokenizer)
    return notFound("the bundle has no tokenizer");
  EncodeOptions options;
  options.parseSpecial = parseSpecial;
  return tokenizer->encode(text, options);
}

Result<std::string> TextModel::decode(std::span<const int32_t> ids,
                                      bool skipSpecial) const {
  if (!tokenizer)
    return notFound("the bundle has no tokenizer");
  DecodeOptions options;
  options.skipSpecial = skipSpecial;
  return tokenizer->decode(ids, options);
}

static Result<std::string> render(const ChatTemplate &chatTemplate,
                                  std::span<const ChatMessage> messages,
                                  const ChatOptions &options) {
  TemplateValue::List list;
  for (const ChatMessage &message : messages) {
    TemplateDict dict;
    dict.set("role", message.role);
    dict.set("content", message.content);
    list.push_back(std::move(dict));
  }
  TemplateDict variables;
  variables.set("messages", std::move(list));
  variables.set("add_generation_prompt", options.addGenerationPrompt);
  if (options.enableThinking)
    variables.set("enable_thinking", *options.enableThinking);
  return chatTemplate.render(variables);
}

Result<std::string> TextModel::renderChat(std::span<const ChatMessage> messages,
                                          const ChatOptions &options) const {
  if (!chatTemplate)
    return notFound("the bundle has no chat template");
  return render(*chatTemplate, messages, options);
}

/// `text` with a marker after the first byte of each special token, and markers
/// of its own replaced.
std::string TextModel::hideSpecialTokens(std::string_view text) const {
  std::string result;
  for (size_t i = 0; i != text.size();) {
    std::string_view rest = text.substr(i);
    if (rest.starts_with(kMarker)) {
      result += "\xEF\xBF\xBD"; // U+FFFD
      i += kMarker.size();
      continue;
    }
    result += text[i++];
    if (std::ranges::any_of(specialTokens, [&](const SpecialToken &token) {
          return rest.starts_with(token.text);
        }))
      result += kMarker;
  }
  return result;
}

Result<std::vector<int32_t>>
TextModel::encodeChat(std::span<const ChatMessage> messages,
                      const ChatOptions &options) const {
  if (!chatTemplate)
    return notFound("the bundle has no chat template");
  std::vector<ChatMessage> hidden;
  for (const ChatMessage &message : messages)
    hidden.push_back({message.role, hideSpecialTokens(message.content)});
  QUERN_ASSIGN_OR_RETURN(std::string text,
                         render(*chatTemplate, hidden, options));
  return encodeRendered(text);
}

/// Encodes the template's special tokens as such and what is between them as
/// ordinary text without markers.
Result<std::vector<int32_t>>
TextModel::encodeRendered(std::string_view text) const {
  std::vector<int32_t> ids;
  std::string plain;
  auto flush = [&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::vector<int32_t> part,
                           encode(plain, /*parseSpecial=*/false));
    ids.insert(ids.end(), part.begin(), part.end());
    plain.clear();
    return Status::ok();
  };
  for (size_t i = 0; i != text.size();) {
    std::string_view rest = text.substr(i);
    if (rest.starts_with(kMarker)) {
      i += kMarker.size();
      continue;
    }
    auto special =
        std::ranges::find_if(specialTokens, [&](const SpecialToken &token) {
          return rest.starts_with(token.text);
        });
    if (special == specialTokens.end()) {
      plain += text[i++];
      continue;
    }
    QUERN_RETURN_IF_ERROR(flush());
    ids.push_back(special->id);
    i += special->text.size();
  }
  QUERN_RETURN_IF_ERROR(flush());
  return ids;
}
