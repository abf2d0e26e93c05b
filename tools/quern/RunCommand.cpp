//===- RunCommand.cpp - quern run and quern chat --------------------------===//

#include "tools/quern/Commands.h"
#include "tools/quern/Run.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

using namespace quern;
using namespace quern::tool;

/// "auto", "off" or a depth.
static int32_t parseDepth(const std::string &value) {
  if (value == "auto")
    return kAutoDraftDepth;
  if (value == "off")
    return 0;
  if (value.size() != 1 || value[0] < '0' ||
      value[0] > char('0' + kMaxDraftDepth))
    throw CLI::ValidationError("--speculate",
                               "expected auto, off or 0 to " +
                                   std::to_string(kMaxDraftDepth));
  return value[0] - '0';
}

/// What both commands have.
static void addCommonOptions(CLI::App &command, RunOptions &options) {
  addOpenOptions(command, options.open);
  addSamplingOptions(command, options.sampling);
  command.add_option("--system", options.system, "The system message");
  // A callback: bound to the optional, an absent flag would mean false.
  command.add_flag(
      "--think,!--no-think",
      [&options](int64_t count) { options.think = count > 0; },
      "Let the model think first, or not (default: as the chat template does)");
  command
      .add_option("--max-tokens", options.maxTokens,
                  "Most tokens to generate (default: until the context is "
                  "full)")
      ->check(CLI::Range(int64_t(0), INT64_MAX));
  command
      .add_option_function<std::string>(
          "--speculate",
          [&options](const std::string &value) {
            options.draftDepth = parseDepth(value);
          },
          "Tokens to draft for each step with the model's draft layer: a "
          "number "
          "up to 7, `auto` (as many as pay, the default) or `off`; it changes "
          "how fast tokens come, never which")
      ->type_name("N|auto|off");
  command.add_flag("--quiet", options.quiet, "No statistics at the end");
}

void tool::addRunCommand(CLI::App &app, Command &selected) {
  auto options = std::make_shared<RunOptions>();
  CLI::App *command =
      app.add_subcommand("run", "Answers a prompt with a compiled model");
  addCommonOptions(*command, *options);
  CLI::Option *prompt = command->add_option("-p,--prompt", options->prompt,
                                            "The prompt; a user's message");
  command
      ->add_option("--prompt-ids", options->promptIds,
                   "The prompt as token ids: 5,7,9")
      ->delimiter(',')
      ->excludes(prompt);
  command->add_flag("--raw", options->raw,
                    "Take the prompt as it is, without the chat template");
  command->add_flag("--ignore-eos", options->ignoreEos,
                    "Go on after the model's end token");
  command->add_option("--chunk", options->chunk,
                      "Most prompt tokens per step (1: token by token; "
                      "default: as many as fit)");
  command->add_option("--dump-logits", options->dumpLogits,
                      "Write the logits of every prompt position to this "
                      "safetensors file, as `logits` [T, vocab]");
  command->add_flag("--json", options->json,
                    "Print one JSON object: ids, text, finish_reason, timings");
  command->callback(
      [=, &selected] { selected = [=] { return run(*options); }; });
}

void tool::addChatCommand(CLI::App &app, Command &selected) {
  auto options = std::make_shared<RunOptions>();
  CLI::App *command = app.add_subcommand(
      "chat", "Talks with a compiled model, one line per turn");
  addCommonOptions(*command, *options);
  command->callback(
      [=, &selected] { selected = [=] { return chat(*options); }; });
}
