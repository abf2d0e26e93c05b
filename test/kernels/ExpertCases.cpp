//===- ExpertCases.cpp - Cases of the families of experts ------------===//
#include "runtime/base/Numeric.h"
#include "runtime/reference/Reference.h"
#include "test/kernels/KernelCase.h"

#include <bit>
#include <cmath>
#include <iterator>

using namespace quern;
using namespace quern::test;

namespace {

struct MoeShape {
  Tokens tokens;
  int64_t slots, experts, hidden, intermediate;
};

struct MoeTypes {
  DataType compute, weight;
  Encoding encoding = Encoding::None;
  bool inPanels = false; ///< The weights.
  bool codes = false;    ///< Inputs are int8 codes.
};

/// How tokens are spread over experts.
enum class Routing { Spread, OneExpert, EachItsOwn };

} // namespace

static Tensor makeChoices(const MoeShape &shape, Routing routing) {
  Tensor choices = makeIntegers({shape.tokens.total, shape.slots}, {});
  for (int64_t t = 0; t != shape.tokens.total; ++t)
    for (int64_t j = 0; j != shape.slots; ++j) {
      int64_t first = routing == Routing::OneExpert    ? shape.experts - 1
                      : routing == Routing::EachItsOwn ? t * shape.slots
                                                       : t * t * 7 + t / 3;
      choices.integers.push_back(
          static_cast<int32_t>((first + j) % shape.experts));
    }
  return choices;
}

/// The gate and up rows of each expert alternate.
static Tensor interleaveHalves(const Tensor &weight) {
  Tensor mixed = weight;
  int64_t half = weight.shape[1] / 2, inputs = weight.shape[2];
  for (auto data : {&Tensor::values, &Tensor::unrounded})
    for (size_t row = 0; row != (weight.*data).size() / inputs; ++row) {
      int64_t e = row / (2 * half), part = row / half % 2, i = row % half;
      std::copy_n(&(weight.*data)[row * inputs], inputs,
                  &(mixed.*data)[((e * half + i) * 2 + part) * inputs]);
    }
  return mixed;
}

namespace {

struct ExpertData {
  Tensor x, choices, gateUp, down, weights;
};

} // namespace

static std::string getFamily(MoeTypes types, const char *family) {
  return std::string(types.codes ? "integer_" : "") + family;
}

static KernelCase makeCase(MoeTypes types, const MoeShape &s,
                           const char *family) {
  std::string name = getFamily(types, family);
  return {{name, name, {}, {}}, {}, {}, s.tokens.run, 1};
}

static void addWeight(KernelCase &c, MoeTypes types, Tensor weight) {
  unsigned argument = c.addInput(std::move(weight));
  if (types.inPanels)
    c.panelWeights = {argument};
}

/// Adds the inputs of a product, rounded to codes if it takes those.
static void addInputs(KernelCase &c, MoeTypes types, const Tensor &x) {
  if (!types.codes) {
    c.addInput(x);
    return;
  }
  std::vector<int64_t> words = x.shape, groups = x.shape;
  words.back() /= 4;
  groups.back() /= kGroupSize;
  groups.push_back(2);
  Tensor codes = makeZeros(DataType::I32, words);
  Tensor factors = makeZeros(DataType::F32, groups);
  reference::quantizeActivations(x.values, getEncodingInfo(types.encoding).bits,
                                 codes.integers, factors.values);
  c.addInput(codes);
  c.addInput(factors);
}

static void roundInputs(MoeTypes types, Tensor &x) {
  if (types.codes)
    reference::roundToCodes(x.values);
}

