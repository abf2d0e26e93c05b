//===- CompileCommand.cpp - quern compile ---------------------------------===//

#include "runtime/base/Encoding.h"
#include "tools/compile/CompileOptions.h"
#include "tools/quern/Commands.h"
#include "tools/quern/ModelOptions.h"

#include <CLI/CLI.hpp>

#include <memory>

using namespace quern;

/// The element types that weights can have.
static std::vector<std::string> listWeightTypes() {
  std::vector<std::string> names = {"keep", "bf16", "f16"};
  for (const EncodingInfo &info : getEncodings())
    names.emplace_back(info.name);
  return names;
}

static void addQuantizeOptions(CLI::App &command, QuantizeOptions &options) {
  CLI::IsMember isType(listWeightTypes());
  command
      .add_option("--quantize", options.weights,
                  "Element type of the weights: q4 and int8 are groups of 32 "
                  "with a scale (default: as in the checkpoint)")
      ->check(isType);
  auto add = [&](const char *name, std::string &value, const char *what) {
    command
        .add_option(name, value,
                    std::string("Likewise of ") + what +
                        " (default: as --quantize, but at least int8)")
        ->check(isType);
  };
  add("--quantize-embedding", options.embedding, "the embedding");
  add("--quantize-head", options.head, "the output head");
  add("--quantize-router", options.router, "the routers of experts");
  add("--quantize-draft", options.draft, "the draft (MTP) layers");
}

void tool::addModelOptions(CLI::App &command, CompileOptions &options) {
  command
      .add_option("checkpoint", options.checkpoint,
                  "Folder with config.json, safetensors and tokenizer")
      ->required();
  command
      .add_option("--target", options.target,
                  "A target of `quern targets`, a JSON file, native, or "
                  "cuda:ARCH,ARCH... for code of these NVIDIA architectures, "
                  "cpu:VARIANT,... (or all, base) of these CPUs")
      ->capture_default_str();
  command
      .add_option("--context", options.context, "Longest sequence in tokens")
      ->capture_default_str()
      ->check(CLI::Range(1, 16 << 20));
  command
      .add_option("--slots", options.slots,
                  "Sequences that live at the same time")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--page-size", options.pageSize,
                  "Tokens of a page of the KV cache")
      ->capture_default_str()
      ->check(CLI::IsMember({16, 32, 64}));
  command
      .add_option("--prefill", options.prefill,
                  "Most tokens of one prefill step")
      ->capture_default_str()
      ->check(CLI::Range(16, 8192));
  command
      .add_option("--compute", options.compute,
                  "Element type of activations (default: what the target "
                  "prefers)")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}));
  addQuantizeOptions(command, options.quantize);
  command
      .add_option("--quantize-activations", options.quantizeActivations,
                  "Inputs of quantised weights: int8 codes or as they are "
                  "(default: int8 where the target multiplies bytes)")
      ->check(CLI::IsMember({"int8", "keep"}));
  command
      .add_option("--kv-cache-dtype", options.kvCacheType,
                  "Element type of the KV cache: that of --compute, or int8 "
                  "codes with a scale for each position of a head")
      ->capture_default_str()
      ->check(CLI::IsMember({"compute", "int8"}));
}

void tool::addCompileCommand(CLI::App &app, Command &selected) {
  auto options = std::make_shared<CompileOptions>();
  CLI::App *command = app.add_subcommand(
      "compile", "Compiles a Hugging Face checkpoint into one bundle");
  addModelOptions(*command, *options);
  command->add_option("-o,--output", options->output,
                      "The bundle (or with --compile-to the IR) to write");
  command->add_option(
      "--tuning", options->tuning,
      "Schedules for single kernels that `quern tune` measured");
  command->add_option("--ptxas", options->ptxas,
                      "The assembler for CUDA targets, or none: PTX alone "
                      "(default: $QUERN_PTXAS, on PATH, that of a toolkit)");
  command->add_option("--compile-to", options->compileTo,
                      "Stop after import, graph, shape, quantize, lower or "
                      "memory and "
                      "print the IR");
  command->add_option("--dump-ir-dir", options->dumpIRDir,
                      "Write the IR after each pass to this folder");
  command->add_option("--emit-kernels", options->emitKernels,
                      "Write IR and code of each kernel to this folder");
  command->add_option("--threads", options->threads,
                      "Threads that compile kernels (default: all cores)");
  command->add_flag("--strict-weights", options->strictWeights,
                    "Refuse NaN and infinite weights (reads all of them)");
  command->add_flag("--strict-tensors", options->strictTensors,
                    "Refuse tensors that the model does not know");
  command->add_flag(
      "--no-ir", [options](int64_t) { options->keepIR = false; },
      "Do not store the IR in the bundle");
  command->add_flag(
      "--no-fuse", [options](int64_t) { options->fuse = false; },
      "Leave every op on its own, to look for errors");
  command->add_flag("--keep-intermediates", options->keepIntermediates,
                    "Give every intermediate memory of its own, so that tools "
                    "can read it after a step");
  command->add_flag("-v,--verbose", options->verbose,
                    "List every tensor of the checkpoint");
  command->add_flag("-q,--quiet", options->quiet, "Print errors only");
  command->callback(
      [=, &selected] { selected = [=] { return compile(*options); }; });
}
