//===- TargetTest.cpp - Bad targets, kernels and step blocks --------------===//

#include "test/runtime/bundle/BundleTest.h"

using namespace quern;
using namespace quern::test;

namespace {

class TargetTest : public BundleTest {
protected:
  void expectKernelRefused(const std::function<void(bundle::KernelT &)> &change,
                           std::string_view message) {
    expectRefused([&](TinyBundle &tiny) { change(*tiny.target().kernels[1]); },
                  "targets[0].kernels[1]" + std::string(message));
  }

  void
  expectStepRefused(bundle::StepRole role,
                    const std::function<void(bundle::StepBufferT &)> &change,
                    std::string_view message) {
    expectRefused(
        [&](TinyBundle &tiny) {
          change(*tiny.target().step_buffers[static_cast<size_t>(role)]);
        },
        message);
  }

  /// Word `index` of the code of kernel 0.
  static uint32_t getWord(const TinyBundle &tiny, size_t index) {
    uint32_t word;
    std::memcpy(&word, tiny.kernels.data() + 4 * index, 4);
    return word;
  }
  static void setWord(TinyBundle &tiny, size_t index, uint32_t word) {
    std::memcpy(tiny.kernels.data() + 4 * index, &word, 4);
  }
};

} // namespace

// Group 48.

TEST_F(TargetTest, NoTargets) {
  expectRefused([](TinyBundle &tiny) { tiny.manifest.targets.clear(); },
                "targets: 0 targets, but the bundle has 1 kernels sections");
}

TEST_F(TargetTest, KernelsSection) {
  for (uint32_t section : {1u, 6u, UINT32_MAX})
    expectRefused(
        [=](TinyBundle &tiny) { tiny.target().kernels_section = section; },
        "targets[0]: kernels_section is " + std::to_string(section));
}

TEST_F(TargetTest, Description) {
  expectRefused([](TinyBundle &tiny) { tiny.target().target->api = ""; },
                "targets[0].target.api: empty");
  expectRefused([](TinyBundle &tiny) { tiny.target().target->name = ""; },
                "targets[0].target.name: empty");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.target().target->required_features = {"storage16", ""};
      },
      "targets[0].target.required_features: empty");
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().target->subgroup_size = 3; },
      "subgroup_size is 3, expected 0 or a power of two up to 128");
}

TEST_F(TargetTest, KernelNames) {
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.name = ""; },
                      ".name: empty");
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.name = "decode.embed_tokens"; },
      ".name: 'decode.embed_tokens' is the name of another one");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.entry_point = ""; },
                      ".entry_point: empty");
}

TEST_F(TargetTest, KernelEnums) {
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.grid_count = bundle::GridCount(3); },
      ": grid_count is 3, expected at most 2");
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.accesses[2] = bundle::Access(5); },
      ".accesses[2]: access is 5, expected at most 4");
}

TEST_F(TargetTest, KernelWithoutBindings) {
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.accesses.clear(); },
                      ".accesses: length is 0, expected 1 to 64");
}

// Group 51.

TEST_F(TargetTest, ArenaLargerThanAnyMachine) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().arena_size = ~uint64_t(0); },
      "arena_size is 18446744073709551615");
}

// Group 52.

TEST_F(TargetTest, WorkgroupAndGridDimensions) {
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.workgroup_size = {32, 0, 1}; },
      ": workgroup_size is 0");
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.workgroup_size = {32, 1}; },
      ": workgroup_size has 2 dimensions, expected 3");
  expectKernelRefused(
      [](bundle::KernelT &kernel) {
        kernel.workgroup_size = {1u << 31, 1u << 31, 1u << 31};
      },
      ": workgroup_size [2147483648, 2147483648, 2147483648] multiplies to "
      "more than");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.grid = {0, 1, 1}; },
                      ": grid is 0");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.grid = {}; },
                      ": grid has 0 dimensions");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.grid_axis = 3; },
                      ": grid_axis is 3, expected 0 to 2");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.grid_tile = 0; },
                      ": grid_tile is 0");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.grid_scale = 0; },
                      ": grid_scale is 0");
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.workgroup_memory = UINT32_MAX; },
      ": workgroup_memory is 4294967295");
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.subgroup_size = 256; },
      ": subgroup_size is 256");
}

