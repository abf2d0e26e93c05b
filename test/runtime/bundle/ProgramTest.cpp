//===- ProgramTest.cpp - Bad programs, bindings and memory plans ----------===//

#include "test/runtime/bundle/BundleTest.h"

using namespace quern;
using namespace quern::test;
using bundle::ProgramKind;

namespace {

class ProgramTest : public BundleTest {
protected:
  void
  expectProgramRefused(ProgramKind kind,
                       const std::function<void(bundle::ProgramT &)> &change,
                       std::string_view message) {
    expectRefused([&](TinyBundle &tiny) { change(tiny.program(kind)); },
                  message);
  }

  /// Changes a binding of the decode program.
  void
  expectBindingRefused(size_t dispatch, size_t index,
                       const std::function<void(bundle::BindingT &)> &change,
                       std::string_view message) {
    expectRefused(
        [&](TinyBundle &tiny) {
          change(*tiny.program(ProgramKind::Decode)
                      .dispatches[dispatch]
                      ->bindings[index]);
        },
        "targets[0].programs[0].dispatches[" + std::to_string(dispatch) +
            "].bindings[" + std::to_string(index) +
            "]: " + std::string(message));
  }
};

} // namespace

// Group 48: the set of programs.

TEST_F(ProgramTest, DecodeMissing) {
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.target().arena_buffers.clear();
        tiny.target().programs.erase(tiny.target().programs.begin());
      },
      "targets[0].programs: no program of kind Decode");
}

TEST_F(ProgramTest, NoPrograms) {
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.target().programs.clear();
        tiny.target().arena_buffers.clear();
      },
      "no program of kind Decode");
}

TEST_F(ProgramTest, PrefillAndHeadComeTogether) {
  for (auto [index, message] :
       {std::pair(2, "Head without one of kind Prefill"),
        std::pair(3, "Prefill without one of kind Head")})
    expectRefused(
        [=](TinyBundle &tiny) {
          tiny.target().arena_buffers.clear();
          tiny.target().programs.erase(tiny.target().programs.begin() + index);
        },
        message);
}

TEST_F(ProgramTest, DecodeAloneIsEnough) {
  expectAccepted([](TinyBundle &tiny) {
    tiny.target().programs.resize(1);
    tiny.target().arena_buffers.resize(2);
    tiny.target().step_buffers.erase(tiny.target().step_buffers.begin() + 3);
  });
}

TEST_F(ProgramTest, KindTwiceOrUnknown) {
  expectProgramRefused(
      ProgramKind::Verify,
      [](bundle::ProgramT &program) { program.kind = ProgramKind::Decode; },
      "programs[1]: a second program of kind Decode");
  expectProgramRefused(
      ProgramKind::Verify,
      [](bundle::ProgramT &program) { program.kind = ProgramKind(7); },
      "programs[1]: kind is 7, expected at most 6");
}

TEST_F(ProgramTest, Names) {
  expectProgramRefused(
      ProgramKind::Head,
      [](bundle::ProgramT &program) { program.name = "decode"; },
      "programs[3].name: 'decode' is the name of another one");
  expectProgramRefused(
      ProgramKind::Head,
      [](bundle::ProgramT &program) { program.dispatches[0]->label = "\x80"; },
      "programs[3].dispatches[0].label");
}

TEST_F(ProgramTest, TokensAndRows) {
  expectProgramRefused(
      ProgramKind::Decode,
      [](bundle::ProgramT &program) { program.max_tokens = 0; },
      "programs[0]: max_tokens is 0");
  expectProgramRefused(
      ProgramKind::Verify,
      [](bundle::ProgramT &program) { program.max_rows = 3; },
      "programs[1]: max_rows is 3, expected max_tokens = 4");
  expectProgramRefused(
      ProgramKind::Prefill,
      [](bundle::ProgramT &program) { program.max_tokens = UINT32_MAX; },
      "max_tokens is 4294967295");
}

