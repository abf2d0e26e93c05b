//===- DeltaRuleTest.cpp - the recurrence and how it is stored ------------===//
//
// A sequence may be cut into steps in any way, and each step may append to the
// rings, fold them or both: outputs and the state that is meant are the same.
//
//===----------------------------------------------------------------------===//
#include "runtime/reference/Delta.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace quern;
using namespace quern::reference;
using Vector = std::vector<float>;

namespace {

constexpr DeltaShape shape = {2, 4, 3, 5};
constexpr int64_t slots = 2, ring = 8;

/// Operands of a whole sequence.
struct Operands {
  Vector q, k, v, decay, beta;

  Operands(int64_t tokens, uint64_t seed) {
    std::mt19937_64 engine(seed);
    auto fill = [&](Vector &out, int64_t perToken, float low, float high) {
      out.resize(tokens * perToken);
      for (float &value : out)
        value = low + (high - low) * static_cast<float>(engine() % 1000) / 1000;
    };
    fill(q, shape.keyHeads * shape.keyDim, -1, 1);
    fill(k, shape.keyHeads * shape.keyDim, -0.7f, 0.7f);
    fill(v, shape.valueHeads * shape.valueDim, -1, 1);
    fill(decay, shape.valueHeads, -0.5f, 0);
    fill(beta, shape.valueHeads, 0, 1);
  }
  int64_t size() const { return beta.size() / shape.valueHeads; }
  DeltaOperands get() const { return {shape, q, k, v, decay, beta}; }
  DeltaOperands get(int64_t first, int64_t count) const {
    auto part = [&](const Vector &all) {
      int64_t perToken = all.size() / size();
      return Floats(all).subspan(first * perToken, count * perToken);
    };
    return {shape, part(q), part(k), part(v), part(decay), part(beta)};
  }
};

/// Memory of all slots; starts as garbage.
struct States {
  Vector recurrent =
      Vector(slots * shape.valueHeads * shape.keyDim * shape.valueDim, 3);
  Vector keys = Vector(slots * ring * shape.keyHeads * shape.keyDim, 4);
  Vector updates = Vector(slots * ring * shape.valueHeads * shape.valueDim, 5);
  Vector decays = Vector(slots * ring * shape.valueHeads, 6);
  DeltaStates get() { return {recurrent, keys, updates, decays, ring}; }
};

/// A sequence in a slot with the counters that the engine keeps.
struct Sequence {
  int32_t slot = 1, position = 0, folded = 0;

  /// Runs tokens [first, first + count) of x at the end of the sequence.
  Vector run(States &states, const Operands &x, int64_t first, int32_t count,
             int32_t update) {
    std::vector<int32_t> row = {slot, 0, count, position, folded, update, 0, 0};
    Vector out(count * shape.valueHeads * shape.valueDim);
    Status status = gatedDeltaRule(x.get(first, count), states.get(), row,
                                   DataType::F32, out);
    EXPECT_TRUE(status.isOk()) << status.getMessage();
    if (update != 0)
      folded = position + (update == 2 ? count : 0);
    position += count;
    return out;
  }

  /// S after all tokens: folds a token that changes nothing.
  Vector read(const States &states) const {
    States copy = states;
    Operands none(1, 0);
    none.decay.assign(none.decay.size(), 0);
    none.beta.assign(none.beta.size(), 0);
    Sequence end = *this;
    end.run(copy, none, 0, 1, 2);
    int64_t size = copy.recurrent.size() / slots;
    return {copy.recurrent.begin() + slot * size,
            copy.recurrent.begin() + (slot + 1) * size};
  }
};

} // namespace

static void expectNear(const Vector &found, const Vector &expected,
                       double tolerance, const std::string &what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], tolerance) << what << " at " << i;
}

