//===- TinyBundle.h - A small valid bundle for tests ------------*- C++ -*-===//
//
// One layer, four programs, kernels that do nothing: about 36 KiB. Tests change
// a part and write it again; the engine's tests run it on the null device.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_RUNTIME_BUNDLE_TINYBUNDLE_H
#define QUERN_TEST_RUNTIME_BUNDLE_TINYBUNDLE_H

#include "runtime/base/Status.h"
#include "runtime/bundle/Bundle.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace quern::test {

/// The sizes of the tiny model; offsets and ranges follow from them.
struct TinyShape {
  std::string api = "vulkan";
  uint32_t hiddenSize = 8;
  uint32_t vocabSize = 32;
  uint32_t contextLength = 64;
  uint32_t numSlots = 2;
  uint32_t pageSize = 16;
  uint32_t numPages = 8;
  uint32_t verifyTokens = 4;
  uint32_t prefillTokens = 16;
};

/// What the sections will hold. An empty part makes no section.
struct TinyBundle {
  /// The kernels section of its one target is section 0.
  bundle::ManifestT manifest;
  std::vector<std::byte> kernels;
  std::vector<std::byte> tokenizer;
  std::string chatTemplate;
  std::string ir;
  std::vector<std::byte> weights;

  bundle::TargetProgramsT &target() { return *manifest.targets[0]; }
  bundle::ProgramT &program(bundle::ProgramKind kind);
  /// Section order: kernels, manifest, tokenizer, chat template, IR, weights.
  Status write(const std::string &path);
};

TinyBundle makeTinyBundle(const TinyShape &shape = {});
/// With the states of a gated delta net: states 2 to 6.
TinyBundle makeTinyHybrid(const TinyShape &shape = {});
/// With draft programs (4 to 6) and the caches of a draft layer.
TinyBundle makeTinyDrafts(const TinyShape &shape = {});

/// A valid SPIR-V module with one compute entry point that returns at once.
std::vector<uint32_t> makeSpirv(const std::string &entryPoint,
                                const std::array<uint32_t, 3> &workgroupSize);

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_BUNDLE_TINYBUNDLE_H
