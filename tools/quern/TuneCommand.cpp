//===- TuneCommand.cpp - quern tune ---------------------------------------===//

#include "tools/quern/Commands.h"
#include "tools/quern/ModelOptions.h"
#include "tools/quern/Tune.h"

#include <CLI/CLI.hpp>

#include <memory>

using namespace quern;
using namespace quern::tool;

void tool::addTuneCommand(CLI::App &app, Command &selected) {
  auto options = std::make_shared<TuneOptions>();
  options->compile.layers = 4;
  options->bench.repeat = 3;
  options->bench.decode = 1;
  CLI::App *command = app.add_subcommand(
      "tune",
      "Measures schedules of a model's kernels on this machine's device "
      "and writes the fastest, for `quern compile --tuning`");
  addModelOptions(*command, options->compile);
  command
      ->add_option("-o,--output", options->compile.output,
                   "The tuning file to write")
      ->required();
  command
      ->add_option("--layers", options->compile.layers,
                   "Layers of the model that are compiled and run")
      ->capture_default_str();
  command
      ->add_option("--repeat", options->bench.repeat,
                   "Runs of each schedule, of which the fastest counts")
      ->capture_default_str();
  command->add_option("--threads", options->bench.open.device.threads,
                      "Threads of the CPU device (default: one for each core)");
  command->add_flag("-q,--quiet", options->compile.quiet, "Print errors only");
  command->callback(
      [=, &selected] { selected = [=] { return tune(*options); }; });
}
