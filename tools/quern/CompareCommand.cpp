//===- CompareCommand.cpp - quern compare ---------------------------------===//

#include "tools/quern/Commands.h"
#include "tools/quern/Compare.h"

#include <CLI/CLI.hpp>

#include <memory>

using namespace quern;
using namespace quern::tool;

void tool::addCompareCommand(CLI::App &app, Command &selected) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App *command = app.add_subcommand(
      "compare", "Compares the predictions of two bundles of one model, e.g. "
                 "of a quantised one with those of the original");
  addOpenOptions(*command, options->reference);
  command->add_option("other", options->otherPath, "The bundle to compare")
      ->required();
  CLI::Option *text = command->add_option(
      "--text", options->textPath, "A file with the text to run them over");
  command
      ->add_option("--ids", options->tokenIds, "The text as token ids: 5,7,9")
      ->delimiter(',')
      ->excludes(text);
  command
      ->add_option("--max-tokens", options->maxTokens,
                   "Most tokens of the text")
      ->capture_default_str();
  command->add_option("--html", options->htmlPath,
                      "Write the table as a page to this file too");
  command->callback(
      [=, &selected] { selected = [=] { return compare(*options); }; });
}
