//===- Visit.cpp - Uses everything that a manifest points to --------------===//

#include "test/runtime/bundle/Visit.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

using namespace quern;
using namespace quern::test;

static void require(bool condition, const char *what) {
  if (condition)
    return;
  std::fprintf(stderr, "accepted a manifest in which %s\n", what);
  std::abort();
}

/// In 128 bits, where nothing wraps.
static void requireInside(uint64_t offset, uint64_t size, uint64_t limit,
                          const char *what) {
  require(static_cast<unsigned __int128>(offset) + size <= limit, what);
}

static uint64_t getSpaceSize(const bundle::Manifest &manifest,
                             const bundle::TargetPrograms &target,
                             const bundle::Binding &binding,
                             uint64_t weightsSize) {
  switch (binding.space()) {
  case bundle::Space::Step:
    return target.step_size();
  case bundle::Space::Arena:
    return target.arena_size();
  case bundle::Space::State:
    require(binding.index() < manifest.states()->size(),
            "a state index is out of range");
    return manifest.states()->Get(binding.index())->size();
  case bundle::Space::Weights:
    return weightsSize;
  }
  require(false, "a binding is in no space");
  return 0;
}

static void visitProgram(const bundle::Manifest &manifest,
                         const bundle::TargetPrograms &target,
                         const bundle::Program &program, uint64_t weightsSize) {
  require(program.kind() <= bundle::ProgramKind::MAX, "a kind is unknown");
  if (program.logits_offset() != kAbsentOffset)
    requireInside(program.logits_offset(),
                  uint64_t(4) * program.max_rows() *
                      manifest.model()->vocab_size(),
                  target.arena_size(), "the logits leave the arena");
  for (const bundle::Dispatch *dispatch : *program.dispatches()) {
    require(dispatch->kernel() < target.kernels()->size(),
            "a kernel index is out of range");
    const bundle::Kernel &kernel = *target.kernels()->Get(dispatch->kernel());
    require(dispatch->bindings()->size() == kernel.accesses()->size(),
            "a dispatch has too few bindings");
    for (const bundle::Binding *binding : *dispatch->bindings())
      requireInside(binding->offset(), binding->size(),
                    getSpaceSize(manifest, target, *binding, weightsSize),
                    "a binding leaves its space");
  }
}

static void visitTarget(const bundle::Manifest &manifest,
                        const bundle::TargetPrograms &target,
                        const BundleSections &sections, uint64_t weightsSize) {
  require(target.kernels_section() < sections.entries.size(),
          "the kernels section is out of range");
  uint64_t codeSize = sections.contents[target.kernels_section()].size();
  for (const bundle::Kernel *kernel : *target.kernels()) {
    requireInside(kernel->code_offset(), kernel->code_size(), codeSize,
                  "code leaves its section");
    require(kernel->workgroup_size()->size() == 3 &&
                kernel->grid()->size() == 3 && kernel->grid_axis() < 3 &&
                kernel->grid_tile() != 0,
            "a launch is malformed");
  }
  for (const bundle::StepBuffer *buffer : *target.step_buffers())
    requireInside(buffer->offset(), buffer->size(), target.step_size(),
                  "a step buffer leaves the block");
  for (const bundle::Program *program : *target.programs())
    visitProgram(manifest, target, *program, weightsSize);
}

void test::visitManifest(const bundle::Manifest &manifest,
                         const BundleSections &sections) {
  uint64_t weightsSize = 0;
  for (const SectionEntry &entry : sections.entries)
    if (entry.kind == SectionKind::Weights)
      weightsSize = entry.size;
  if (manifest.weights())
    for (const bundle::Weight *weight : *manifest.weights())
      requireInside(weight->offset(), weight->size(), weightsSize,
                    "a weight leaves its section");
  for (const bundle::TargetPrograms *target : *manifest.targets())
    visitTarget(manifest, *target, sections, weightsSize);
  // Reads every string and vector.
  std::unique_ptr<bundle::ManifestT> copy(manifest.UnPack());
  require(!serializeManifest(*copy).empty(), "nothing can be packed");
}
