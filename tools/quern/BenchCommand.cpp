//===- BenchCommand.cpp - quern bench -------------------------------------===//

#include "tools/quern/Bench.h"
#include "tools/quern/Commands.h"

#include <CLI/CLI.hpp>

#include <memory>

using namespace quern;
using namespace quern::tool;

void tool::addBenchCommand(CLI::App &app, Command &selected) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = app.add_subcommand(
      "bench", "Measures a compiled model: rates, and where the time goes");
  addOpenOptions(*command, options->open);
  command->add_option("--prefill", options->prefill,
                      "Tokens of the prompt (default: 128)");
  command->add_option("--decode", options->decode,
                      "Tokens to generate (default: 32)");
  command->add_option("--repeat", options->repeat,
                      "Runs, of which the fastest counts (default: 1)");
  command->add_flag("!--no-profile", options->profile,
                    "No times of single dispatches");
  command->add_flag("--json", options->json, "Print JSON");
  command->add_option("--trace", options->trace,
                      "Write the dispatches as a trace for ui.perfetto.dev");
  command->callback(
      [=, &selected] { selected = [=] { return bench(*options); }; });
}
