//===- DeltaColumns.cpp - Columns of a delta net's state in registers -----===//
#include "codegen/Kernels/DeltaColumns.h"

using namespace quern;

/// The greatest power of two that divides `value` and is at most `limit`.
static unsigned getDivisor(int64_t value, unsigned limit) {
  unsigned divisor = 1;
  while (divisor * 2 <= limit && value % (divisor * 2) == 0)
    divisor *= 2;
  return divisor;
}

DeltaColumns::DeltaColumns(KernelBuilder &k, int64_t keyDim, int64_t valueDim,
                           unsigned maxColumns, unsigned maxTokens)
    : keyDim(keyDim), lanes(getDivisor(keyDim / 4, k.getSubgroupSize())),
      teams(k.getSubgroupSize() / lanes), quads(keyDim / 4 / lanes),
      columns(getDivisor(valueDim, maxColumns)),
      columnLanes(std::min(lanes, columns)), run(columns / columnLanes),
      tokenLanes(std::min(lanes, maxTokens)), k(k) {}

void DeltaColumns::setLane(Expression lane) {
  teamLane = teams == 1 ? lane : lane % double(lanes);
  team = teams == 1 ? k.index(0) : lane / double(lanes);
  teamStart = teams == 1 ? k.i32(0) : toI32(lane - teamLane);
}

Expression DeltaColumns::quadIndex(unsigned m) const {
  return teamLane + double(m * lanes);
}

RowQuads DeltaColumns::readQuads(const InputBuffer &buffer, Expression row,
                                 Expression factor) const {
  RowQuads parts;
  int64_t rowQuads = keyDim / 4;
  for (unsigned m = 0; m != quads; ++m) {
    Expression part = buffer.read(row * double(rowQuads) + quadIndex(m));
    parts.push_back(factor ? part * factor : part);
  }
  return parts;
}

//===----------------------------------------------------------------------===//
// Across the lanes of a team
//===----------------------------------------------------------------------===//

Expression DeltaColumns::broadcast(Expression x, unsigned from) const {
  return k.shuffleFrom(x, teamStart + double(from));
}

Expression
DeltaColumns::sumLanes(llvm::SmallVector<Expression, 32> values) const {
  unsigned count = values.size();
  for (unsigned distance = count / 2; distance != 0; distance /= 2) {
    Expression upper = teamLane / double(distance) % 2 == 1;
    for (unsigned i = 0; i != distance; ++i) {
      Expression low = values[i], high = values[i + distance];
      if (!low && !high)
        continue;
      low = low ? low : k.f32(0);
      high = high ? high : k.f32(0);
      values[i] = quern::select(upper, high, low) +
                  k.shuffleXor(quern::select(upper, low, high), distance);
    }
  }
  Expression total = values.front();
  for (unsigned distance = count; distance < lanes; distance *= 2)
    total = total + k.shuffleXor(total, distance);
  return total;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Expressions DeltaColumns::dotRows(llvm::ArrayRef<RowQuads> xs,
                                  llvm::ArrayRef<Expression> column,
                                  unsigned stride) const {
  Expressions totals(xs.size());
  for (unsigned m = 0; m != quads; ++m)
    for (unsigned i = 0; i != 4; ++i) {
      Expression element = column[m * stride][i];
      for (size_t x = 0; x != xs.size(); ++x)
        totals[x] = totals[x] ? fma(xs[x][m][i], element, totals[x])
                              : xs[x][m][i] * element;
    }
  return totals;
}

llvm::SmallVector<Expressions, 16>
DeltaColumns::multiplyState(llvm::ArrayRef<Expression> state,
                            llvm::ArrayRef<RowQuads> xs) const {
  // As many sums as fit the registers of 8-lane vector units.
  constexpr size_t most = 8;
  llvm::SmallVector<Expressions, 16> results;
  for (; !xs.empty(); xs = xs.drop_front(std::min(most, xs.size()))) {
    llvm::ArrayRef<RowQuads> some = xs.take_front(most);
    size_t first = results.size();
    results.resize(first + some.size());
    for (unsigned p = 0; p != run; ++p) {
      llvm::SmallVector<llvm::SmallVector<Expression, 32>, 8> values(
          some.size());
      for (unsigned l = 0; l != columnLanes; ++l) {
        Expressions dots =
            dotRows(some, state.drop_front(l * run + p), columns);
        for (size_t x = 0; x != some.size(); ++x)
          values[x].push_back(dots[x]);
      }
      for (size_t x = 0; x != some.size(); ++x)
        results[first + x].push_back(sumLanes(values[x]));
    }
  }
  return results;
}

Expressions DeltaColumns::multiplyKeys(const RowQuads &x,
                                       llvm::ArrayRef<RowQuads> keys,
                                       unsigned count) const {
  Expressions results;
  for (unsigned block = 0; block < count; block += tokenLanes) {
    llvm::SmallVector<Expression, 32> values(tokenLanes);
    for (unsigned j = block; j != std::min(block + tokenLanes, count); ++j)
      values[j - block] = dotRows({x}, keys[j], 1).front();
    results.push_back(sumLanes(values));
  }
  return results;
}

Expressions
DeltaColumns::addProducts(llvm::ArrayRef<Expression> state,
                          llvm::ArrayRef<RowQuads> keys,
                          llvm::ArrayRef<Expressions> updates) const {
  Expressions after(state.begin(), state.end());
  for (unsigned c = 0; c != columns; ++c)
    for (size_t j = 0; j != keys.size(); ++j) {
      Expression update = broadcast(updates[j][c % run], c / run);
      for (unsigned m = 0; m != quads; ++m) {
        Expression &part = after[m * columns + c];
        part = fma(keys[j][m], splat(update), part);
      }
    }
  return after;
}