// Group 55.

TEST_F(TargetTest, CodeOutsideOfItsSection) {
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.code_offset = uint64_t(1) << 40; },
      ": ");
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.code_size = ~uint64_t(0); },
      ": 18446744073709551615 bytes at offset");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.code_size = 0; },
                      ": size is 0");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.code_offset -= 2; },
                      ": code_offset is ");
}

/// Gives all kernels code for two architectures: their own code again.
static void addBinaries(TinyBundle &tiny) {
  for (const char *name : {"sm_80", "sm_90a"}) {
    auto architecture = std::make_unique<bundle::ArchitectureT>();
    architecture->name = name;
    architecture->required_features = {std::string("cubin-") + name, "cuda-13"};
    tiny.target().architectures.push_back(std::move(architecture));
  }
  for (auto &kernel : tiny.target().kernels)
    for (uint32_t i : {0u, 1u}) {
      auto binary = std::make_unique<bundle::BinaryT>();
      binary->architecture = i;
      binary->code_offset = 16 * i;
      binary->code_size = 8;
      kernel->binaries.push_back(std::move(binary));
    }
}

TEST_F(TargetTest, CodeForArchitectures) {
  expectAccepted(addBinaries);
  auto refuse = [&](const std::function<void(TinyBundle &)> &change,
                    std::string_view message) {
    expectRefused(
        [&](TinyBundle &tiny) {
          addBinaries(tiny);
          change(tiny);
        },
        "targets[0]" + std::string(message));
  };
  refuse([](TinyBundle &tiny) { tiny.target().architectures[0]->name = ""; },
         ".architectures[0].name: empty");
  refuse(
      [](TinyBundle &tiny) { tiny.target().architectures[1]->name = "sm_80"; },
      ".architectures[1].name: 'sm_80' is the name of another one");
  refuse(
      [](TinyBundle &tiny) {
        tiny.target().architectures[0]->required_features = {""};
      },
      ".architectures[0].required_features: empty");
  refuse([](TinyBundle &tiny) { tiny.target().architectures.pop_back(); },
         ".kernels[0]: has 2 binaries, expected 1");
  refuse([](TinyBundle &tiny) { tiny.target().kernels[1]->binaries.clear(); },
         ".kernels[1]: has 0 binaries, expected 2");
  auto refuseBinary = [&](const std::function<void(bundle::BinaryT &)> &change,
                          const std::string &message) {
    refuse(
        [&](TinyBundle &tiny) {
          change(*tiny.target().kernels[1]->binaries[1]);
        },
        ".kernels[1].binaries[1]: " + message);
  };
  refuseBinary([](bundle::BinaryT &binary) { binary.architecture = 0; },
               "architecture is 0");
  refuseBinary([](bundle::BinaryT &binary) { binary.code_offset = 8; },
               "code_offset is 8, expected a multiple of 16");
  refuseBinary([](bundle::BinaryT &binary) { binary.code_size = 0; },
               "size is 0");
  refuseBinary(
      [](bundle::BinaryT &binary) { binary.code_size = uint64_t(1) << 40; },
      "1099511627776 bytes at offset 16");
}

TEST_F(TargetTest, CodeIsNotSpirv) {
  expectRefused([](TinyBundle &tiny) { setWord(tiny, 0, 0x464c457f); },
                "targets[0].kernels[0]: code begins with 1179403647, expected "
                "the SPIR-V magic number");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.code_size = 16; },
                      ": SPIR-V code has 16 bytes, expected at least 20");
  expectKernelRefused([](bundle::KernelT &kernel) { kernel.code_size -= 2; },
                      ": SPIR-V code of");
  // Devices of other APIs check their code themselves.
  expectAccepted([](TinyBundle &tiny) {
    tiny.target().target->api = "null";
    setWord(tiny, 0, 0);
  });
}

TEST_F(TargetTest, SpirvVersionAndBound) {
  expectRefused([](TinyBundle &tiny) { setWord(tiny, 1, 0x00020000); },
                "SPIR-V version is 2.0, expected 1.0 to 1.6",
                StatusCode::Unsupported);
  expectRefused([](TinyBundle &tiny) { setWord(tiny, 3, 0); },
                "SPIR-V id bound is 0");
}

