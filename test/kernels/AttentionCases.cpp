//===- AttentionCases.cpp - Cases of rotation, cache and attention --------===//
#include "test/kernels/AttentionSteps.h"

#include <algorithm>
#include <cmath>

using namespace quern;
using namespace quern::test;

static Tensor makeRopeTable(const Layout &layout, int64_t rotaryDim) {
  Tensor frequencies = makeZeros(DataType::F32, {rotaryDim / 2});
  for (int64_t i = 0; i != rotaryDim / 2; ++i)
    frequencies.values[i] =
        static_cast<float>(std::pow(1e6, -2.0 * i / rotaryDim));
  Tensor table = makeZeros(DataType::F32, {layout.tokens(), rotaryDim});
  reference::ropeTable(layout.positionOf, frequencies.values, 1, table.values);
  return table;
}

static KernelCase makeRopeTableCase(std::vector<int32_t> positions,
                                    int64_t rotaryDim, double factor) {
  int64_t tokens = static_cast<int64_t>(positions.size());
  KernelCase c{{"rope_table", "rope_table", {}, {}}, {}, {}, 0, 0};
  c.tokens = static_cast<uint32_t>(tokens);
  c.request.config = {{"attention_factor", factor}};
  Tensor frequencies = makeZeros(DataType::F32, {rotaryDim / 2});
  for (int64_t i = 0; i != rotaryDim / 2; ++i)
    frequencies.values[i] =
        static_cast<float>(std::pow(1e4, -2.0 * i / rotaryDim));
  Tensor out = makeZeros(DataType::F32, {tokens, rotaryDim});
  reference::ropeTable(positions, frequencies.values, factor, out.values);
  c.addInput(makeIntegers({tokens}, std::move(positions)));
  c.addInput(frequencies);
  c.addOutput({out, 2e-6, 0});
  return c;
}

static KernelCase makeRope(DataType type, Heads heads, const Layout &layout) {
  KernelCase c{{"rope", "rope", {}, {}}, {}, {}, 0, 0};
  c.tokens = static_cast<uint32_t>(layout.tokens());
  std::vector<int64_t> dims = {layout.tokens(), heads.query, heads.dim};
  Tensor x = makeRandom(type, dims, 2, 33);
  Tensor table = makeRopeTable(layout, heads.rotary);
  Tensor out = makeZeros(type, dims);
  reference::rope(x.values, heads.query, heads.dim, table.values, heads.rotary,
                  type, out.values);
  c.addInput(x);
  c.addInput(table);
  c.addOutput({out, 1e-6, relativeTolerance(type)});
  return c;
}

/// What a cache with these numbers is to hold: codes nearest to them. Where two
/// are as near, devices may round to either.
static Expectation expectCache(Tensor cache, double absolute, double relative) {
  if (!cache.int8Rows)
    return {cache, absolute, relative};
  float largest = 0;
  for (float value : cache.values)
    largest = std::max(largest, std::fabs(value));
  return {cache, largest / 254 * 1.0001, 0};
}

static KernelCase makeCacheAppend(DataType type, Heads heads,
                                  const Layout &layout, uint32_t run) {
  KernelCase c{{"cache_append", "cache_append", {}, {}}, {}, {}, run, 1};
  Step step(layout, heads, type);
  std::vector<int64_t> dims = {layout.tokens(), heads.key, heads.dim};
  Tensor k = makeRandom(type, dims, 1, 34), v = makeRandom(type, dims, 1, 35);
  Tensor keys = step.keyCache, values = step.valueCache;
  // Tokens beyond the run must leave no trace.
  reference::Placement placement = step.placement;
  placement.slots = placement.slots.first(run);
  placement.positions = placement.positions.first(run);
  reference::CacheShape shape = step.shape;
  shape.int8Rows = false; // expectCache rounds.
  (void)reference::cacheAppend(k.values, v.values, placement, shape,
                               keys.values, values.values);
  c.addInput(k);
  c.addInput(v);
  step.addPlacement(c);
  c.addState(step.keyCache, expectCache(keys, 0, 0));
  c.addState(step.valueCache, expectCache(values, 0, 0));
  return c;
}