static ExpertData makeExperts(MoeTypes types, const MoeShape &s,
                              Routing routing) {
  double gateScale = 1 / std::sqrt(double(s.hidden));
  double downScale = 1 / std::sqrt(double(s.intermediate));
  ExpertData data = {
      makeRandom(types.compute, {s.tokens.total, s.hidden}, 2, 52),
      makeChoices(s, routing),
      makeRandomWeight(types.weight, types.encoding,
                       {s.experts, 2 * s.intermediate, s.hidden}, gateScale,
                       53),
      makeRandomWeight(types.weight, types.encoding,
                       {s.experts, s.hidden, s.intermediate}, downScale, 54),
      makeRandom(DataType::F32, {s.tokens.total, s.slots}, 1, 55)};
  roundInputs(types, data.x);
  return data;
}

/// What experts compute before their down products: [T, slots, I].
static Tensor computeGated(MoeTypes types, const MoeShape &s,
                           const ExpertData &data) {
  Tensor out =
      makeZeros(types.compute, {s.tokens.total, s.slots, s.intermediate});
  int64_t size = s.intermediate * s.hidden;
  for (int64_t pair = 0; pair != s.tokens.total * s.slots; ++pair) {
    int64_t e = data.choices.integers[pair];
    std::span<const float> rows = data.gateUp.values;
    reference::linearSwiglu(
        std::span(data.x.values).subspan(pair / s.slots * s.hidden, s.hidden),
        s.hidden, {rows.subspan(2 * e * size, size), s.intermediate},
        {rows.subspan((2 * e + 1) * size, size), s.intermediate}, types.compute,
        std::span(out.values).subspan(pair * s.intermediate, s.intermediate));
  }
  return out;
}

static KernelCase makeExpertRows(MoeTypes types, MoeShape s, Routing routing) {
  KernelCase c = makeCase(types, s, "expert_rows");
  c.request.config["epilogue"] = std::string("swiglu");
  ExpertData data = makeExperts(types, s, routing);
  addInputs(c, types, data.x);
  c.addInput(data.choices);
  addWeight(c, types, interleaveHalves(data.gateUp));
  c.addOutput({computeGated(types, s, data), 2e-6,
               relativeTolerance(types.compute),
               s.tokens.run * s.slots * s.intermediate});
  return c;
}

static KernelCase makeExpertSum(MoeTypes types, MoeShape s, Routing routing) {
  KernelCase c = makeCase(types, s, "expert_sum");
  ExpertData data = makeExperts(types, s, routing);
  Tensor out = makeZeros(types.compute, {s.tokens.total, s.hidden});
  (void)reference::expertSum(
      data.x.values, {data.choices.integers, data.weights.values, s.slots},
      {data.gateUp.values, data.down.values, s.intermediate, s.hidden,
       types.codes},
      types.compute, out.values);
  addInputs(c, types, computeGated(types, s, data));
  c.addInput(data.choices);
  c.addInput(data.weights);
  addWeight(c, types, data.down);
  c.addOutput(
      {out, 4e-6, relativeTolerance(types.compute), s.tokens.run * s.hidden});
  return c;
}

namespace {

/// What expert_count and expert_sort compute for the tokens of the run.
struct Sorted {
  Tensor counts, pairs, tileExperts, tileEnds;
  int64_t tiles = 0;
};

} // namespace

/// The smallest of tileRows, tileRows / 2, ..., 1 that holds `count` rows.
static int64_t sizeOfTile(int64_t count, int64_t tileRows) {
  while (tileRows / 2 >= count)
    tileRows /= 2;
  return tileRows;
}

