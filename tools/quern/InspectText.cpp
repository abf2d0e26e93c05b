//===- InspectText.cpp - A bundle as tables -------------------------------===//

#include "runtime/base/Escape.h"
#include "runtime/base/FormatBytes.h"
#include "runtime/bundle/Bundle.h"
#include "tools/quern/Inspect.h"
#include "tools/quern/TextTable.h"

#include <cstdio>

using namespace quern;
using namespace quern::tool;

static constexpr auto right = TextTable::Align::Right;

template <typename T> static uint32_t sizeOf(const T *vector) {
  return vector ? vector->size() : 0;
}

static std::string toText(const flatbuffers::String *text) {
  return std::string(toView(text));
}

template <typename T>
static std::string joinNumbers(const T *values, const char *separator) {
  std::string text;
  for (uint32_t i = 0; i < sizeOf(values); ++i)
    text += (i ? separator : "") + std::to_string(values->Get(i));
  return text;
}

/// "2048x1024 BF16"
template <typename T> static std::string describeTensor(const T &tensor) {
  return joinNumbers(tensor.shape(), "x") + " " +
         bundle::EnumNameDType(tensor.dtype());
}

//===----------------------------------------------------------------------===//
// The whole bundle
//===----------------------------------------------------------------------===//

static std::string describeSections(const Bundle &bundle) {
  TextTable table({{"", right},
                   {"section"},
                   {"offset", right},
                   {"bytes", right},
                   {"size", right}});
  uint32_t index = 0;
  for (const SectionEntry &entry : bundle.getSections())
    table.addRow({std::to_string(index++),
                  std::string(sectionKindName(entry.kind)),
                  formatCount(entry.offset), formatCount(entry.size),
                  formatShortBytes(entry.size)});
  const FileHeader &header = bundle.getHeader();
  return bundle.getName() + ": bundle of format " +
         std::to_string(header.version.major) + "." +
         std::to_string(header.version.minor) + ", " +
         formatShortBytes(header.totalSize) + "\n\nsections\n" + table.print();
}

static std::string describeModel(const bundle::Manifest &manifest) {
  const bundle::Model &model = *manifest.model();
  TextTable table({{"model"}, {""}});
  auto add = [&](const char *name, std::string value) {
    table.addRow({name, std::move(value)});
  };
  add("family", toText(model.family()));
  add("name", toText(model.name()));
  add("parameters", formatCount(model.parameters()));
  add("hidden_size", std::to_string(model.hidden_size()));
  add("num_hidden_layers", std::to_string(model.num_hidden_layers()));
  add("num_attention_heads", std::to_string(model.num_attention_heads()));
  add("num_key_value_heads", std::to_string(model.num_key_value_heads()));
  add("head_dim", std::to_string(model.head_dim()));
  add("vocab_size", std::to_string(model.vocab_size()));
  add("context_length", std::to_string(model.context_length()));
  add("num_slots", std::to_string(model.num_slots()));
  add("pages", std::to_string(model.num_pages()) + " of " +
                   std::to_string(model.page_size()) + " tokens");
  add("compute", bundle::EnumNameDType(model.compute()));
  add("bos_token_id", std::to_string(model.bos_token_id()));
  add("pad_token_id", std::to_string(model.pad_token_id()));
  add("eos_token_ids", joinNumbers(model.eos_token_ids(), ", "));
  add("compiler", toText(manifest.compiler_version()));
  add("options", toText(manifest.compile_options()));
  if (const bundle::SamplingDefaults *sampling = manifest.sampling())
    add("sampling",
        std::string(sampling->do_sample() ? "sampled" : "greedy") +
            ", temperature " + std::to_string(sampling->temperature()) +
            ", top_k " + std::to_string(sampling->top_k()) + ", top_p " +
            std::to_string(sampling->top_p()) + ", min_p " +
            std::to_string(sampling->min_p()) + ", repetition_penalty " +
            std::to_string(sampling->repetition_penalty()));
  return "\n" + table.print();
}

/// What a sequence takes: states of one size, and cache for each of its tokens.
static std::string describeSequenceMemory(const bundle::Model &model,
                                          uint64_t cacheBytes,
                                          uint64_t slotBytes) {
  uint64_t tokens = uint64_t(model.num_pages()) * model.page_size();
  uint64_t perToken = cacheBytes / tokens;
  std::string text;
  if (slotBytes)
    text += "  per slot: " + formatShortBytes(slotBytes / model.num_slots()) +
            " of recurrent states, whatever its length\n";
  if (cacheBytes)
    text += "  key-value cache: " + formatShortBytes(perToken) +
            " per token, " +
            formatShortBytes(perToken * model.context_length()) +
            " for a context of " + formatCount(model.context_length()) +
            " tokens, room for " + formatCount(tokens) + "\n";
  return text;
}

/// "34x2x32x64 F32", "34x2x32x64 int8 rows"
static std::string describeStored(const bundle::State &state) {
  return state.encoding() == bundle::StateEncoding::None
             ? describeTensor(state)
             : joinNumbers(state.shape(), "x") + " int8 rows";
}