static KernelCase makeQKNormRopeAppend(DataType type, DataType weightType,
                                       Heads heads, const Layout &layout,
                                       uint32_t run) {
  KernelCase c{{"qk", "qk_norm_rope_append", {}, {}}, {}, {}, run, 1};
  c.request.config = {{"epsilon", 1e-6},
                      {"unit_offset", false},
                      {"num_heads", heads.query},
                      {"num_kv_heads", heads.key},
                      {"gated", heads.gated}};
  Step step(layout, heads, type);
  int64_t features = heads.features();
  Tensor qkv = makeRandom(type, {layout.tokens(), features}, 2, 36);
  Tensor table = makeRopeTable(layout, heads.rotary);
  Tensor qNorm = makeRandom(weightType, {heads.dim}, 1, 37);
  Tensor kNorm = makeRandom(weightType, {heads.dim}, 1, 38);
  Tensor q = makeZeros(type, {layout.tokens(), heads.query, heads.dim});
  Tensor keys = step.keyCache, values = step.valueCache;
  reference::Placement placement = step.placement;
  placement.slots = placement.slots.first(run);
  placement.positions = placement.positions.first(run);
  reference::CacheShape shape = step.shape;
  shape.int8Rows = false; // expectCache rounds.
  auto compute = [&](DataType rounded, Tensor &k, Tensor &v) {
    (void)reference::qkNormRopeAppend(
        {reference::Floats(qkv.values).first(run * features),
         heads.query,
         reference::Floats(table.values).first(run * heads.rotary),
         heads.rotary,
         {qNorm.values, 1e-6, false},
         {kNorm.values, 1e-6, false},
         heads.gated},
        placement, shape, rounded, k.values, v.values,
        reference::Output(q.values).first(run * heads.queries()));
  };
  if (heads.int8Cache) { // Keys are rounded to codes alone.
    Tensor otherKeys = keys, otherValues = values;
    compute(DataType::F32, keys, values);
    compute(type, otherKeys, otherValues);
  } else {
    compute(type, keys, values);
  }
  c.addInput(qkv);
  c.addInput(table);
  step.addPlacement(c);
  c.addInput(qNorm);
  c.addInput(kNorm);
  double relative = relativeTolerance(type);
  c.addState(step.keyCache, expectCache(keys, 2e-6, relative));
  c.addState(step.valueCache, expectCache(values, 0, 0));
  c.addOutput({q, 2e-6, relative, run * heads.queries()});
  return c;
}

static KernelCase makeAttention(DataType type, Heads heads,
                                const Layout &layout, uint32_t run) {
  std::string family = heads.gated ? "gated_attention" : "attention";
  KernelCase c{{family, family, {}, {}}, {}, {}, run, 1};
  double scale = 1 / std::sqrt(double(heads.dim));
  c.request.config = {{"scale", scale}};
  Step step(layout, heads, type);
  std::vector<int64_t> dims = {layout.tokens(), heads.query, heads.dim};
  Tensor q = makeRandom(type, dims, 4, 39);
  Tensor out = makeZeros(type, dims);
  (void)reference::attention(q.values, heads.query, step.placement, step.shape,
                             step.keyCache.values, step.valueCache.values,
                             scale, heads.gated ? DataType::F32 : type,
                             out.values);
  c.addInput(q);
  c.addInput(step.keyCache);
  c.addInput(step.valueCache);
  step.addPlacement(c);
  if (heads.gated)
    step.addGate(c, heads, out);
  c.addOutput({out, 2e-6, relativeTolerance(type), run * heads.queries()});
  return c;
}

namespace {

struct NamedLayout {
  const char *name;
  Layout layout;
  uint32_t run;
};

} // namespace

static void addLayoutCases(std::vector<NamedCase> &cases, DataType type,
                           Heads heads, const NamedLayout &named) {
  std::string name =
      "_" + typeName(type) + "_" + heads.name() + "_" + named.name;
  Layout layout = named.layout;
  uint32_t run = named.run;
  if (!heads.int8Cache)
    cases.push_back(
        {"rope" + name, "rope", [=] { return makeRope(type, heads, layout); }});
  cases.push_back({"cache_append" + name, "cache_append",
                   [=] { return makeCacheAppend(type, heads, layout, run); }});
  cases.push_back({"qk_norm_rope_append" + name, "qk_norm_rope_append", [=] {
                     return makeQKNormRopeAppend(type, DataType::BF16, heads,
                                                 layout, run);
                   }});
  std::string family = heads.gated ? "gated_attention" : "attention";
  cases.push_back({family + name, family,
                   [=] { return makeAttention(type, heads, layout, run); }});
}

