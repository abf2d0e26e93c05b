//===- DeltaRuleCases.cpp - Cases of the gated delta rule -----------------===//
#include "runtime/reference/Delta.h"
#include "test/kernels/SequenceRows.h"

#include <algorithm>
#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                   bf16 = DataType::BF16;

constexpr int64_t ring = 32, slots = 4;

/// The states before a step; what no token of it may see is infinite.
struct States {
  States(const reference::DeltaShape &d, const StepRows &step)
      : recurrent(makeRandom(f32, {slots, d.valueHeads, d.keyDim, d.valueDim},
                             1, 81)),
        keys(makeRandom(f32, {slots, ring, d.keyHeads, d.keyDim},
                        1 / std::sqrt(double(d.keyDim)), 82)),
        updates(
            makeRandom(f32, {slots, ring, d.valueHeads, d.valueDim}, 1, 83)),
        decays(makeRandom(f32, {slots, ring, d.valueHeads}, 0.02, 84)) {
    for (const Row &row : step.rows) {
      if (row.count == 0)
        continue;
      if (row.folded == 0)
        fill(recurrent, row.slot, 1, 0);
      int64_t pending = row.position - row.folded;
      for (int64_t j = 0; j != ring; ++j) {
        int64_t ringRow = (row.folded + j) % ring;
        if (j >= pending) {
          fill(keys, row.slot, ring, ringRow);
          fill(updates, row.slot, ring, ringRow);
          fill(decays, row.slot, ring, ringRow);
          continue;
        }
        // Sums of decays fall.
        for (int64_t h = 0; h != d.valueHeads; ++h)
          decays.values[(row.slot * ring + ringRow) * d.valueHeads + h] -=
              0.05f * float(j + 1) * float(h % 5 + 1);
      }
    }
  }

  /// Part `at` of `parts` of a slot.
  static void fill(Tensor &tensor, int64_t slot, int64_t parts, int64_t at) {
    int64_t size = int64_t(tensor.values.size()) / (slots * parts);
    std::fill_n(&tensor.values[(slot * parts + at) * size], size, INFINITY);
  }

  Tensor recurrent, keys, updates, decays;
};

} // namespace

/// Heads of length about one.
static Tensor makeHeads(const StepRows &step, int64_t heads, int64_t dim,
                        unsigned seed) {
  return makeRandom(f32, {step.total, heads, dim}, std::sqrt(3 / double(dim)),
                    seed);
}

static KernelCase makeDeltaRule(const char *family, DataType type,
                                reference::DeltaShape d, StepRows step) {
  KernelCase c{{family, family, {}, {}}, {}, {}, uint32_t(step.tokens()), 1};
  Tensor q = makeHeads(step, d.keyHeads, d.keyDim, 85);
  Tensor k = makeHeads(step, d.keyHeads, d.keyDim, 86);
  Tensor v = makeRandom(type, {step.total, d.valueHeads, d.valueDim}, 2, 87);
  Tensor decay = makeRandom(f32, {step.total, d.valueHeads}, 0.5, 88);
  for (float &value : decay.values)
    value = value < -0.45f ? -80 : value - 0.5f; // Some forget all.
  Tensor beta = makeRandom(f32, {step.total, d.valueHeads}, 0.5, 89);
  for (float &value : beta.values)
    value += 0.5f;
  States before(d, step), after = before;
  Tensor sequences = step.makeSequences();
  Tensor out = makeZeros(type, v.shape);
  Status status = reference::gatedDeltaRule(
      {d, q.values, k.values, v.values, decay.values, beta.values},
      {after.recurrent.values, after.keys.values, after.updates.values,
       after.decays.values, ring},
      sequences.integers, type, out.values);
  if (!status.isOk())
    std::ranges::fill(out.values, NAN); // Equal to nothing.

  for (Tensor *input : {&q, &k, &v, &decay, &beta}) {
    // What lies behind the tokens of the step may be anything.
    size_t row = input->values.size() / step.total;
    std::fill(input->values.begin() + row * step.tokens(), input->values.end(),
              NAN);
    c.addInput(*input);
  }
  unsigned recurrent = c.addInput(before.recurrent);
  unsigned keys = c.addInput(before.keys);
  unsigned updates = c.addInput(before.updates);
  unsigned decays = c.addInput(before.decays);
  c.addInput(sequences);
  c.addStateView(recurrent, {after.recurrent, 1e-5, 1e-5});
  if (c.request.family == "delta_rule") {
    c.addStateView(keys, {after.keys});
    c.addStateView(updates, {after.updates, 1e-5, 1e-5});
    c.addStateView(decays, {after.decays, 1e-6, 1e-6});
  }
  c.addOutput({out, 1e-5, type == f32 ? 1e-5 : relativeTolerance(type)});
  return c;
}

/// New sequences, continued ones, a used slot that starts again, rings that
/// are empty, full or wrap, an unused row, fewer tokens than there is room for.
static const std::pair<const char *, StepRows> shortSteps[] = {
    {"append", {{{1, 1, 37, 20, 0}}, 1}},
    {"fold", {{{1, 1, 63, 32, 1}}, 1}},
    {"new", {{{2, 1, 0, 0, 0}}, 1}},
    {"foldnew", {{{3, 1, 5, 0, 1}}, 1}},
    {"draft", {{{3, 5, 50, 23, 0}}, 8}},
    {"full", {{{0, 8, 61, 37, 0}}, 8}},
    {"draftfold", {{{2, 3, 29, 0, 1}}, 4}},
    {"ragged",
     {{{2, 1, 2, 0, 0},
       {0, 3, 0, 0, 0},
       {1, 0, 9, 0, 0},
       {1, 1, 70, 40, 1},
       {3, 2, 31, 31, 1}},
      8}}};
static const std::pair<const char *, StepRows> longSteps[] = {
    {"one", {{{1, 1, 40, 20, 2}}, 1}},
    {"chunk", {{{1, 41, 23, 23, 2}}, 48}},
    {"ragged",
     {{{2, 19, 0, 0, 2}, {0, 1, 5, 0, 2}, {1, 0, 0, 0, 0}, {1, 16, 90, 65, 2}},
      37}}};

void test::addDeltaRuleCases(std::vector<NamedCase> &cases) {
  struct {
    const char *name;
    reference::DeltaShape shape;
    DataType type;
  } models[] = {{"16_32x128", {16, 32, 128, 128}, bf16},
                {"2_6x16x24", {2, 6, 16, 24}, f32},
                {"2_2x16", {2, 2, 16, 16}, f16},
                {"1_4x32x16", {1, 4, 32, 16}, bf16},
                {"1_2x256x64", {1, 2, 256, 64}, f32}};
  for (const auto &model : models) {
    auto add = [&](const char *family, const char *name, const StepRows &step) {
      cases.push_back(
          {std::string(family) + "_" + model.name + "_" + name, family, [=] {
             return makeDeltaRule(family, model.type, model.shape, step);
           }});
    };
    for (const auto &[name, step] : shortSteps)
      add("delta_rule", name, step);
    for (const auto &[name, step] : longSteps)
      add("delta_scan", name, step);
  }
}
