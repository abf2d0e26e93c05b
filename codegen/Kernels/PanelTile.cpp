//===- PanelTile.cpp - Some weight panels for some tokens -----------------===//
#include "codegen/Kernels/Linear.h"

using namespace quern;

PanelTile::PanelTile(KernelBuilder &k, const Linear &linear, int64_t mostTokens,
                     int64_t mostWidth)
    : k(k), linear(linear), lanes(k.getSubgroupSize()),
      panels((linear.weightRows + lanes - 1) / lanes) {
  int64_t streams = k.getTarget().panelStreams;
  registers = mostTokens * mostWidth;
  isFew = linear.tokens <= mostTokens;
  // Tiles of equal size, so that the last one is not nearly empty.
  int64_t tiles = (linear.tokens + mostTokens - 1) / mostTokens;
  tokens = (linear.tokens + tiles - 1) / tiles;
  width = isFew ? std::min(streams, registers / tokens) : mostWidth;
  width = std::clamp<int64_t>(width, 1, panels);
}

Status PanelTile::place() {
  k.setSubgroups(1);
  int64_t groups = (panels + width - 1) / width;
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, tokens));
  if (isFew) {
    k.setGrid(0, groups);
  } else {
    // Neighbours have the same panels, which stay in the cache.
    std::swap(k.launch.grid[0], k.launch.grid[1]);
    k.launch.axis = 0;
    k.setGrid(1, groups);
  }
  Expression group = k.getGroup(isFew ? 0 : 1);
  for (int64_t p = 0; p != width; ++p) {
    Expression panel =
        isFew ? group + double(p * groups) : group * double(width) + double(p);
    wantedPanels.push_back(panel);
    if (panels % width != 0)
      panel = min(panel, k.index(panels - 1));
    panelNumbers.push_back(panel);
  }
  Expression first = isFew ? k.index(0) : k.getGroup(0) * double(tokens);
  for (int64_t t = 0; t != tokens; ++t) {
    Expression token = first + double(t);
    wantedTokens.push_back(token);
    if (linear.tokens % tokens != 0)
      token = min(token, k.index(linear.tokens - 1));
    tokenNumbers.push_back(token);
  }
  return Status::ok();
}

void PanelTile::store(const OutputBuffer &out,
                      llvm::ArrayRef<Expression> products) {
  bool mayEnd = panels % width != 0 || linear.tokens % tokens != 0;
  for (int64_t t = 0; t != tokens; ++t)
    for (int64_t p = 0; p != width; ++p)
      k.guard(
          mayEnd,
          [&] {
            return (wantedPanels[p] < double(panels)) &
                   (wantedTokens[t] < double(linear.tokens));
          },
          [&] {
            storeRow(out, wantedTokens[t], wantedPanels[p],
                     products[t * width + p]);
          });
}

/// Lanes whose outputs make whole words store them.
void PanelTile::storeRow(const OutputBuffer &out, Expression token,
                         Expression panel, Expression product) {
  unsigned distance = linear.perOutput();
  Expression lane = k.getLane();
  Expression value = product;
  if (linear.epilogue != LinearEpilogue::None)
    value =
        applyEpilogue(linear.epilogue, {product, k.shuffleXor(product, 1)})[0];
  Expression at = token * double(linear.outputs()) +
                  panel * double(lanes / distance) + lane / double(distance);
  Expressions values{value};
  if (k.getType("out") != DataType::F32) {
    values.push_back(k.shuffleXor(value, distance));
    distance *= 2;
  }
  k.guard(
      distance != 1 || linear.weightRows % lanes != 0,
      [&] {
        Expression row = panel * double(lanes) + lane;
        Expression isWhole = lane % double(distance) == 0;
        if (linear.weightRows % lanes == 0)
          return isWhole;
        Expression isRow = row < double(linear.weightRows);
        return distance == 1 ? isRow : isWhole & isRow;
      },
      [&] { out.writeRun(at, values); });
}
