//===- AttentionSteps.cpp - Steps of tokens for kernel cases --------------===//
#include "test/kernels/AttentionSteps.h"

#include "runtime/reference/Delta.h"

#include <algorithm>
#include <numeric>

using namespace quern;
using namespace quern::test;

std::string Heads::name() const {
  std::string text = std::to_string(query) + "_" + std::to_string(key) + "x" +
                     std::to_string(dim);
  if (rotary != dim)
    text += "r" + std::to_string(rotary);
  return text + (gated ? "_gated" : "") + (int8Cache ? "_int8" : "");
}

std::vector<int32_t> Layout::pageTable() const {
  std::vector<int32_t> pageOf;
  for (int64_t i = 0; i != slots * pagesPerSlot; ++i)
    pageOf.push_back(static_cast<int32_t>((i * 7 + 5) % pages()));
  return pageOf;
}

/// Pages of the table must differ: 7 and the number of pages are coprime.
static Layout makeLayout(int64_t slots, int64_t pagesPerSlot,
                         int64_t pageSize) {
  Layout layout{slots, pagesPerSlot, pageSize, {}, {}};
  while (std::gcd(layout.pages(), int64_t(7)) != 1)
    ++layout.pagesPerSlot;
  return layout;
}

Layout test::makeChunk(int64_t pageSize, int32_t first, int32_t tokens) {
  Layout layout =
      makeLayout(2, (first + tokens + pageSize - 1) / pageSize, pageSize);
  for (int32_t t = 0; t != tokens; ++t) {
    layout.slotOf.push_back(1);
    layout.positionOf.push_back(first + t);
  }
  return layout;
}

Layout test::makeBatch(int64_t pageSize,
                       const std::vector<int32_t> &positions) {
  int32_t most = *std::max_element(positions.begin(), positions.end());
  Layout layout = makeLayout(positions.size(), most / pageSize + 1, pageSize);
  for (size_t i = 0; i != positions.size(); ++i) {
    layout.slotOf.push_back(
        static_cast<int32_t>((i * 3 + 1) % positions.size()));
    layout.positionOf.push_back(positions[i]);
  }
  return layout;
}

Layout test::makeFar(int64_t length, int64_t slots, int64_t perSlot) {
  constexpr int64_t pageSize = 64;
  Layout layout = makeLayout(slots, length / pageSize, pageSize);
  for (int64_t t = 0; t != perSlot; ++t)
    for (int64_t slot = 0; slot != slots; ++slot) {
      layout.slotOf.push_back(static_cast<int32_t>(slot));
      layout.positionOf.push_back(static_cast<int32_t>(length - perSlot + t));
    }
  return layout;
}

static std::vector<int64_t> getDims(const reference::CacheShape &shape) {
  return {shape.pages, shape.heads, shape.pageSize, shape.headDim};
}

static Tensor makeCache(DataType type, const reference::CacheShape &shape,
                        unsigned seed) {
  return shape.int8Rows ? makeRandomInt8Rows(getDims(shape), 1, seed)
                        : makeRandom(type, getDims(shape), 1, seed);
}

Step::Step(const Layout &layout, const Heads &heads, DataType type)
    : layout(layout), table(layout.pageTable()),
      shape{layout.pages(), heads.key, layout.pageSize, heads.dim,
            heads.int8Cache},
      placement{this->layout.slotOf, this->layout.positionOf, table,
                layout.pagesPerSlot},
      keyCache(makeCache(type, shape, 31)),
      valueCache(makeCache(type, shape, 32)) {}

void Step::addPlacement(KernelCase &c) const {
  c.addInput(makeIntegers({layout.tokens()}, layout.slotOf));
  c.addInput(makeIntegers({layout.tokens()}, layout.positionOf));
  c.addInput(makeIntegers({layout.slots, layout.pagesPerSlot}, table));
}

void Step::addGate(KernelCase &c, const Heads &heads, Tensor &out) const {
  Tensor gate =
      makeRandom(out.type, {layout.tokens(), heads.features()}, 4, 40);
  c.request.config["gate_offset"] = heads.queries();
  std::vector<float> plain = out.values;
  reference::sigmoidGate(plain,
                         {gate.values, heads.features(), heads.queries()},
                         out.type, out.values);
  c.addInput(gate);
}
