//===- AttentionSplitCases.cpp - Attention shared between workgroups ------===//
#include "test/kernels/AttentionSteps.h"

#include <algorithm>
#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

/// What the splits of one query head leave.
struct Partial {
  std::vector<float> values; ///< [splits, dim]
  std::vector<float> sums;   ///< [splits, 2]: maximum, sum of weights.
};

} // namespace

/// Share of split `s` of a token: equal numbers of pages, in order.
static std::pair<int64_t, int64_t> getShare(const Layout &layout, int64_t token,
                                            int64_t splits, int64_t s) {
  int64_t end = layout.positionOf[token] + 1;
  int64_t pages = layout.positionOf[token] / layout.pageSize + 1;
  int64_t length = (pages + splits - 1) / splits * layout.pageSize;
  return {std::min(s * length, end), std::min((s + 1) * length, end)};
}

static Partial splitHead(const Step &step, const float *q, int64_t token,
                         int64_t head, int64_t splits, double scale) {
  Partial partial;
  int64_t dim = step.shape.headDim;
  for (int64_t s = 0; s != splits; ++s) {
    auto [begin, end] = getShare(step.layout, token, splits, s);
    std::vector<double> scores, total(dim);
    double maximum = -1e30, sum = 0;
    auto rowAt = [&](int64_t position) {
      Result<int64_t> row =
          reference::cacheRow(step.placement, step.shape,
                              step.layout.slotOf[token], position, head);
      return *row * dim;
    };
    for (int64_t p = begin; p != end; ++p) {
      double score = 0;
      for (int64_t d = 0; d != dim; ++d)
        score += double(q[d]) * step.keyCache.values[rowAt(p) + d];
      scores.push_back(score * scale);
      maximum = std::max(maximum, scores.back());
    }
    for (int64_t p = begin; p != end; ++p) {
      double weight = std::exp(scores[p - begin] - maximum);
      sum += weight;
      for (int64_t d = 0; d != dim; ++d)
        total[d] += weight * step.valueCache.values[rowAt(p) + d];
    }
    partial.sums.push_back(static_cast<float>(maximum));
    partial.sums.push_back(static_cast<float>(sum));
    partial.values.insert(partial.values.end(), total.begin(), total.end());
  }
  return partial;
}

/// All query heads: what attention_split writes.
static std::pair<Tensor, Tensor> splitAll(const Step &step, const Heads &heads,
                                          const Tensor &q, int64_t splits) {
  int64_t tokens = step.layout.tokens(), group = heads.query / heads.key;
  Tensor partial =
      makeZeros(DataType::F32, {tokens, heads.query, splits, heads.dim});
  Tensor sums = makeZeros(DataType::F32, {tokens, heads.query, splits, 2});
  for (int64_t row = 0; row != tokens * heads.query; ++row) {
    Partial one = splitHead(step, q.values.data() + row * heads.dim,
                            row / heads.query, row % heads.query / group,
                            splits, 1 / std::sqrt(double(heads.dim)));
    std::ranges::copy(one.values,
                      partial.values.begin() + row * splits * heads.dim);
    std::ranges::copy(one.sums, sums.values.begin() + row * splits * 2);
  }
  return {std::move(partial), std::move(sums)};
}

static Tensor makeQueries(const Layout &layout, const Heads &heads,
                          DataType type) {
  return makeRandom(type, {layout.tokens(), heads.query, heads.dim}, 4, 39);
}

static KernelCase makeSplit(DataType type, const Heads &heads,
                            const Layout &layout, int64_t splits) {
  KernelCase c{{"split", "attention_split", {}, {}}, {}, {}, 0, 1};
  c.tokens = static_cast<uint32_t>(layout.tokens());
  c.request.config = {{"scale", 1 / std::sqrt(double(heads.dim))}};
  Step step(layout, heads, type);
  Tensor q = makeQueries(layout, heads, type);
  auto [partial, sums] = splitAll(step, heads, q, splits);
  c.addInput(q);
  c.addInput(step.keyCache);
  c.addInput(step.valueCache);
  step.addPlacement(c);
  // Sums of up to `most` terms of size one.
  float most = *std::ranges::max_element(sums.values);
  c.addOutput({partial, 2e-6 * most, 4e-6});
  c.addOutput({sums, 2e-6, 1e-5});
  return c;
}

static KernelCase makeMerge(DataType type, const Heads &heads,
                            const Layout &layout, int64_t splits) {
  std::string family =
      heads.gated ? "gated_attention_merge" : "attention_merge";
  KernelCase c{{"merge", family, {}, {}}, {}, {}, 0, 1};
  c.tokens = static_cast<uint32_t>(layout.tokens());
  Step step(layout, heads, type);
  Tensor q = makeQueries(layout, heads, type);
  auto [partial, sums] = splitAll(step, heads, q, splits);
  c.addInput(partial);
  c.addInput(sums);
  Tensor out = makeZeros(type, q.shape);
  (void)reference::attention(q.values, heads.query, step.placement, step.shape,
                             step.keyCache.values, step.valueCache.values,
                             1 / std::sqrt(double(heads.dim)),
                             heads.gated ? DataType::F32 : type, out.values);
  if (heads.gated)
    step.addGate(c, heads, out);
  c.addOutput({out, 2e-6, relativeTolerance(type)});
  return c;
}

void test::addAttentionSplitCases(std::vector<NamedCase> &cases) {
  struct Shape {
    const char *name;
    Layout layout;
    int64_t splits;
  };
  // More splits than pages, pages that don't divide, ends within a page.
  const Shape shapes[] = {{"near", makeChunk(16, 3, 1), 4},
                          {"token", makeChunk(16, 200, 1), 4},
                          {"verify", makeChunk(16, 121, 6), 3},
                          {"batch", makeBatch(8, {3, 47, 0, 15, 16, 90}), 5},
                          {"long", makeChunk(64, 3000, 1), 8}};
  auto addSplit = [&](DataType type, Heads heads, const Shape &shape) {
    std::string name =
        "_" + typeName(type) + "_" + heads.name() + "_" + shape.name;
    Layout layout = shape.layout;
    int64_t splits = shape.splits;
    cases.push_back({"attention_split" + name, "attention_split",
                     [=] { return makeSplit(type, heads, layout, splits); }});
  };
  for (DataType type : {DataType::F32, DataType::F16, DataType::BF16})
    for (Heads heads : {Heads{4, 2, 32}, Heads{16, 8, 128},
                        Heads{6, 2, 64, 16, true}, Heads{8, 1, 256, 64, true}})
      for (const Shape &shape : shapes) {
        Layout layout = shape.layout;
        int64_t splits = shape.splits;
        std::string name =
            "_" + typeName(type) + "_" + heads.name() + "_" + shape.name;
        addSplit(type, heads, shape);
        std::string family =
            heads.gated ? "gated_attention_merge" : "attention_merge";
        cases.push_back({family + name, family, [=] {
                           return makeMerge(type, heads, layout, splits);
                         }});
      }
  for (Heads heads : {Heads{4, 2, 32}, Heads{16, 8, 128}, Heads{8, 1, 64}}) {
    heads.int8Cache = true;
    addSplit(DataType::F32, heads, shapes[1]);
    addSplit(DataType::BF16, heads, shapes[3]);
  }
}