TEST(GatedDeltaRule, GivesWhatTheFormulaSays) {
  // One head, keys of two, values of one.
  DeltaShape tiny = {1, 1, 2, 1};
  Vector q = {1, 2, 3, -1}, k = {0.6f, 0.8f, 1, 0}, v = {2, 4};
  Vector decay = {-1, std::log(0.5f)}, beta = {0.5f, 0.25f}, out(2);
  Vector recurrent(2), keys(4), updates(2), decays(2);
  DeltaStates states = {recurrent, keys, updates, decays, 2};
  std::vector<int32_t> row = {0, 0, 2, 0, 0, 0, 0, 0};
  ASSERT_TRUE(gatedDeltaRule({tiny, q, k, v, decay, beta}, states, row,
                             DataType::F32, out)
                  .isOk());
  // Token 0: S = 0, u = 0.5 * 2 = 1, S = (0.6, 0.8), q S = 2.2.
  // Token 1: S = (0.3, 0.4), u = 0.25 * (4 - 0.3) = 0.925, S = (1.225, 0.4).
  EXPECT_FLOAT_EQ(out[0], 2.2f);
  EXPECT_FLOAT_EQ(out[1], 3 * 1.225f - 0.4f);
  EXPECT_EQ(keys, k);
  EXPECT_FLOAT_EQ(updates[0], 1);
  EXPECT_FLOAT_EQ(updates[1], 0.925f);
  // Sums of the decays from the fold on.
  EXPECT_FLOAT_EQ(decays[0], -1);
  EXPECT_FLOAT_EQ(decays[1], -1 + std::log(0.5f));
  EXPECT_EQ(recurrent, (Vector{0, 0}));

  // The fold of the same tokens.
  row[5] = 2;
  ASSERT_TRUE(gatedDeltaRule({tiny, q, k, v, decay, beta}, states, row,
                             DataType::F32, out)
                  .isOk());
  EXPECT_FLOAT_EQ(recurrent[0], 1.225f);
  EXPECT_FLOAT_EQ(recurrent[1], 0.4f);
}

TEST(GatedDeltaRule, AnyStepsAndUpdatesAgree) {
  constexpr int64_t tokens = 61;
  Operands x(tokens, 7);
  States expectedStates;
  Sequence expectedSequence;
  Vector expected =
      expectedSequence.run(expectedStates, x, 0, tokens, /*update=*/2);
  Vector state = expectedSequence.read(expectedStates);
  for (uint64_t seed = 0; seed < 40; ++seed) {
    std::mt19937_64 engine(seed);
    States states;
    Sequence sequence;
    Vector found;
    int counts[3] = {};
    while (sequence.position < tokens) {
      int32_t count =
          std::min<int32_t>(1 + engine() % 6, tokens - sequence.position);
      int32_t held = sequence.position - sequence.folded;
      int32_t update = held + count > ring ? 2 : engine() % 3;
      ++counts[update];
      Vector part = sequence.run(states, x, sequence.position, count, update);
      found.insert(found.end(), part.begin(), part.end());
    }
    std::string name = "seed " + std::to_string(seed);
    expectNear(found, expected, 1e-5, name);
    expectNear(sequence.read(states), state, 1e-5, name);
    EXPECT_TRUE(counts[0] && counts[1] && counts[2]) << name;
  }
}

TEST(GatedDeltaRule, AppendsWrapAroundTheRing) {
  // One token at a time, folded at the last moment: the rows of the ring are
  // written several times over.
  constexpr int64_t tokens = 4 * ring + 3;
  Operands x(tokens, 8);
  States whole, states;
  Sequence all, sequence;
  Vector expected = all.run(whole, x, 0, tokens, 2), found;
  for (int32_t t = 0; t < tokens; ++t) {
    // What the engine does with at most one more token than this.
    bool isFull = t - sequence.folded + 1 + 1 > ring;
    Vector part = sequence.run(states, x, t, 1, isFull ? 1 : 0);
    found.insert(found.end(), part.begin(), part.end());
    EXPECT_LE(sequence.position - sequence.folded, ring);
  }
  expectNear(found, expected, 1e-5, "outputs");
  expectNear(sequence.read(states), all.read(whole), 1e-5, "state");
}

