//===- InspectCommand.cpp - quern inspect ---------------------------------===//

#include "tools/quern/Commands.h"
#include "tools/quern/Inspect.h"

#include <CLI/CLI.hpp>

#include <memory>

using namespace quern;

void tool::addInspectCommand(CLI::App &app, Command &selected) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App *command = app.add_subcommand(
      "inspect", "Verifies a bundle and shows what is in it");
  command->add_option("bundle", options->path, "The bundle to look at")
      ->required();
  command->add_flag("--verify", options->verify,
                    "Check the checksums of weights and IR too");
  CLI::Option_group *view = command->add_option_group("view");
  view->add_flag("--json", options->json, "Print JSON");
  view->add_flag("--ir", options->ir, "Print the IR that the bundle holds");
  view->add_option("--spirv", options->spirvName,
                   "Disassemble a kernel (with spirv-dis)");
  view->add_option("--ptx", options->ptxName, "Print the PTX of a kernel");
  view->add_option("--sass", options->sassName,
                   "Disassemble a kernel's code for an NVIDIA architecture "
                   "(with nvdisasm)");
  view->add_option("--asm", options->asmName,
                   "Disassemble a kernel's code for CPUs (with llvm-objdump or "
                   "objdump)");
  view->add_flag("--resources", options->resources,
                 "What kernels take of NVIDIA GPUs: registers, spills, shared "
                 "memory, occupancy, roofline time");
  view->add_option("--html", options->htmlPath,
                   "Write one self-contained page to this file");
  view->require_option(0, 1);
  command->add_flag(
      "--raw", options->raw,
      "With --spirv, --ptx, --sass, --asm: write the module as it is");
  command->add_option("--target", options->targetName,
                      "Code and resources of which target (default: the "
                      "first)");
  command->add_option("--arch", options->architecture,
                      "With --sass: of which architecture (default: the "
                      "first); with --ptx, --asm: of which variant (default: "
                      "the target's own code)");
  command->callback([=, &selected] {
    bool hasBinary = !options->sassName.empty() || !options->asmName.empty();
    if (options->raw && options->spirvName.empty() &&
        options->ptxName.empty() && !hasBinary)
      throw CLI::RequiresError("--raw", "--spirv, --ptx, --sass or --asm");
    if (!options->architecture.empty() && options->ptxName.empty() &&
        !hasBinary)
      throw CLI::RequiresError("--arch", "--ptx, --sass or --asm");
    selected = [=] { return inspect(*options); };
  });
}