TEST_F(ProgramTest, LogitsAndHidden) {
  expectProgramRefused(
      ProgramKind::Decode,
      [](bundle::ProgramT &program) { program.logits_offset = kAbsentOffset; },
      "logits_offset is absent in a program of kind Decode");
  expectProgramRefused(
      ProgramKind::Prefill,
      [](bundle::ProgramT &program) { program.logits_offset = 0; },
      "logits_offset is present in a program of kind Prefill");
  expectProgramRefused(
      ProgramKind::Prefill,
      [](bundle::ProgramT &program) { program.hidden_offset = kAbsentOffset; },
      "hidden_offset is absent in a program of kind Prefill");
  expectProgramRefused(
      ProgramKind::Decode,
      [](bundle::ProgramT &program) { program.logits_offset = 1024; },
      "programs[0].logits_offset: 128 bytes at offset 1024 are outside of the "
      "arena of 1024 bytes");
  expectProgramRefused(
      ProgramKind::Prefill,
      [](bundle::ProgramT &program) { program.hidden_offset = 768; },
      "programs[2].hidden_offset: 512 bytes at offset 768 are outside");
  expectProgramRefused(
      ProgramKind::Head,
      [](bundle::ProgramT &program) { program.hidden_offset = 256; },
      "programs[3]: hidden_offset is 256, but Prefill has it at 0");
}

// Group 50.

TEST_F(ProgramTest, NoDispatches) {
  expectProgramRefused(
      ProgramKind::Decode,
      [](bundle::ProgramT &program) { program.dispatches.clear(); },
      "programs[0].dispatches: length is 0");
}

TEST_F(ProgramTest, KernelOutOfRange) {
  for (uint32_t kernel : {12u, UINT32_MAX})
    expectProgramRefused(
        ProgramKind::Decode,
        [=](bundle::ProgramT &program) {
          program.dispatches[0]->kernel = kernel;
        },
        "dispatches[0]: kernel is " + std::to_string(kernel) +
            ", expected 0 to 11");
}

TEST_F(ProgramTest, BindingCount) {
  expectProgramRefused(
      ProgramKind::Decode,
      [](bundle::ProgramT &program) {
        program.dispatches[0]->bindings.pop_back();
      },
      "dispatches[0]: 2 bindings, but its kernel takes 3");
}

TEST_F(ProgramTest, BindingAccess) {
  expectBindingRefused(
      0, 1,
      [](bundle::BindingT &binding) {
        binding.access = bundle::Access::TexelUint4;
      },
      "access is 1, but its kernel declares 0");
}

TEST_F(ProgramTest, BindingSpaceAndIndex) {
  expectBindingRefused(
      0, 1, [](bundle::BindingT &binding) { binding.space = bundle::Space(4); },
      "space is 4, expected at most 3");
  expectBindingRefused(
      1, 4, [](bundle::BindingT &binding) { binding.index = 2; },
      "index is 2, expected one of 2 states");
  expectBindingRefused(
      0, 1, [](bundle::BindingT &binding) { binding.index = 1; },
      "index is 1, expected 0");
}

TEST_F(ProgramTest, BindingRanges) {
  struct Case {
    size_t dispatch, index;
    const char *space;
  };
  for (Case test : {Case{0, 2, "arena of 1024"}, Case{1, 4, "state of 2048"},
                    Case{0, 1, "weights section of 1280"}})
    for (auto [offset, size] : {std::pair(uint64_t(0), uint64_t(4096)),
                                std::pair(uint64_t(4096), uint64_t(4)),
                                std::pair(~uint64_t(0) - 255, uint64_t(512))})
      expectBindingRefused(
          test.dispatch, test.index,
          [&](bundle::BindingT &binding) {
            binding.offset = offset;
            binding.size = size;
          },
          std::to_string(size) + " bytes at offset " + std::to_string(offset) +
              " are outside of the " + test.space);
  expectBindingRefused(
      0, 2, [](bundle::BindingT &binding) { binding.size = 0; }, "size is 0");
}