TEST(GatedDeltaRule, RejectedTokensAreTakenBackByTheCounter) {
  Operands x(12, 9), rejected(4, 10);
  States straight, rewound;
  Sequence a, b;
  a.run(straight, x, 0, 6, 2);
  b.run(rewound, x, 0, 6, 2);
  Vector expected = a.run(straight, x, 6, 2, 0);
  // Four drafted tokens of which two were right, then what came instead.
  Operands draft = x;
  for (auto [all, other] : {std::pair(&draft.q, &rejected.q),
                            {&draft.k, &rejected.k},
                            {&draft.v, &rejected.v},
                            {&draft.decay, &rejected.decay},
                            {&draft.beta, &rejected.beta}}) {
    int64_t perToken = other->size() / rejected.size();
    std::copy(other->begin(), other->begin() + 2 * perToken,
              all->begin() + 8 * perToken);
  }
  Vector found = b.run(rewound, draft, 6, 4, 0);
  found.resize(expected.size());
  EXPECT_EQ(found, expected);
  b.position = 8;
  EXPECT_EQ(b.run(rewound, x, 8, 4, 1), a.run(straight, x, 8, 4, 1));
  EXPECT_EQ(b.read(rewound), a.read(straight));
}

TEST(GatedDeltaRule, AReusedSlotStartsFromZero) {
  Operands first(9, 11), second(5, 12);
  for (int32_t update : {0, 1, 2}) {
    States used, fresh;
    Sequence{}.run(used, first, 0, 9, 2);
    Sequence a, b;
    EXPECT_EQ(a.run(used, second, 0, 5, update),
              b.run(fresh, second, 0, 5, update));
    EXPECT_EQ(a.read(used), b.read(fresh));
  }
}

TEST(GatedDeltaRule, SequencesOfAStepDoNotMix) {
  // Slot 1 and slot 0 in one step, in that order, against each alone.
  Operands x(7, 13);
  States together, alone;
  std::vector<int32_t> rows = {1, 0, 3, 0, 0, 2, 0, 0, //
                               0, 3, 4, 0, 0, 0, 0, 0, //
                               0, 0, 0, 0, 0, 0, 0, 0};
  Vector out(7 * shape.valueHeads * shape.valueDim);
  ASSERT_TRUE(
      gatedDeltaRule(x.get(), together.get(), rows, DataType::F32, out).isOk());
  Vector expected = Sequence{1}.run(alone, x, 0, 3, 2);
  Vector other = Sequence{0}.run(alone, x, 3, 4, 0);
  expected.insert(expected.end(), other.begin(), other.end());
  EXPECT_EQ(out, expected);
  EXPECT_EQ(together.recurrent, alone.recurrent);
  EXPECT_EQ(together.updates, alone.updates);
}

TEST(GatedDeltaRule, LeavesTheStateOfAnUnusedRowAlone) {
  Operands x(9, 15);
  States states;
  Sequence{}.run(states, x, 0, 9, 2);
  States before = states;
  Vector out;
  for (int32_t update : {0, 1, 2})
    for (int32_t position : {0, 9}) {
      std::vector<int32_t> row = {1, 0, 0, position, 0, update, 0, 0};
      ASSERT_TRUE(gatedDeltaRule(x.get(), states.get(), row, DataType::F32, out)
                      .isOk());
      EXPECT_EQ(states.recurrent, before.recurrent);
      EXPECT_EQ(states.updates, before.updates);
    }
}

TEST(GatedDeltaRule, RefusesMoreTokensThanTheRingHolds) {
  Operands x(9, 14);
  States states;
  Vector out(9 * shape.valueHeads * shape.valueDim);
  auto message = [&](std::vector<int32_t> row) {
    return gatedDeltaRule(x.get(), states.get(), row, DataType::F32, out)
        .getMessage();
  };
  EXPECT_EQ(message({0, 0, 9, 0, 0, 0, 0, 0}),
            "sequence 0: 9 tokens in a ring of 8");
  EXPECT_EQ(message({0, 0, 3, 20, 14, 1, 0, 0}),
            "sequence 0: 9 tokens in a ring of 8");
  EXPECT_EQ(message({0, 0, 1, 20, 11, 2, 0, 0}),
            "sequence 0: 9 tokens in a ring of 8");
}
