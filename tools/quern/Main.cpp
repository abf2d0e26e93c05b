//===- Main.cpp - The quern command ---------------------------------------===//
//
// Built twice: quern runs bundles, quern-compiler has all commands. What the
// first does not know it leaves to the second, if that lies beside it.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Escape.h"
#include "tools/quern/Commands.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <unistd.h>

using namespace quern;

/// What scripts may rely on.
enum ExitCode { Success = 0, Failure = 1, UsageError = 2 };

static int fail(const std::string &message) {
  std::fprintf(stderr, "quern: error: %s\n", message.c_str());
  return Failure;
}

/// Output that did not reach its destination is a failure too.
static int runCommand(const tool::Command &command) {
  Status status = command();
  if (!status.isOk())
    return fail(status.getMessage());
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    return fail("cannot write to the standard output");
  return Success;
}

#ifndef QUERN_WITH_COMPILER
/// Becomes quern-compiler, which lies in the folder of this program; returns if
/// it does not.
static void startCompiler(char **argv) {
  std::string path(4096, '\0');
  ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0 || size_t(length) == path.size())
    return;
  path.resize(path.rfind('/', size_t(length) - 1) + 1);
  path += "quern-compiler";
  ::execv(path.c_str(), argv);
}
#endif

static int parseAndRun(int argc, char **argv) {
  CLI::App app("Compiles Qwen models ahead of time and runs them.", "quern");
  app.require_subcommand(1);
  app.set_version_flag("--version", QUERN_VERSION);
  tool::Command selected;
#define QUERN_COMMAND(Name) tool::add##Name##Command(app, selected);
#include "tools/quern/Commands.inc"
#ifndef QUERN_WITH_COMPILER
  bool isOwn = argc > 1 && !app.get_subcommands([&](CLI::App *command) {
                                 return command->check_name(argv[1]);
                               })
                                .empty();
  bool asksVersion = argc > 1 && std::string_view(argv[1]) == "--version";
  if (!isOwn && !asksVersion)
    startCompiler(argv);
#endif

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) // --help, --version
      return app.exit(error);
    // CLI11 would only say that a subcommand is missing.
    std::string message = error.what();
    auto hasName = [&](CLI::App *command) {
      return argc > 1 && command->check_name(argv[1]);
    };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(hasName).empty())
      message = "unknown command " + quoteName(argv[1]);
    std::fprintf(stderr, "quern: error: %s\nRun `quern --help` for usage.\n",
                 message.c_str());
    return UsageError;
  }
  return runCommand(selected);
}

int main(int argc, char **argv) {
  // A write past RLIMIT_FSIZE shall fail with EFBIG instead of killing us.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return parseAndRun(argc, argv);
  } catch (const std::bad_alloc &) {
    std::fputs("quern: error: out of memory\n", stderr);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "quern: error: %s\n", error.what());
  }
  return Failure;
}
