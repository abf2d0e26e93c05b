//===- HybridTest.cpp - Bad recurrent states and draft programs -----------===//

#include "test/runtime/bundle/BundleTest.h"

using namespace quern;
using namespace quern::test;
using bundle::ProgramKind;

namespace {

class BundleHybridTest : public BundleTest {
protected:
  void expectHybridRefused(const std::function<void(TinyBundle &)> &change,
                           std::string_view message) {
    expectRefused(
        [&](TinyBundle &tiny) {
          tiny = makeTinyHybrid();
          change(tiny);
        },
        message);
  }

  /// Gives a state another shape; its size follows.
  void expectShapeRefused(size_t state, std::vector<uint64_t> shape,
                          std::string_view message) {
    expectHybridRefused(
        [&](TinyBundle &tiny) {
          bundle::StateT &changed = *tiny.manifest.states[state];
          changed.size = 4;
          for (uint64_t dim : shape)
            changed.size *= dim;
          changed.shape = shape;
        },
        message);
  }

  void expectDraftsRefused(const std::function<void(TinyBundle &)> &change,
                           std::string_view message) {
    expectRefused(
        [&](TinyBundle &tiny) {
          tiny = makeTinyDrafts();
          change(tiny);
        },
        message);
  }
};

constexpr size_t kRecurrent = 2, kConvolution = 3, kKeys = 4, kUpdates = 5,
                 kDecays = 6;

} // namespace

TEST_F(BundleHybridTest, AHybridAndDraftsAreFine) {
  expectAccepted([](TinyBundle &tiny) { tiny = makeTinyHybrid(); });
  expectAccepted([](TinyBundle &tiny) { tiny = makeTinyDrafts(); });
  expectAccepted([](TinyBundle &tiny) {
    tiny = makeTinyHybrid();
    tiny.manifest.states[kConvolution]->dtype = bundle::DType::BF16;
    tiny.manifest.states[kConvolution]->size /= 2;
  });
}

TEST_F(BundleHybridTest, Slots) {
  for (size_t state : {kRecurrent, kConvolution, kKeys, kUpdates, kDecays})
    expectHybridRefused(
        [&](TinyBundle &tiny) {
          bundle::StateT &changed = *tiny.manifest.states[state];
          changed.size = changed.size / 2 * 3;
          changed.shape[0] = 3;
        },
        "the first num_slots = 2");
}

TEST_F(BundleHybridTest, Ranks) {
  expectShapeRefused(kRecurrent, {2, 4, 12},
                     "states[2]: shape of Recurrent is [2, 4, 12], expected 4 "
                     "dimensions");
  expectShapeRefused(kDecays, {2, 8, 4, 1},
                     "states[6]: shape of DeltaDecays is [2, 8, 4, 1], "
                     "expected 3 dimensions");
  expectShapeRefused(kConvolution, {2, 1, (1 << 24) + 1},
                     "states[3]: a dimension of its shape is 16777217");
}

TEST_F(BundleHybridTest, Heads) {
  expectShapeRefused(kKeys, {2, 8, 3, 4},
                     "states[4]: shape of DeltaKeys has 3 in dimension 2, "
                     "expected a divisor of value heads = 4");
  expectShapeRefused(kKeys, {2, 8, 2, 5},
                     "states[4]: shape of DeltaKeys has 5 in dimension 3, "
                     "expected key features = 4");
  expectShapeRefused(kUpdates, {2, 8, 2, 3}, "expected value heads = 4");
  expectShapeRefused(kUpdates, {2, 8, 4, 4}, "expected value features = 3");
  expectShapeRefused(kDecays, {2, 8, 2}, "expected value heads = 4");
  expectShapeRefused(kConvolution, {2, 8, 27},
                     "states[3]: shape of Convolution has 27 in dimension 2, "
                     "expected channels = 28");
}

TEST_F(BundleHybridTest, Rings) {
  expectShapeRefused(kUpdates, {2, 9, 4, 3},
                     "states[5]: shape of DeltaUpdates has 9 in dimension 1, "
                     "expected ring = 8");
  expectShapeRefused(kDecays, {2, 7, 4}, "expected ring = 8");
  expectShapeRefused(kConvolution, {2, 7, 28},
                     "steps of 4 tokens, but the ring of states[3] has 7 rows, "
                     "expected at least 8");
  expectHybridRefused(
      [](TinyBundle &tiny) {
        for (size_t state : {kKeys, kUpdates, kDecays}) {
          tiny.manifest.states[state]->shape[1] = 4;
          tiny.manifest.states[state]->size /= 2;
        }
      },
      "the ring of states[4] has 4 rows, expected at least 8");
}

// All layers have rings of one length.
TEST_F(BundleHybridTest, RingsOfOtherLayers) {
  auto addLayer = [](TinyBundle &tiny, uint64_t ring, uint64_t convolution) {
    tiny = makeTinyHybrid();
    tiny.manifest.model->num_hidden_layers = 2;
    for (size_t state = kRecurrent; state <= kDecays; ++state) {
      auto copy =
          std::make_unique<bundle::StateT>(*tiny.manifest.states[state]);
      copy->name += ".1";
      if (state != kRecurrent) {
        uint64_t &rows = copy->shape[1];
        uint64_t now = state == kConvolution ? convolution : ring;
        copy->size = copy->size / rows * now;
        rows = now;
      }
      tiny.manifest.states.push_back(std::move(copy));
    }
  };
  expectAccepted([&](TinyBundle &tiny) { addLayer(tiny, 8, 8); });
  expectRefused([&](TinyBundle &tiny) { addLayer(tiny, 16, 8); },
                "states[9]: shape of DeltaKeys has 16 in dimension 1, expected "
                "ring = 8");
  expectRefused([&](TinyBundle &tiny) { addLayer(tiny, 8, 16); },
                "states[8]: shape of Convolution has 16");
}

