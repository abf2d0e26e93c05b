//===- DeltaChunkCases.cpp - Cases of the chunked gated delta rule --------===//
#include "runtime/reference/Delta.h"
#include "test/kernels/KernelCase.h"

#include <cmath>
#include <numeric>

using namespace quern;
using namespace quern::test;

namespace {

/// A row of `sequences` of a prefill step; unused without tokens.
struct Prompt {
  int32_t slot, tokens, position, folded;
};

struct Rule {
  reference::DeltaShape shape;
  std::vector<Prompt> prompts;
  int64_t chunk = 8;
  DataType type = DataType::F32;
  double decay = 1;                         ///< Greatest decay of a token.
  int64_t slots = 3, ring = 32, unused = 2; ///< Tokens after the last.

  int64_t tokens() const {
    return std::accumulate(
        prompts.begin(), prompts.end(), unused,
        [](int64_t sum, const Prompt &p) { return sum + p.tokens; });
  }
};

} // namespace

/// Rows of length `scale`.
static Tensor makeUnitRows(std::vector<int64_t> shape, double scale,
                           unsigned seed) {
  int64_t size = shape.back();
  Tensor rows = makeRandom(DataType::F32, std::move(shape), 1, seed);
  for (size_t at = 0; at != rows.values.size(); at += size) {
    double sum = 0;
    for (int64_t i = 0; i != size; ++i)
      sum += rows.values[at + i] * rows.values[at + i];
    for (int64_t i = 0; i != size; ++i)
      rows.values[at + i] *= static_cast<float>(scale / std::sqrt(sum));
  }
  return rows;
}

/// Numbers in (0, 1), some of them as near to 0 and 1 as f32 sigmoids get.
static Tensor makeBetas(std::vector<int64_t> shape) {
  Tensor betas = makeRandom(DataType::F32, std::move(shape), 0.5, 85);
  for (size_t i = 0; i != betas.values.size(); ++i)
    betas.values[i] = i % 7 == 3   ? 1e-7f
                      : i % 7 == 5 ? 0.9999999f
                                   : betas.values[i] + 0.5f;
  return betas;
}

/// Numbers in [-most, 0], every seventh 0.
static Tensor makeDecays(std::vector<int64_t> shape, double most) {
  Tensor decays = makeRandom(DataType::F32, std::move(shape), most / 2, 84);
  for (size_t i = 0; i != decays.values.size(); ++i)
    decays.values[i] =
        i % 7 == 2 ? 0 : decays.values[i] - static_cast<float>(most / 2);
  return decays;
}

/// Rings of decays: sums where tokens lie, NaN where none do.
static Tensor makeRingDecays(const Rule &rule) {
  int64_t heads = rule.shape.valueHeads;
  Tensor sums = makeZeros(DataType::F32, {rule.slots, rule.ring, heads});
  std::fill(sums.values.begin(), sums.values.end(), NAN);
  for (const Prompt &p : rule.prompts)
    for (int64_t head = 0; head != heads; ++head) {
      float sum = 0;
      for (int32_t at = p.folded; at < p.position; ++at) {
        sum -= static_cast<float>(rule.decay * ((at * 5 + head) % 9) / 9);
        sums.values[(p.slot * rule.ring + at % rule.ring) * heads + head] = sum;
      }
    }
  return sums;
}

static Tensor makeSequences(const Rule &rule) {
  std::vector<int32_t> numbers;
  int32_t first = 0;
  for (const Prompt &p : rule.prompts) {
    numbers.insert(numbers.end(), {p.slot, first, p.tokens, p.position,
                                   p.folded, p.tokens ? 2 : 0, 0, 0});
    first += p.tokens;
  }
  return makeIntegers(
      {int64_t(rule.prompts.size()), reference::sequenceNumbers}, numbers);
}