static Sorted sortPairs(const MoeShape &s, const Tensor &choices,
                        int64_t tileRows) {
  int64_t total = s.tokens.total * s.slots;
  int64_t most =
      (total + std::min(s.experts, total) * (tileRows - 1)) / tileRows;
  int64_t numSizes = std::bit_width(uint64_t(tileRows));
  Sorted sorted = {makeZeros(DataType::I32, {s.experts}),
                   makeZeros(DataType::I32, {most, tileRows}),
                   makeZeros(DataType::I32, {most}),
                   makeZeros(DataType::I32, {numSizes})};
  std::vector<std::vector<int32_t>> mine(s.experts);
  for (int32_t pair = 0; pair != int32_t(s.tokens.run * s.slots); ++pair)
    mine[choices.integers[pair]].push_back(pair);
  for (int32_t e = 0; e != s.experts; ++e)
    sorted.counts.integers[e] = int32_t(mine[e].size());
  for (int64_t i = 0; i != numSizes; ++i) {
    for (int32_t e = 0; e != s.experts; ++e)
      for (int64_t first = 0; first < std::ssize(mine[e]); first += tileRows) {
        int64_t count = std::min(tileRows, std::ssize(mine[e]) - first);
        if (sizeOfTile(count, tileRows) != tileRows >> i)
          continue;
        for (int64_t row = 0; row != tileRows; ++row)
          sorted.pairs.integers[sorted.tiles * tileRows + row] =
              row < count ? mine[e][first + row] : -1;
        sorted.tileExperts.integers[sorted.tiles++] = e;
      }
    sorted.tileEnds.integers[i] = int32_t(sorted.tiles);
  }
  return sorted;
}

static KernelCase makeExpertCount(MoeShape s, Routing routing) {
  KernelCase c{
      {"expert_count", "expert_count", {}, {}}, {}, {}, s.tokens.run, 1};
  Tensor choices = makeChoices(s, routing);
  c.addInput(choices);
  c.addOutput({sortPairs(s, choices, 8).counts});
  return c;
}

static KernelCase makeExpertSort(MoeShape s, Routing routing,
                                 int64_t tileRows) {
  KernelCase c{{"expert_sort", "expert_sort", {}, {}}, {}, {}, s.tokens.run, 1};
  Tensor choices = makeChoices(s, routing);
  Sorted sorted = sortPairs(s, choices, tileRows);
  c.addInput(choices);
  c.addInput(sorted.counts);
  c.addOutput({sorted.pairs, 0, 0, sorted.tiles * tileRows});
  c.addOutput({sorted.tileExperts, 0, 0, sorted.tiles});
  c.addOutput({sorted.tileEnds});
  return c;
}

/// Gate and up with SwiGLU, or down of what they give.
static KernelCase makeExpertTiles(MoeTypes types, MoeShape s, Routing routing,
                                  int64_t tileRows, bool isDown) {
  KernelCase c = makeCase(types, s, "expert_tiles");
  c.request.config["epilogue"] = std::string(isDown ? "none" : "swiglu");
  ExpertData data = makeExperts(types, s, routing);
  Sorted sorted = sortPairs(s, data.choices, tileRows);
  Tensor gated = computeGated(types, s, data);
  addInputs(c, types, isDown ? gated : data.x);
  c.addInput(sorted.pairs);
  c.addInput(sorted.tileExperts);
  c.addInput(sorted.tileEnds);
  addWeight(c, types, isDown ? data.down : interleaveHalves(data.gateUp));
  if (!isDown) {
    c.addOutput({gated, 2e-6, relativeTolerance(types.compute),
                 s.tokens.run * s.slots * s.intermediate});
    return c;
  }
  roundInputs(types, gated);
  Tensor out = makeZeros(DataType::F32, {s.tokens.total, s.slots, s.hidden});
  int64_t size = s.intermediate * s.hidden;
  for (int64_t pair = 0; pair != s.tokens.total * s.slots; ++pair) {
    reference::Matrix down = {
        std::span(data.down.values)
            .subspan(data.choices.integers[pair] * size, size),
        s.hidden};
    reference::linear(
        std::span(gated.values).subspan(pair * s.intermediate, s.intermediate),
        s.intermediate, {&down, 1}, DataType::F32,
        std::span(out.values).subspan(pair * s.hidden, s.hidden));
  }
  c.addOutput({out, 2e-6, relativeTolerance(DataType::F32),
               s.tokens.run * s.slots * s.hidden});
  return c;
}