TEST_F(BundleHybridTest, Types) {
  expectHybridRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.states[kRecurrent]->dtype = bundle::DType::BF16;
        tiny.manifest.states[kRecurrent]->size /= 2;
      },
      "states[2]: dtype is BF16, expected F32");
  expectHybridRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.states[kConvolution]->dtype = bundle::DType::I32;
      },
      "states[3]: dtype is I32, expected F32");
}

TEST_F(BundleHybridTest, EveryKindOfStateIsThere) {
  for (size_t state : {kRecurrent, kConvolution, kKeys, kUpdates, kDecays})
    expectHybridRefused(
        [&](TinyBundle &tiny) {
          tiny.manifest.states.erase(tiny.manifest.states.begin() +
                                     ptrdiff_t(state));
        },
        "expected as many of each, for at most 1 layers");
}

TEST_F(BundleHybridTest, Sequences) {
  expectHybridRefused(
      [](TinyBundle &tiny) { tiny.target().step_buffers.pop_back(); },
      "targets[0].step_buffers: no buffer of role Sequences");
  expectHybridRefused(
      [](TinyBundle &tiny) {
        bundle::StepBufferT &buffer = *tiny.target().step_buffers.back();
        buffer.shape = {1, 8};
        buffer.size = 32;
      },
      "shape of Sequences is [1, 8], expected [at least 2, 8]");
  expectHybridRefused(
      [](TinyBundle &tiny) {
        tiny.target().step_buffers.back()->dtype = bundle::DType::F32;
      },
      "dtype is F32, expected I32");
}

TEST_F(BundleHybridTest, DraftProgramsComeTogether) {
  for (int index : {4, 5, 6})
    expectDraftsRefused(
        [=](TinyBundle &tiny) {
          tiny.target().programs.erase(tiny.target().programs.begin() + index);
        },
        "draft programs, but not all of DraftPrefill, DraftVerify, "
        "DraftDecode, Prefill and Verify");
  expectDraftsRefused(
      [](TinyBundle &tiny) {
        tiny.target().arena_buffers.clear();
        tiny.target().programs.erase(tiny.target().programs.begin() + 1);
      },
      "draft programs, but not all");
  expectRefused(
      [](TinyBundle &tiny) {
        TinyBundle drafts = makeTinyDrafts();
        tiny.manifest.states = std::move(drafts.manifest.states);
      },
      "2 key and 2 value caches");
}

TEST_F(BundleHybridTest, DraftProgramsFitTheOthers) {
  for (auto [kind, message] :
       {std::pair(ProgramKind::DraftPrefill,
                  "max_tokens of DraftPrefill is 3, expected 16"),
        std::pair(ProgramKind::DraftVerify,
                  "max_tokens of DraftVerify is 3, expected 4"),
        std::pair(ProgramKind::DraftDecode,
                  "max_tokens of DraftDecode is 3, expected 1")}) {
    expectDraftsRefused(
        [&](TinyBundle &tiny) { tiny.program(kind).max_tokens = 3; }, message);
    expectDraftsRefused(
        [&](TinyBundle &tiny) { tiny.program(kind).max_rows = 2; },
        "max_rows is 2, expected 1 to 1");
  }
}

TEST_F(BundleHybridTest, DraftBuffers) {
  auto expectBad = [&](ProgramKind kind, auto change,
                       std::string_view message) {
    expectDraftsRefused([&](TinyBundle &tiny) { change(tiny.program(kind)); },
                        message);
  };
  auto noHidden = [](bundle::ProgramT &program) {
    program.hidden_offset = kAbsentOffset;
  };
  for (ProgramKind kind : {ProgramKind::Decode, ProgramKind::Verify,
                           ProgramKind::DraftPrefill, ProgramKind::DraftVerify})
    expectBad(kind, noHidden,
              std::string("hidden_offset is absent in a program of kind ") +
                  bundle::EnumNameProgramKind(kind));
  expectBad(
      ProgramKind::DraftDecode,
      [](bundle::ProgramT &program) { program.hidden_offset = 0; },
      "hidden_offset is present in a program of kind DraftDecode");
  for (ProgramKind kind : {ProgramKind::Decode, ProgramKind::DraftVerify})
    expectBad(
        kind, [](bundle::ProgramT &program) { program.hidden_offset = 256; },
        "hidden_offset is 256, but Prefill has it at 0");
  expectBad(
      ProgramKind::Verify,
      [](bundle::ProgramT &program) { program.draft_hidden_offset = 0; },
      "draft_hidden_offset is present in a program of kind Verify");
  expectBad(
      ProgramKind::DraftDecode,
      [](bundle::ProgramT &program) { program.draft_hidden_offset = 0; },
      "draft_hidden_offset is 0, but DraftPrefill has it at 1024");
  expectDraftsRefused(
      [](TinyBundle &tiny) {
        for (ProgramKind kind :
             {ProgramKind::DraftPrefill, ProgramKind::DraftVerify,
              ProgramKind::DraftDecode})
          tiny.program(kind).draft_hidden_offset = 1280;
      },
      "draft_hidden_offset: 32 bytes at offset 1280 are outside of the arena");
  // Without draft programs nothing reads it.
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.program(ProgramKind::Decode).hidden_offset = 0;
      },
      "hidden_offset is present in a program of kind Decode");
}
