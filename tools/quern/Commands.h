//===- Commands.h - The subcommands of quern --------------------*- C++ -*-===//
//
// A command is a file that defines addNameCommand, and a row in Commands.inc.
// addNameCommand adds a subcommand with its options to the app; its callback
// puts what is to be done into `selected`, which main runs after parsing:
//
//   void quern::tool::addInspectCommand(CLI::App &app, Command &selected) {
//     auto options = std::make_shared<InspectOptions>();
//     CLI::App *command = app.add_subcommand("inspect", "...");
//     command->add_option("bundle", options->path, "...")->required();
//     command->callback([=, &selected] {
//       selected = [=] { return inspect(*options); };
//     });
//   }
//
// Main prints the message of a failed Status as "quern: error: message" and
// exits with 1; wrong usage exits with 2.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_QUERN_COMMANDS_H
#define QUERN_TOOLS_QUERN_COMMANDS_H

#include "runtime/base/Status.h"

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace quern::tool {

using Command = std::function<Status()>;

#define QUERN_COMMAND(Name)                                                    \
  void add##Name##Command(CLI::App &app, Command &selected);
#include "tools/quern/Commands.inc"

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_COMMANDS_H