static std::string describe(const MoeShape &s) {
  return "T" + std::to_string(s.tokens.total) + "of" +
         std::to_string(s.tokens.run) + "_" + std::to_string(s.slots) + "of" +
         std::to_string(s.experts) + "_" + std::to_string(s.hidden) + "x" +
         std::to_string(s.intermediate);
}

static constexpr std::pair<Routing, const char *> routings[] = {
    {Routing::Spread, "spread"},
    {Routing::OneExpert, "one"},
    {Routing::EachItsOwn, "own"}};

namespace {
struct SortedCase {
  MoeShape shape;
  MoeTypes types;
  int64_t tileRows;
};
} // namespace

/// These types, and the forms whose lanes own weight rows.
static std::vector<MoeTypes> getForms(MoeTypes types) {
  std::vector<MoeTypes> forms = {types};
  types.codes = types.encoding != Encoding::None;
  if (types.codes)
    forms.push_back(types);
  types.inPanels = true;
  forms.push_back(types);
  return forms;
}

static std::string describe(MoeTypes types) {
  return typeName(types.compute) + "_" +
         weightName(types.weight, types.encoding) +
         (types.inPanels ? "_panels" : "");
}

static void addTiles(std::vector<NamedCase> &cases, const SortedCase &c,
                     Routing routing, const std::string &name) {
  for (MoeTypes types : getForms(c.types))
    for (bool isDown : {false, true}) {
      std::string family = getFamily(types, "expert_tiles");
      cases.push_back(
          {family + (isDown ? "_down_" : "_") + describe(types) + "_" + name,
           family, [=] {
             return makeExpertTiles(types, c.shape, routing, c.tileRows,
                                    isDown);
           }});
    }
}

static void addSorted(std::vector<NamedCase> &cases) {
  constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                     bf16 = DataType::BF16;
  constexpr SortedCase sortedCases[] = {
      {{{1, 1}, 2, 8, 64, 48}, {f32, bf16}, 8},
      {{{2, 2}, 3, 16, 64, 40}, {f32, f32}, 4},
      {{{8, 2}, 3, 8, 64, 32}, {f16, f16}, 8},
      {{{8, 3}, 3, 8, 64, 32}, {f32, bf16}, 2},
      {{{41, 17}, 3, 6, 48, 40}, {bf16, f32}, 8},
      {{{64, 64}, 8, 16, 128, 72}, {f32, bf16}, 8},
      {{{70, 2}, 2, 64, 64, 40}, {f32, bf16}, 1},
      {{{300, 299}, 4, 40, 64, 40}, {f16, bf16}, 8},
      {{{600, 600}, 2, 5, 64, 48}, {f32, bf16}, 8},
      {{{600, 431}, 1, 3, 64, 40}, {f32, f16}, 4},
      {{{8, 3}, 3, 8, 96, 32}, {f32, f32, Encoding::Int8}, 8},
      {{{64, 64}, 8, 16, 128, 64}, {f32, f32, Encoding::Q4}, 8},
      {{{41, 17}, 3, 6, 64, 96}, {bf16, f32, Encoding::Q4Asymmetric}, 4},
      {{{300, 299}, 4, 40, 64, 32}, {f16, f32, Encoding::Q4}, 8}};
  for (const SortedCase &c : sortedCases)
    for (auto [routing, routingName] : routings) {
      std::string name = routingName + std::string("_") + describe(c.shape) +
                         "_tile" + std::to_string(c.tileRows);
      cases.push_back({"expert_count_" + name, "expert_count",
                       [=] { return makeExpertCount(c.shape, routing); }});
      cases.push_back({"expert_sort_" + name, "expert_sort", [=] {
                         return makeExpertSort(c.shape, routing, c.tileRows);
                       }});
      addTiles(cases, c, routing, name);
    }
}