static std::string describeStates(const bundle::Manifest &manifest) {
  TextTable table(
      {{"", right}, {"state"}, {"kind"}, {"tensor"}, {"size", right}});
  uint64_t cacheBytes = 0, slotBytes = 0;
  for (uint32_t i = 0; i < sizeOf(manifest.states()); ++i) {
    const bundle::State &state = *manifest.states()->Get(i);
    table.addRow({std::to_string(i), toText(state.name()),
                  bundle::EnumNameStateKind(state.kind()),
                  describeStored(state), formatShortBytes(state.size())});
    bool isCache = state.kind() == bundle::StateKind::KeyCache ||
                   state.kind() == bundle::StateKind::ValueCache;
    (isCache ? cacheBytes : slotBytes) += state.size();
  }
  return "\nstates: " + formatShortBytes(cacheBytes + slotBytes) + "\n" +
         describeSequenceMemory(*manifest.model(), cacheBytes, slotBytes) +
         table.print();
}

/// "2048x1024 BF16", "2048x1024 int8"
static std::string describeStored(const bundle::Weight &weight) {
  if (weight.encoding() == bundle::Encoding::None)
    return describeTensor(weight);
  auto encoding = static_cast<Encoding>(weight.encoding());
  return joinNumbers(weight.shape(), "x") + " " +
         std::string(getEncodingInfo(encoding).name);
}

static std::string formatBits(uint64_t bytes, double elements) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.2f",
                8 * static_cast<double>(bytes) / elements);
  return buffer;
}

static std::string describeWeights(const bundle::Manifest &manifest) {
  TextTable table({{"", right},
                   {"weight"},
                   {"tensor"},
                   {"bits", right},
                   {"packing"},
                   {"offset", right},
                   {"size", right},
                   {"sources", right}});
  uint64_t total = 0;
  double elements = 0;
  for (uint32_t i = 0; i < sizeOf(manifest.weights()); ++i) {
    const bundle::Weight &weight = *manifest.weights()->Get(i);
    double count = 1;
    for (uint64_t size : *weight.shape())
      count *= static_cast<double>(size);
    elements += count;
    table.addRow({std::to_string(i), toText(weight.name()),
                  describeStored(weight), formatBits(weight.size(), count),
                  toText(weight.packing()), formatCount(weight.offset()),
                  formatShortBytes(weight.size()),
                  std::to_string(sizeOf(weight.sources()))});
    total += weight.size();
  }
  return "\nweights: " + formatShortBytes(total) +
         (elements > 0 ? ", " + formatBits(total, elements) + " bits each"
                       : "") +
         "\n" + table.print();
}

//===----------------------------------------------------------------------===//
// A target
//===----------------------------------------------------------------------===//

template <typename T> static std::string joinFeatures(const T *features) {
  std::string text;
  for (uint32_t i = 0; i < sizeOf(features); ++i)
    text += (i ? ", " : "") + escapeText(toView(features->Get(i)));
  return text.empty() ? "no features" : text;
}

static std::string describeArchitectures(const bundle::TargetPrograms &target) {
  std::string text;
  for (uint32_t i = 0; i < sizeOf(target.architectures()); ++i) {
    const bundle::Architecture &architecture = *target.architectures()->Get(i);
    text += "  code for " + escapeText(toView(architecture.name())) +
            ", needs " + joinFeatures(architecture.required_features()) + "\n";
  }
  return text.empty() ? text
                      : text + "  else the target's own (the first that the "
                               "device has is taken)\n";
}

static std::string describeTarget(const bundle::TargetPrograms &target) {
  const bundle::Target &description = *target.target();
  return "\ntarget " + escapeText(toView(description.name())) + ": " +
         escapeText(toView(description.api())) + " " +
         escapeText(toView(description.api_version())) + ", subgroup size " +
         (description.subgroup_size()
              ? std::to_string(description.subgroup_size())
              : "any") +
         ", needs " + joinFeatures(description.required_features()) + "\n" +
         describeArchitectures(target);
}

/// "[64, tokens/16*2, 1]": the axis that depends on a count is a formula.
static std::string describeGrid(const bundle::Kernel &kernel) {
  std::string text = "[";
  for (uint32_t axis = 0; axis < 3; ++axis) {
    text += axis ? ", " : "";
    if (kernel.grid_count() == bundle::GridCount::None ||
        axis != kernel.grid_axis()) {
      text += std::to_string(kernel.grid()->Get(axis));
      continue;
    }
    text +=
        kernel.grid_count() == bundle::GridCount::Tokens ? "tokens" : "rows";
    if (kernel.grid_tile() != 1)
      text += "/" + std::to_string(kernel.grid_tile());
    if (kernel.grid_scale() != 1)
      text += "*" + std::to_string(kernel.grid_scale());
  }
  return text + "]";
}

