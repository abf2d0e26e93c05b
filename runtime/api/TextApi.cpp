//===- TextApi.cpp - Tokens and chats of the C API ------------------------===//

#include "runtime/api/ApiObjects.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace quern;
using namespace quern::api;

/// Gives a result of `needed` elements (a NUL included) to a buffer of the
/// caller: the size always, the elements if they fit.
template <typename T>
static Status giveResult(std::span<const T> result, size_t needed, T *buffer,
                         size_t capacity, size_t *size, const char *name) {
  *size = result.size();
  if (!buffer && capacity == 0)
    return Status::ok();
  QUERN_RETURN_IF_ERROR(checkNotNull(buffer, name));
  if (capacity < needed)
    return invalidArgument("capacity is " + std::to_string(capacity) +
                           ", the result takes " + std::to_string(needed));
  std::copy(result.begin(), result.end(), buffer);
  return Status::ok();
}

static Status giveText(const std::string &result, char *text, size_t capacity,
                       size_t *length) {
  QUERN_RETURN_IF_ERROR(giveResult(std::span<const char>(result),
                                   result.size() + 1, text, capacity, length,
                                   "text"));
  if (text)
    text[result.size()] = '\0';
  return Status::ok();
}

extern "C" quern_status quern_tokenize(quern_model *handle, const char *text,
                                       size_t length, int32_t parseSpecial,
                                       int32_t *ids, size_t capacity,
                                       size_t *count) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkNotNull(count, "count"));
    if (length)
      QUERN_RETURN_IF_ERROR(checkNotNull(text, "text"));
    QUERN_ASSIGN_OR_RETURN(
        std::vector<int32_t> result,
        model->text.encode(std::string_view(length ? text : "", length),
                           parseSpecial));
    return giveResult(std::span<const int32_t>(result), result.size(), ids,
                      capacity, count, "ids");
  });
}

extern "C" quern_status quern_detokenize(quern_model *handle,
                                         const int32_t *ids, size_t count,
                                         int32_t skipSpecial, char *text,
                                         size_t capacity, size_t *length) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkNotNull(length, "length"));
    if (count)
      QUERN_RETURN_IF_ERROR(checkNotNull(ids, "ids"));
    QUERN_ASSIGN_OR_RETURN(
        std::string result,
        model->text.decode(std::span(ids, count), skipSpecial));
    return giveText(result, text, capacity, length);
  });
}

//===----------------------------------------------------------------------===//
// Chats
//===----------------------------------------------------------------------===//

extern "C" void quern_chat_options_init(quern_chat_options *options) {
  if (!options)
    return;
  *options = {};
  options->struct_size = sizeof(*options);
  options->add_generation_prompt = 1;
  options->enable_thinking = -1;
}

static Result<ChatOptions> readChatOptions(const quern_chat_options *options) {
  ChatOptions result;
  if (!options)
    return result;
  QUERN_RETURN_IF_ERROR(checkStruct(options, "options"));
  if (options->enable_thinking < -1 || options->enable_thinking > 1)
    return invalidArgument("enable_thinking is " +
                           std::to_string(options->enable_thinking) +
                           ", expected -1, 0 or 1");
  result.addGenerationPrompt = options->add_generation_prompt;
  if (options->enable_thinking >= 0)
    result.enableThinking = options->enable_thinking == 1;
  return result;
}

static Result<std::vector<ChatMessage>>
readMessages(const quern_message *messages, size_t count) {
  if (count == 0)
    return invalidArgument("message_count is 0");
  QUERN_RETURN_IF_ERROR(checkNotNull(messages, "messages"));
  std::vector<ChatMessage> result;
  for (size_t i = 0; i != count; ++i) {
    std::string where = "messages[" + std::to_string(i) + "].";
    QUERN_RETURN_IF_ERROR(
        checkNotNull(messages[i].role, (where + "role").c_str()));
    QUERN_RETURN_IF_ERROR(
        checkNotNull(messages[i].content, (where + "content").c_str()));
    result.push_back({messages[i].role, messages[i].content});
  }
  return result;
}

extern "C" quern_status
quern_chat_render(quern_model *handle, const quern_message *messages,
                  size_t messageCount, const quern_chat_options *options,
                  char *text, size_t capacity, size_t *length) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkNotNull(length, "length"));
    QUERN_ASSIGN_OR_RETURN(ChatOptions chat, readChatOptions(options));
    QUERN_ASSIGN_OR_RETURN(std::vector<ChatMessage> list,
                           readMessages(messages, messageCount));
    QUERN_ASSIGN_OR_RETURN(std::string result,
                           model->text.renderChat(list, chat));
    return giveText(result, text, capacity, length);
  });
}

extern "C" quern_status
quern_chat_tokenize(quern_model *handle, const quern_message *messages,
                    size_t messageCount, const quern_chat_options *options,
                    int32_t *ids, size_t capacity, size_t *count) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkNotNull(count, "count"));
    QUERN_ASSIGN_OR_RETURN(ChatOptions chat, readChatOptions(options));
    QUERN_ASSIGN_OR_RETURN(std::vector<ChatMessage> list,
                           readMessages(messages, messageCount));
    QUERN_ASSIGN_OR_RETURN(std::vector<int32_t> result,
                           model->text.encodeChat(list, chat));
    return giveResult(std::span<const int32_t>(result), result.size(), ids,
                      capacity, count, "ids");
  });
}
