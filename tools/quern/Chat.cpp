//===- Chat.cpp - quern chat ----------------------------------------------===//

#include "tools/quern/Run.h"

#include <cstdio>
#include <iostream>
#include <unistd.h>

using namespace quern;
using namespace quern::tool;

/// Answers the last message and adds the answer. What earlier turns left in
/// the cache is used again as far as the rendered conversation agrees.
static Status answer(OpenModel &model, Sequence &sequence,
                     std::vector<ChatMessage> &messages,
                     const GenerationOptions &generation,
                     const RunOptions &options) {
  ChatOptions chat;
  chat.enableThinking = options.think;
  QUERN_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                         model.text.encodeChat(messages, chat));
  std::string text;
  QUERN_ASSIGN_OR_RETURN(GenerateResult result,
                         generate(*model.engine, sequence,
                                  model.text.getTokenizer(), prompt, generation,
                                  [&](int32_t, std::string_view piece) {
                                    text += piece;
                                    printText(piece);
                                    return true;
                                  }));
  std::printf("\n");
  std::fflush(stdout);
  if (!options.quiet)
    std::fprintf(stderr,
                 "[%llu prompt tokens, %llu from the cache; %llu generated, "
                 "%.1f tokens/s%s; %s]\n",
                 (unsigned long long)result.promptTokens,
                 (unsigned long long)result.reusedTokens,
                 (unsigned long long)result.generatedTokens,
                 result.getDecodeRate(),
                 describeDrafts(result.speculation).c_str(),
                 std::string(finishReasonName(result.finishReason)).c_str());
  messages.push_back({"assistant", std::move(text)});
  return Status::ok();
}

Status tool::chat(const RunOptions &options) {
  QUERN_ASSIGN_OR_RETURN(OpenModel model, openModel(options.open));
  if (!model.text.hasChatTemplate())
    return notFound("the bundle has no chat template");
  GenerationOptions generation;
  QUERN_ASSIGN_OR_RETURN(generation.sampling,
                         makeSampling(options.sampling, *model.bundle));
  if (options.maxTokens >= 0)
    generation.maxTokens = uint64_t(options.maxTokens);
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Sequence> sequence,
                         model.engine->createSequence());
  generation.draftDepth = options.draftDepth;
  std::vector<ChatMessage> start;
  if (!options.system.empty())
    start.push_back({"system", options.system});
  std::vector<ChatMessage> messages = start;
  const bool isTerminal = isatty(STDIN_FILENO);
  if (isTerminal)
    std::fprintf(stderr, "/reset forgets the conversation, /exit ends it\n");
  for (std::string line;;) {
    if (isTerminal) {
      std::printf("> ");
      std::fflush(stdout);
    }
    if (!std::getline(std::cin, line) || line == "/exit")
      return Status::ok();
    if (line == "/reset") {
      messages = start;
      continue;
    }
    if (line.empty())
      continue;
    messages.push_back({"user", line});
    QUERN_RETURN_IF_ERROR(
        answer(model, *sequence, messages, generation, options));
  }
}