static std::string describeKernels(const bundle::TargetPrograms &target) {
  TextTable table({{"", right},
                   {"kernel"},
                   {"entry point"},
                   {"workgroup"},
                   {"grid"},
                   {"bindings", right},
                   {"shared memory", right},
                   {"code", right}});
  for (uint32_t i = 0; i < sizeOf(target.kernels()); ++i) {
    const bundle::Kernel &kernel = *target.kernels()->Get(i);
    table.addRow(
        {std::to_string(i), toText(kernel.name()), toText(kernel.entry_point()),
         "[" + joinNumbers(kernel.workgroup_size(), ", ") + "]",
         describeGrid(kernel), std::to_string(sizeOf(kernel.accesses())),
         formatShortBytes(kernel.workgroup_memory()),
         formatShortBytes(kernel.code_size())});
  }
  return "\nkernels\n" + table.print();
}

static std::string describePrograms(const bundle::TargetPrograms &target) {
  TextTable table({{"program"},
                   {"kind"},
                   {"tokens", right},
                   {"rows", right},
                   {"dispatches", right},
                   {"barriers", right},
                   {"bytes moved", right},
                   {"GFLOP", right},
                   {"arena peak", right}});
  for (uint32_t i = 0; i < sizeOf(target.programs()); ++i) {
    const bundle::Program &program = *target.programs()->Get(i);
    uint64_t barriers = 0, bytes = 0;
    double flops = 0;
    for (const bundle::Dispatch *dispatch : *program.dispatches()) {
      barriers += dispatch->barrier_before();
      bytes += dispatch->bytes();
      flops += static_cast<double>(dispatch->flops());
    }
    table.addRow(
        {toText(program.name()), bundle::EnumNameProgramKind(program.kind()),
         std::to_string(program.max_tokens()),
         std::to_string(program.max_rows()),
         std::to_string(program.dispatches()->size()), std::to_string(barriers),
         formatShortBytes(bytes), std::to_string(flops / 1e9),
         formatShortBytes(program.arena_peak())});
  }
  return "\nprograms\n" + table.print();
}

static std::string describeMemory(const bundle::TargetPrograms &target) {
  TextTable step(
      {{"step buffer"}, {"tensor"}, {"offset", right}, {"bytes", right}});
  for (uint32_t i = 0; i < sizeOf(target.step_buffers()); ++i) {
    const bundle::StepBuffer &buffer = *target.step_buffers()->Get(i);
    step.addRow({bundle::EnumNameStepRole(buffer.role()),
                 describeTensor(buffer), formatCount(buffer.offset()),
                 formatCount(buffer.size())});
  }
  TextTable arena({{"arena buffer"},
                   {"program"},
                   {"offset", right},
                   {"bytes", right},
                   {"live from", right},
                   {"to", right}});
  for (uint32_t i = 0; i < sizeOf(target.arena_buffers()); ++i) {
    const bundle::ArenaBuffer &buffer = *target.arena_buffers()->Get(i);
    arena.addRow({toText(buffer.name()),
                  toText(target.programs()->Get(buffer.program())->name()),
                  formatCount(buffer.offset()), formatCount(buffer.size()),
                  std::to_string(buffer.first_dispatch()),
                  std::to_string(buffer.last_dispatch())});
  }
  return "\nstep block: " + formatShortBytes(target.step_size()) + "\n" +
         step.print() + "\narena: " + formatShortBytes(target.arena_size()) +
         "\n" + arena.print();
}

static std::string describeDispatches(const bundle::TargetPrograms &target,
                                      const bundle::Program &program) {
  TextTable table({{"", right},
                   {""},
                   {"dispatch"},
                   {"kernel"},
                   {"bytes", right},
                   {"MFLOP", right}});
  for (uint32_t i = 0; i < program.dispatches()->size(); ++i) {
    const bundle::Dispatch &dispatch = *program.dispatches()->Get(i);
    table.addRow({std::to_string(i), dispatch.barrier_before() ? "|" : "",
                  toText(dispatch.label()),
                  toText(target.kernels()->Get(dispatch.kernel())->name()),
                  formatShortBytes(dispatch.bytes()),
                  std::to_string(static_cast<double>(dispatch.flops()) / 1e6)});
  }
  return "\ndispatches of " + escapeText(toView(program.name())) +
         " (| is a barrier before)\n" + table.print();
}

std::string tool::describeAsText(const Bundle &bundle) {
  const bundle::Manifest &manifest = bundle.getManifest();
  std::string text = describeSections(bundle) + describeModel(manifest) +
                     describeStates(manifest) + describeWeights(manifest);
  for (uint32_t i = 0; i < bundle.getTargetCount(); ++i) {
    const bundle::TargetPrograms &target = bundle.getTarget(i);
    text += describeTarget(target) + describeKernels(target) +
            describePrograms(target) + describeMemory(target);
    for (const bundle::Program *program : *target.programs())
      text += describeDispatches(target, *program);
  }
  return text;
}