TEST_F(TargetTest, SpirvInstructionLengths) {
  for (uint32_t length : {0u, 0xffffu})
    expectRefused(
        [=](TinyBundle &tiny) {
          setWord(tiny, 5, length << 16 | (getWord(tiny, 5) & 0xffff));
        },
        "SPIR-V instruction at word 5 has " + std::to_string(length));
  // The last instruction is cut.
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().kernels[0]->code_size -= 12; },
      "has 2 words, expected 1 to 1");
}

TEST_F(TargetTest, EntryPointMissing) {
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.entry_point = "mai"; },
      ": SPIR-V code has no compute entry point 'mai'");
}

TEST_F(TargetTest, WorkgroupSizeOfTheCode) {
  expectKernelRefused(
      [](bundle::KernelT &kernel) { kernel.workgroup_size = {64, 1, 1}; },
      ": SPIR-V code has workgroup size [32, 1, 1], the manifest says "
      "[64, 1, 1]");
}

// Step block: groups 48, 49.

TEST_F(TargetTest, StepBufferMissing) {
  for (size_t role = 0; role < 8; ++role)
    expectRefused(
        [=](TinyBundle &tiny) {
          auto &buffers = tiny.target().step_buffers;
          buffers.erase(buffers.begin() + static_cast<ptrdiff_t>(role));
        },
        std::string("targets[0].step_buffers: no buffer of role ") +
            bundle::EnumNameStepRole(bundle::StepRole(role)));
}

TEST_F(TargetTest, StepBufferTwice) {
  expectRefused(
      [](TinyBundle &tiny) {
        auto &buffers = tiny.target().step_buffers;
        buffers.push_back(std::make_unique<bundle::StepBufferT>(*buffers[0]));
      },
      "step_buffers[8]: a second buffer of role TokenIds");
}

TEST_F(TargetTest, StepBufferRole) {
  expectStepRefused(
      bundle::StepRole::Rows,
      [](bundle::StepBufferT &buffer) { buffer.role = bundle::StepRole(9); },
      "step_buffers[3]: role is 9, expected at most 8");
}

TEST_F(TargetTest, StepBufferShapes) {
  using bundle::StepRole;
  struct Case {
    StepRole role;
    std::vector<uint64_t> shape;
    const char *expected;
  };
  const Case cases[] = {
      {StepRole::TokenIds, {15}, "expected [at least 16]"},
      {StepRole::Positions, {15}, "expected [at least 16]"},
      {StepRole::Slots, {16, 1}, "expected [at least 16]"},
      {StepRole::Rows, {3}, "expected [at least 4]"},
      {StepRole::PageTable, {2, 5}, "expected [2, 4]"},
      {StepRole::PageTable, {3, 4}, "expected [2, 4]"},
      {StepRole::Sampling, {4, 7}, "expected [at least 4, 8]"},
      {StepRole::SeenTokens, {4, 2}, "expected [at least 4, 1]"},
      {StepRole::Tokens, {2}, "expected [at least 4]"},
  };
  for (const Case &test : cases)
    expectStepRefused(
        test.role,
        [&](bundle::StepBufferT &buffer) {
          buffer.shape = test.shape;
          buffer.size = 4;
          for (uint64_t dim : test.shape)
            buffer.size *= dim;
        },
        test.expected);
}

TEST_F(TargetTest, StepBufferType) {
  expectStepRefused(
      bundle::StepRole::Sampling,
      [](bundle::StepBufferT &buffer) { buffer.dtype = bundle::DType::I32; },
      "dtype is I32, expected F32");
}

TEST_F(TargetTest, StepBufferPlace) {
  auto role = bundle::StepRole::Tokens;
  expectStepRefused(
      role, [](bundle::StepBufferT &buffer) { buffer.offset += 8; },
      "expected a multiple of 256");
  expectStepRefused(
      role, [](bundle::StepBufferT &buffer) { buffer.offset += 4096; },
      "are outside of the step block of 2048 bytes");
  expectStepRefused(
      role, [](bundle::StepBufferT &buffer) { buffer.offset = 0; },
      "is inside step_buffers[");
  expectRefused([](TinyBundle &tiny) { tiny.target().step_size = 0; },
                "step_size is 0");
}