TEST_F(ProgramTest, BindingAlignment) {
  expectBindingRefused(
      0, 2, [](bundle::BindingT &binding) { binding.offset = 4; },
      "offset is 4, expected a multiple of 256");
  expectBindingRefused(
      0, 2, [](bundle::BindingT &binding) { binding.size = 30; },
      "size is 30, expected a multiple of 4");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.target().kernels[0]->accesses[1] = bundle::Access::TexelUint4;
        auto &binding =
            *tiny.program(ProgramKind::Decode).dispatches[0]->bindings[1];
        binding.access = bundle::Access::TexelUint4;
        binding.size = 24;
      },
      "size is 24, expected a multiple of 16");
}

TEST_F(ProgramTest, StepBindings) {
  expectBindingRefused(
      0, 0, [](bundle::BindingT &binding) { binding.size = 256; },
      "256 bytes at offset 0 are outside of the step buffer TokenIds of 64");
  expectBindingRefused(
      0, 0, [](bundle::BindingT &binding) { binding.offset = 4096; },
      "offset 4096 is in no buffer of the step block");
  expectBindingRefused(
      0, 0, [](bundle::BindingT &binding) { binding.written = true; },
      "writes the input TokenIds");
}

TEST_F(ProgramTest, WritesToReadOnlyMemory) {
  expectBindingRefused(
      0, 1, [](bundle::BindingT &binding) { binding.written = true; },
      "writes what is read-only");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.target().kernels[0]->accesses[2] = bundle::Access::TexelFloat1;
        tiny.program(ProgramKind::Decode).dispatches[0]->bindings[2]->access =
            bundle::Access::TexelFloat1;
      },
      "writes what is read-only");
}

// Group 52.

TEST_F(ProgramTest, GridOfAnotherCount) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().kernels[0]->grid[1] = 3; },
      "dispatches[0]: grid[1] of its kernel is 3, expected 2 for 1 tokens");
  // The kernel of another program, whose count differs.
  expectProgramRefused(
      ProgramKind::Prefill,
      [](bundle::ProgramT &program) { program.dispatches[0]->kernel = 0; },
      "grid[1] of its kernel is 2, expected 8 for 16 tokens");
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().kernels[2]->grid_scale = 5; },
      "expected 5 for 1 rows");
}

// Group 51.

TEST_F(ProgramTest, PlanOutsideOfTheArena) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().arena_buffers[0]->offset = 768; },
      "arena_buffers[0]: 512 bytes at offset 768 are outside of the arena");
  expectProgramRefused(
      ProgramKind::Decode,
      [](bundle::ProgramT &program) { program.arena_peak = 1025; },
      "programs[0]: arena_peak is 1025, expected 0 to 1024");
}

TEST_F(ProgramTest, PlanIndices) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().arena_buffers[0]->program = 4; },
      "arena_buffers[0]: program is 4, expected 0 to 3");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.target().arena_buffers[0]->last_dispatch = 4;
      },
      "arena_buffers[0]: last_dispatch is 4, expected 0 to 3");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.target().arena_buffers[0]->first_dispatch = 3;
        tiny.target().arena_buffers[0]->last_dispatch = 2;
      },
      "arena_buffers[0]: first_dispatch is 3, expected 0 to 2");
}

TEST_F(ProgramTest, LiveRangesOverlap) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.target().arena_buffers[1]->offset = 256; },
      "overlaps arena_buffers[0] while both live");
  expectRefused(
      [](TinyBundle &tiny) {
        // Decode's hidden dies when its logits are born: one dispatch too late.
        auto &buffers = tiny.target().arena_buffers;
        buffers[0]->last_dispatch = 2;
        buffers[1]->first_dispatch = 2;
        buffers[1]->offset = 0;
      },
      "overlaps arena_buffers[0] while both live");
}

TEST_F(ProgramTest, LiveRangesThatFollowEachOther) {
  expectAccepted([](TinyBundle &tiny) {
    auto &buffers = tiny.target().arena_buffers;
    buffers[0]->last_dispatch = 1;
    buffers[1]->first_dispatch = 2;
    buffers[1]->offset = 0;
  });
}