static KernelCase makeChunkCase(const Rule &rule) {
  const reference::DeltaShape &s = rule.shape;
  int64_t tokens = rule.tokens();
  Tensor q = makeUnitRows({tokens, s.keyHeads, s.keyDim},
                          1 / std::sqrt(double(s.keyDim)), 81);
  Tensor key = makeUnitRows({tokens, s.keyHeads, s.keyDim}, 1, 82);
  Tensor v = makeRandom(rule.type, {tokens, s.valueHeads, s.valueDim}, 1, 83);
  Tensor decay = makeDecays({tokens, s.valueHeads}, rule.decay);
  Tensor beta = makeBetas({tokens, s.valueHeads});
  Tensor recurrent = makeRandom(
      DataType::F32, {rule.slots, s.valueHeads, s.keyDim, s.valueDim}, 0.5, 86);
  Tensor keys =
      makeUnitRows({rule.slots, rule.ring, s.keyHeads, s.keyDim}, 1, 87);
  Tensor updates = makeRandom(
      DataType::F32, {rule.slots, rule.ring, s.valueHeads, s.valueDim}, 1, 88);
  Tensor decays = makeRingDecays(rule);
  Tensor sequences = makeSequences(rule);
  // Whatever a new sequence finds in its slot.
  int64_t slotSize = s.valueHeads * s.keyDim * s.valueDim;
  for (const Prompt &p : rule.prompts)
    if (p.tokens != 0 && p.folded == 0)
      std::fill_n(&recurrent.values[p.slot * slotSize], slotSize, NAN);

  Tensor after = recurrent, out = makeZeros(rule.type, v.shape);
  reference::DeltaStates states = {after.values, keys.values, updates.values,
                                   decays.values, rule.ring};
  Status status = reference::gatedDeltaRule(
      {s, q.values, key.values, v.values, decay.values, beta.values}, states,
      sequences.integers, rule.type, out.values);
  if (!status.isOk()) // A case that is wrong must fail.
    std::fill(out.values.begin(), out.values.end(), NAN);

  KernelCase c{{"delta_chunk", "delta_chunk", {}, {}}};
  c.tokens = static_cast<uint32_t>(tokens);
  c.request.config = {{"chunk", rule.chunk}};
  for (Tensor *input : {&q, &key, &v, &decay, &beta})
    c.addInput(*input);
  unsigned state = c.addInput(recurrent);
  for (Tensor *input : {&keys, &updates, &decays, &sequences})
    c.addInput(*input);
  c.addStateView(state, {std::move(after), 3e-6, 1e-5});
  c.addOutput({std::move(out), 1e-6, 1e-5 + relativeTolerance(rule.type)});
  return c;
}

void test::addDeltaChunkCases(std::vector<NamedCase> &cases) {
  auto add = [&](std::string name, const Rule &rule) {
    cases.push_back({"delta_chunk_" + name, "delta_chunk",
                     [rule] { return makeChunkCase(rule); }});
  };
  using Shape = reference::DeltaShape;
  const Shape small{2, 4, 16, 16}, odd{2, 6, 16, 24}, wide{2, 2, 16, 32};
  constexpr DataType f32 = DataType::F32;
  for (int32_t n : {1, 2, 3, 7, 8, 9, 63, 64, 65, 150, 512}) {
    Rule rule{small, {{1, n, 0, 0}}};
    rule.unused = 515 - n; // One kernel for all.
    add("t" + std::to_string(n), rule);
  }
  for (int32_t c : {2, 4, 16, 32})
    add("chunk" + std::to_string(c),
        {odd, {{1, c - 1, 5, 2}, {0, c, 9, 9}, {2, c + 1, 0, 0}}, c});
  for (DataType type : {DataType::F16, DataType::BF16}) {
    add("odd_" + typeName(type), {odd, {{1, 21, 0, 0}}, 4, type});
    add("wide_" + typeName(type), {wide, {{1, 21, 0, 0}}, 4, type});
    add("heads_" + typeName(type),
        {{1, 3, 128, 128}, {{1, 11, 7, 3}}, 2, type});
  }
  add("ring", {small, {{0, 5, 70, 39}}});
  add("ragged",
      {odd, {{2, 9, 0, 0}, {0, 0, 0, 0}, {0, 17, 33, 20}, {1, 1, 64, 64}}});
  add("strong_decays", {wide, {{0, 70, 12, 4}}, 16, f32, 90});
  add("no_decays", {small, {{0, 70, 12, 4}}, 16, f32, 0});
  add("16_32x128", {{16, 32, 128, 128}, {{2, 19, 41, 40}}, 4});
  add("16_48x128", {{16, 48, 128, 128}, {{2, 5, 0, 0}}, 4});
  add("1_2x128_t512", {{1, 2, 128, 128}, {{0, 512, 0, 0}}, 2});
  const Shape square{1, 3, 32, 32};
  for (DataType type : {f32, DataType::F16, DataType::BF16})
    add("square_" + typeName(type),
        {square, {{2, 71, 40, 9}, {0, 33, 0, 0}, {1, 1, 7, 4}}, 16, type});
}
