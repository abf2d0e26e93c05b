//===- Generate.cpp - One prompt to its continuation ----------------------===//

#include "runtime/engine/Generate.h"

#include <algorithm>
#include <optional>
#include <string>

using namespace quern;

namespace {

/// Hands tokens and their text to the callback.
class TextStream final : public TokenListener {
public:
  TextStream(const Tokenizer *tokenizer, const GenerateCallback &callback)
      : callback(callback) {
    if (tokenizer)
      detokenizer.emplace(*tokenizer, DecodeOptions{/*skipSpecial=*/true});
    text.reserve(4096);
  }

  bool onToken(int32_t token) override {
    text.clear();
    // Surplus rows of the embedding are tokens without a text.
    if (detokenizer)
      (void)detokenizer->append(token, text);
    return !callback || callback(token, text);
  }

  void finish() {
    text.clear();
    if (detokenizer)
      detokenizer->flush(text);
    if (callback && !text.empty())
      (void)callback(-1, text);
  }

private:
  const GenerateCallback &callback;
  std::optional<StreamingDetokenizer> detokenizer;
  std::string text;
};

} // namespace

SamplingParameters quern::getSamplingDefaults(const Bundle &bundle) {
  SamplingParameters parameters;
  const bundle::SamplingDefaults *defaults = bundle.getManifest().sampling();
  if (!defaults)
    return parameters;
  if (defaults->do_sample()) {
    parameters.temperature = defaults->temperature();
    parameters.topK = defaults->top_k();
    parameters.topP = defaults->top_p();
    parameters.minP = defaults->min_p();
  }
  parameters.repetitionPenalty = defaults->repetition_penalty();
  return parameters;
}

/// How much of `keep` shared tokens to keep so that the draft layer knows all
/// of them. Its row of a position depends on the token that follows.
static uint32_t keepForDrafts(const Sequence &sequence,
                              std::span<const int32_t> prompt, uint32_t keep) {
  uint32_t known = std::min(keep, sequence.getDrafted());
  if (known == 0)
    return keep; // Without drafts so far: a cache is worth more than they are.
  int32_t follower = known == sequence.getDrafted()
                         ? sequence.getDraftFollower()
                         : sequence.getTokens()[known];
  return follower == prompt[known] ? known : known - 1;
}

/// Cuts the sequence to what it shares with the prompt. At least one token of
/// the prompt is left to be fed: its row gives the first new token. Recurrent
/// states that can't be taken back so far start over.
static void reusePrefix(Sequence &sequence, std::span<const int32_t> prompt,
                        bool drafts) {
  uint32_t keep = sequence.getCommonPrefix(prompt);
  if (keep == prompt.size() && keep != 0)
    --keep;
  keep = sequence.getReachableLength(keep);
  if (drafts && keep != 0)
    if (uint32_t known = keepForDrafts(sequence, prompt, keep);
        known + kMaxDraftDepth + 1 >= keep)
      keep = sequence.getReachableLength(known) == known ? known : keep;
  sequence.truncate(keep);
}

Result<GenerateResult> quern::generate(Engine &engine, Sequence &sequence,
                                       const Tokenizer *tokenizer,
                                       std::span<const int32_t> prompt,
                                       const GenerationOptions &options,
                                       const GenerateCallback &callback) {
  bool drafts = options.draftDepth != 0 &&
                engine.getModel().getProgram(bundle::ProgramKind::DraftVerify);
  reusePrefix(sequence, prompt, drafts);
  GenerateResult result;
  result.promptTokens = prompt.size();
  result.reusedTokens = sequence.getLength();

  TextStream stream(tokenizer, callback);
  Scheduler scheduler(engine);
  Generation generation(sequence, prompt.subspan(result.reusedTokens), options,
                        &stream);
  QUERN_RETURN_IF_ERROR(scheduler.add(generation));
  auto begin = engine.now();
  while (generation.isRunning()) {
    QUERN_RETURN_IF_ERROR(scheduler.step());
    if (generation.getNumGenerated() <= 1) {
      result.prefillSeconds = engine.secondsSince(begin);
      if (generation.isPromptDone())
        begin = engine.now();
    } else {
      result.decodeSeconds = engine.secondsSince(begin);
    }
  }
  stream.finish();
  result.finishReason = generation.getFinishReason();
  result.generatedTokens = generation.getNumGenerated();
  result.speculation = generation.getSpeculation();
  return result;
}