void test::addAttentionCases(std::vector<NamedCase> &cases) {
  cases.push_back(
      {"rope_table_near", "rope_table",
       [] { return makeRopeTableCase({0, 1, 2, 3, 40, 41, 4095}, 128, 1); }});
  cases.push_back({"rope_table_far", "rope_table", [] {
                     return makeRopeTableCase(
                         {262143, 262142, 200000, 131071, 65537}, 64, 1.2079);
                   }});
  cases.push_back({"rope_table_many", "rope_table", [] {
                     std::vector<int32_t> positions(512);
                     for (int32_t i = 0; i != 512; ++i)
                       positions[i] = i * 511;
                     return makeRopeTableCase(positions, 32, 1);
                   }});
  for (int64_t rotary : {2, 8, 10, 22})
    cases.push_back(
        {"rope_table_of_" + std::to_string(rotary), "rope_table",
         [=] { return makeRopeTableCase({5, 0, 70000}, rotary, 1.2); }});
  // Partners in whole octets, in parts of octets, in the same octet.
  for (int64_t rotary : {2, 8, 10, 22, 30, 32, 46, 64})
    for (DataType type : {DataType::F32, DataType::BF16}) {
      Heads heads{3, 1, 64, rotary};
      cases.push_back(
          {"rope_partial_" + typeName(type) + "_" + std::to_string(rotary),
           "rope", [=] { return makeRope(type, heads, makeChunk(16, 5, 3)); }});
    }
  const NamedLayout small[] = {
      {"first", makeChunk(16, 0, 1), 1},
      {"decode", makeChunk(16, 100, 1), 1},
      {"verify", makeChunk(16, 61, 8), 5},
      {"batch", makeBatch(16, {3, 47, 0, 15, 16, 31, 64, 9}), 8},
      {"odd_pages", makeChunk(5, 33, 7), 7},
      {"prefill", makeChunk(16, 0, 41), 41},
      {"chunk", makeChunk(16, 23, 64), 50},
      {"ragged", makeBatch(4, {3, 7, 0, 1, 6, 3, 4, 9, 20, 2, 2, 11}), 12},
  };
  for (DataType type : {DataType::F32, DataType::F16, DataType::BF16})
    for (Heads heads : {Heads{4, 2, 32}, Heads{6, 2, 16}})
      for (const NamedLayout &layout : small)
        addLayoutCases(cases, type, heads, layout);
  // Real heads, heads that are no power of two, all queries on one key.
  for (DataType type : {DataType::F32, DataType::BF16})
    for (const NamedLayout &layout : {small[1], small[3], small[6]}) {
      addLayoutCases(cases, type, {16, 8, 128}, layout);
      addLayoutCases(cases, type, {4, 1, 96}, layout);
    }
  // Gated projections and partial rotation.
  for (DataType type : {DataType::F32, DataType::BF16, DataType::F16})
    for (Heads heads : {Heads{16, 2, 256, 64, true}, Heads{4, 1, 32, 8, true},
                        Heads{6, 2, 64, 16, true}, Heads{2, 1, 40, 10, true}})
      for (const NamedLayout &layout : {small[1], small[3], small[6]})
        addLayoutCases(cases, type, heads, layout);
  // Codes: rows of few and of many units, pages whose scales fill no vector.
  Heads int8Heads[] = {
      {16, 8, 128}, {4, 2, 32}, {6, 2, 16}, {8, 1, 96, 64, true}};
  for (Heads &heads : int8Heads) {
    heads.int8Cache = true;
    for (const NamedLayout &layout : {small[1], small[3], small[6]})
      addLayoutCases(cases, DataType::F32, heads, layout);
    addLayoutCases(cases, DataType::BF16, heads, small[4]);
  }
  addLayoutCases(cases, DataType::F16, int8Heads[1], small[2]);
  addLayoutCases(cases, DataType::F32, {16, 8, 128},
                 {"prompt", makeChunk(64, 0, 512), 512});
  addLayoutCases(cases, DataType::F32, {16, 8, 128},
                 {"long", makeChunk(64, 3000, 1), 1});
  // Devices may end loops after 65,535 turns. One sequence, then two whose
  // tokens meet in every tile.
  auto addFar = [&](const char *name, Heads heads, Layout layout) {
    auto tokens = static_cast<uint32_t>(layout.tokens());
    cases.push_back(
        {std::string("attention_far_") + name, "attention",
         [=] { return makeAttention(DataType::F32, heads, layout, tokens); }});
  };
  addFar("token", {2, 1, 64}, makeFar(262144, 1, 1));
  addFar("chunk", {2, 1, 64}, makeFar(262144, 1, 9));
  addFar("mixed", {2, 1, 32}, makeFar(262144, 2, 5));
}