/// Tiles that devices without matrix units have no lanes for.
static void addMatrixTiles(std::vector<NamedCase> &cases) {
  constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                     bf16 = DataType::BF16;
  constexpr SortedCase matrixCases[] = {
      {{{64, 64}, 8, 16, 128, 72}, {f16, bf16}, 32},
      {{{41, 17}, 3, 6, 48, 40}, {bf16, bf16}, 16},
      {{{300, 299}, 4, 40, 64, 40}, {f16, f16}, 16},
      {{{600, 431}, 1, 3, 64, 136}, {f16, bf16}, 32},
      {{{8, 2}, 3, 8, 64, 32}, {bf16, bf16}, 16},
      {{{64, 64}, 8, 16, 128, 64}, {f16, f32, Encoding::Int8}, 32},
      {{{41, 17}, 3, 6, 64, 96}, {bf16, f32, Encoding::Q4Asymmetric}, 16},
      {{{300, 299}, 4, 40, 64, 32}, {f16, f32, Encoding::Q4}, 32},
      // What the units would round is not for them.
      {{{64, 50}, 8, 16, 64, 40}, {f32, bf16}, 32},
      {{{41, 17}, 3, 6, 64, 40}, {bf16, f16}, 16}};
  for (const SortedCase &c : matrixCases)
    for (auto [routing, routingName] : routings) {
      std::string suffix = std::string("_") + routingName + "_" +
                           describe(c.shape) + "_tile" +
                           std::to_string(c.tileRows);
      auto add = [&](const std::string &name, const char *family, auto make) {
        cases.push_back({name + suffix, family, [=] {
                           KernelCase kernelCase = make();
                           kernelCase.onMatrixUnits = true;
                           return kernelCase;
                         }});
      };
      add("expert_sort", "expert_sort", [=, routing = routing] {
        return makeExpertSort(c.shape, routing, c.tileRows);
      });
      for (bool isDown : {false, true})
        add(std::string("expert_tiles_") + (isDown ? "down_" : "") +
                describe(c.types),
            "expert_tiles", [=, routing = routing] {
              return makeExpertTiles(c.types, c.shape, routing, c.tileRows,
                                     isDown);
            });
    }
}

static void addGathered(std::vector<NamedCase> &cases, MoeTypes types,
                        const MoeShape &shape, Routing routing,
                        const char *name) {
  std::string suffix =
      "_" + describe(types) + "_" + name + "_" + describe(shape);
  std::string rows = getFamily(types, "expert_rows");
  std::string sum = getFamily(types, "expert_sum");
  cases.push_back({rows + suffix, rows,
                   [=] { return makeExpertRows(types, shape, routing); }});
  cases.push_back({sum + suffix, sum,
                   [=] { return makeExpertSum(types, shape, routing); }});
}

void test::addExpertCases(std::vector<NamedCase> &cases) {
  constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                     bf16 = DataType::BF16;
  constexpr MoeTypes allTypes[] = {{f32, f32},
                                   {f32, bf16},
                                   {f16, bf16},
                                   {bf16, bf16},
                                   {f32, f32, Encoding::Int8},
                                   {f16, f32, Encoding::Q4},
                                   {bf16, f32, Encoding::Q4Asymmetric}};
  constexpr MoeShape shapes[] = {
      {{1, 1}, 2, 8, 64, 48}, {{9, 5}, 3, 6, 48, 40}, {{8, 8}, 8, 16, 128, 72}};
  constexpr MoeShape wholeGroups[] = {
      {{1, 1}, 2, 8, 64, 32}, {{9, 5}, 3, 6, 32, 96}, {{8, 8}, 8, 16, 128, 64}};
  addSorted(cases);
  addMatrixTiles(cases);
  for (MoeTypes types : allTypes)
    for (const MoeShape &shape :
         types.encoding == Encoding::None ? shapes : wholeGroups)
      for (auto [routing, name] : routings)
        for (MoeTypes form : getForms(types))
          addGathered(cases, form, shape, routing, name);
}
