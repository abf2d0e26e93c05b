//===- DeltaTiles.cpp - The gated delta rule in register tiles ------------===//
#include "codegen/Kernels/DeltaTiles.h"

#include "codegen/Kernels/Panels.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

using namespace quern;

/// What the registers hold, in powers of two.
static RegisterTile getPowerTile(const KernelBuilder &k) {
  RegisterTile tile = getRegisterTile(k.getTarget(), PanelInputs::Floats);
  return {int64_t(llvm::bit_floor(uint64_t(tile.tokens))),
          int64_t(llvm::bit_floor(uint64_t(tile.width)))};
}

DeltaTileShape::DeltaTileShape(const KernelBuilder &k, int64_t chunk)
    : chunk(chunk), lanes(k.getSubgroupSize()), keyDim(k.dim("DK")),
      valueDim(k.dim("DV")),
      rows(std::min({getPowerTile(k).tokens, chunk, lanes})),
      vectors(getPowerTile(k).width),
      run(k.getType("v") == DataType::F32 && k.getType("out") == DataType::F32
              ? 1
              : 2),
      tokens(llvm::alignTo(chunk, lanes)) {
  while (vectors > 1 && valueDim % (vectors * lanes) != 0)
    vectors /= 2;
}

bool DeltaTileShape::isWhole() const {
  return keyDim % lanes == 0 && keyDim % rows == 0 &&
         valueDim % (vectors * lanes) == 0 && vectors % run == 0;
}

bool DeltaTiles::fits(const KernelBuilder &k, int64_t chunk) {
  if (!k.getTarget().lanesAreRegister())
    return false;
  DeltaTileShape shape(k, chunk);
  return shape.isWhole() && shape.total() * int64_t(sizeof(float)) <=
                                int64_t(k.getTarget().maxWorkgroupMemory);
}

DeltaTiles::DeltaTiles(KernelBuilder &k, int64_t chunk)
    : shape(k, chunk), state(k.getWorkgroupArray(shape.state())),
      keys(k.getWorkgroupArray(shape.keys())),
      updates(k.getWorkgroupArray(shape.updates())),
      decayedUpdates(k.getWorkgroupArray(shape.updates())), k(k) {}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

Expression DeltaTiles::at(Expression row, int64_t vector) {
  return (row * double(shape.vectors) + double(vector)) * double(shape.lanes) +
         k.getLane();
}
Expression DeltaTiles::stateRow(Expression block, Expression i) {
  return block * double(shape.keyDim) + i;
}

/// The first element of a block in a row of values.
static Expression getFirstElement(const DeltaTileShape &shape, Expression row,
                                  Expression block) {
  return row * double(shape.valueDim) + block * double(shape.width());
}

Expressions DeltaTiles::readColumns(const InputBuffer &buffer, bool isWide,
                                    Expression row, Expression block) {
  // By word: elements of consecutive words lie in consecutive lanes.
  int64_t perWord = isWide ? 1 : 2;
  Expression first = getFirstElement(shape, row, block) / double(perWord);
  Expressions values;
  for (int64_t v = 0; v != shape.vectors; v += shape.run)
    for (int64_t word = 0; word != shape.run / perWord; ++word)
      values.append(buffer.readWord(first +
                                    k.getLane() * double(shape.run / perWord) +
                                    double(v * shape.lanes / perWord + word)));
  return values;
}

void DeltaTiles::writeColumns(const OutputBuffer &buffer, Expression row,
                              Expression block,
                              llvm::ArrayRef<Expression> values) {
  Expression first = getFirstElement(shape, row, block);
  for (int64_t v = 0; v != shape.vectors; v += shape.run)
    buffer.writeRun(first + double(v * shape.lanes) +
                        k.getLane() * double(shape.run),
                    values.slice(v, shape.run));
}

void DeltaTiles::forBlocks(llvm::function_ref<void(Expression)> body) {
  k.loop(k.index(0), k.index(shape.valueDim / shape.width()), 1, body);
}

void DeltaTiles::forTiles(Expression count,
                          llvm::function_ref<void(Expression)> body) {
  k.loop(k.index(0), count, shape.rows, body);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Expressions DeltaTiles::multiply(Expression count, int64_t unroll,
                                 llvm::ArrayRef<Expression> sums,
                                 int64_t vectors, Element left, Element right) {
  return k.loop(k.index(0), count, unroll, sums,
                [&](Expression first, llvm::ArrayRef<Expression> carried) {
                  Expressions next(carried.begin(), carried.end());
                  for (int64_t u = 0; u != unroll; ++u) {
                    Expression i = first + double(u);
                    Expressions vector;
                    for (int64_t v = 0; v != vectors; ++v)
                      vector.push_back(right(i, v));
                    for (size_t at = 0; at != next.size(); at += vectors) {
                      Expression number = left(i, int64_t(at) / vectors);
                      for (int64_t v = 0; v != vectors; ++v)
                        next[at + v] = fma(number, vector[v], next[at + v]);
                    }
                  }
                  return next;
                });
}

Expressions DeltaTiles::multiplyState(Expression block, Element left) {
  Expressions zeros(shape.rows * shape.vectors, k.f32(0));
  return multiply(k.index(shape.keyDim), featureUnroll, zeros, shape.vectors,
                  left, [&](Expression i, int64_t v) {
                    return state.read(at(stateRow(block, i), v));
                  });
}

Expressions DeltaTiles::addUpdates(const WorkgroupArray &from, Expression count,
                                   llvm::ArrayRef<Expression> sums,
                                   Element left) {
  return multiply(count, 1, sums, shape.vectors, left,
                  [&](Expression j, int64_t v) { return from.read(at(j, v)); });
}

void DeltaTiles::readKeys(const InputBuffer &buffer, Expression count,
                          llvm::function_ref<Expression(Expression)> getRow) {
  int64_t quads = shape.keyDim / 4;
  k.loop(k.index(0), count, shape.lanes, [&](Expression first) {
    Expression token = first + k.getLane();
    Expression row = getRow(min(token, count - 1)) * double(quads);
    k.loop(k.index(0), k.index(quads), 1, [&](Expression quad) {
      Expression part = buffer.read(row + quad);
      for (unsigned i = 0; i != 4; ++i)
        keys.write((quad * 4 + double(i)) * double(shape.tokens) + token,
                   part[i]);
    });
  });
}

Expression DeltaTiles::readKeyElement(Expression i, Expression t) {
  return keys.read(i * double(shape.tokens) + t);
}

void DeltaTiles::updateState(Expression block, Expression factor,
                             Expression count) {
  k.loop(k.index(0), k.index(shape.keyDim), shape.rows, [&](Expression first) {
    Expressions sums;
    auto place = [&](int64_t r, int64_t v) {
      return at(stateRow(block, first + double(r)), v);
    };
    for (int64_t r = 0; r != shape.rows; ++r)
      for (int64_t v = 0; v != shape.vectors; ++v)
        sums.push_back(state.read(place(r, v)) * factor);
    sums =
        addUpdates(decayedUpdates, count, sums, [&](Expression j, int64_t r) {
          return readKeyElement(first + double(r), j);
        });
    for (int64_t r = 0; r != shape.rows; ++r)
      for (int64_t v = 0; v != shape.vectors; ++v)
        state.write(place(r, v), sums[r * shape.vectors + v]);
  });
}
