//===- DeltaTileChunk.cpp - delta_chunk in register tiles -----------------===//
//
// What DeltaChunk.cpp computes, in its notation, by products of matrices in
// tiles (DeltaTiles.h). A workgroup has a value head of a sequence. S stays in
// workgroup memory from the first token to the last, and is read and written
// once for a chunk, block of columns by block of columns.
//
// Tokens behind the last one of a chunk decay nothing and update nothing.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/DeltaTiles.h"

#include "codegen/Kernels/Sequences.h"

using namespace quern;

namespace {

class DeltaTileChunkBuilder {
public:
  DeltaTileChunkBuilder(KernelBuilder &k, int64_t chunk)
      : k(k), tiles(k, chunk), valueHeads(k.dim("HV")),
        isValueWide(k.getType("v") == DataType::F32), sequences(k),
        query(k.getScalarInput("q")), key(k.getInput("k")),
        value(k.getRunInput("v", tiles.shape.run)),
        decay(k.getScalarInput("decay")), beta(k.getScalarInput("beta")),
        recurrent(k.getScalarInput("recurrent")), ringKeys(k.getInput("keys")),
        ringUpdates(k.getScalarInput("updates")),
        ringDecays(k.getScalarInput("decays")),
        newRecurrent(k.getRunOutput("new_recurrent", tiles.shape.run)),
        out(k.getRunOutput("out", tiles.shape.run)),
        queries(k.getWorkgroupArray(tiles.shape.keys())),
        keyFactors(k.getWorkgroupArray(tiles.shape.products())),
        queryFactors(k.getWorkgroupArray(tiles.shape.products())),
        decays(k.getWorkgroupArray(tiles.shape.tokens)),
        factors(k.getWorkgroupArray(tiles.shape.tokens)),
        rests(k.getWorkgroupArray(tiles.shape.tokens)),
        betas(k.getWorkgroupArray(tiles.shape.tokens)) {}

  void build() {
    k.setSubgroups(1);
    k.setGrid(0, valueHeads);
    k.setGrid(1, k.dim("N"));
    head = k.getGroup(0);
    keyHead = head / double(valueHeads / k.dim("HK"));
    s = sequences.read(k.getGroup(1));
    k.when(s.count > 0, [&] {
      prefetch(k.index(0));
      load();
      k.loop(k.index(0), s.count, tiles.shape.chunk,
             [&](Expression base) { takeChunk(base); });
      store();
    });
  }

private:
  //===--------------------------------------------------------------------===//
  // The state in front of the step and after it
  //===--------------------------------------------------------------------===//

  /// The row of `recurrent` that is row i of the head's state.
  Expression recurrentRow(Expression i) {
    return (s.slot * double(valueHeads) + head) * double(tiles.shape.keyDim) +
           i;
  }

  Expression ringRow(Expression position) {
    return getRingRow(k, s.slot, position);
  }
  Expression readRingDecay(Expression position) {
    return ringDecays.read(ringRow(position) * double(valueHeads) + head);
  }

  void load() {
    Expression total = sumRingDecays(
        k, s, [&](Expression position) { return readRingDecay(position); });
    Expression factor = exp(total), isNew = s.folded == 0;
    tiles.forBlocks([&](Expression block) {
      k.loop(k.index(0), k.index(tiles.shape.keyDim), 1, [&](Expression i) {
        Expressions stored = tiles.readColumns(recurrent, /*isWide=*/true,
                                               recurrentRow(i), block);
        for (auto [v, number] : llvm::enumerate(stored))
          tiles.state.write(tiles.at(tiles.stateRow(block, i), int64_t(v)),
                            select(isNew, k.f32(0), number * factor));
      });
    });
    // The tokens of the ring, as those of a chunk.
    k.loop(s.folded, s.position, tiles.shape.chunk, [&](Expression base) {
      Expression count = min(s.position - base, k.index(tiles.shape.chunk));
      tiles.readKeys(ringKeys, count, [&](Expression j) {
        return ringRow(base + j) * double(k.dim("HK")) + keyHead;
      });
      tiles.forBlocks([&](Expression block) {
        k.loop(k.index(0), count, 1, [&](Expression j) {
          Expression row = ringRow(base + j) * double(valueHeads) + head;
          Expression rest = exp(total - readRingDecay(base + j));
          Expressions update =
              tiles.readColumns(ringUpdates, /*isWide=*/true, row, block);
          for (auto [v, number] : llvm::enumerate(update))
            tiles.decayedUpdates.write(tiles.at(j, int64_t(v)), number * rest);
        });
        tiles.updateState(block, k.f32(1), count);
      });
    });
  }

  void store() {
    tiles.forBlocks([&](Expression block) {
      k.loop(k.index(0), k.index(tiles.shape.keyDim), 1, [&](Expression i) {
        Expressions numbers;
        for (int64_t v = 0; v != tiles.shape.vectors; ++v)
          numbers.push_back(
              tiles.state.read(tiles.at(tiles.stateRow(block, i), v)));
        tiles.writeColumns(newRecurrent, recurrentRow(i), block, numbers);
      });
    });
  }

  //===--------------------------------------------------------------------===//
  // A chunk
  //===--------------------------------------------------------------------===//

  Expression getToken(Expression t) { return s.first + min(t, s.count - 1); }

  /// Asks for what the chunk from `base` on reads: rows of tokens lie pages
  /// apart, where the CPU foresees nothing.
  void prefetch(Expression base) {
    constexpr int64_t lineWords = 64 / 4;
    auto ask = [](const InputBuffer &buffer, Expression row, int64_t words,
                  int64_t unitWords) {
      for (int64_t word = 0; word < words; word += lineWords)
        buffer.prefetch(row * double(words / unitWords) +
                        double(word / unitWords));
    };
    Expression end = min(base + double(tiles.shape.chunk), s.count);
    k.loop(base, end, 1, [&](Expression t) {
      Expression token = s.first + t;
      Expression keyRow = token * double(k.dim("HK")) + keyHead;
      ask(key, keyRow, tiles.shape.keyDim, 4);
      ask(query, keyRow, tiles.shape.keyDim, 1);
      ask(value, token * double(valueHeads) + head,
          isValueWide ? tiles.shape.valueDim : tiles.shape.valueDim / 2, 1);
    });
  }

  void takeChunk(Expression base) {
    prefetch(base + double(tiles.shape.chunk));
    Expression count = min(s.count - base, k.index(tiles.shape.chunk));
    auto keyRow = [&](Expression t) {
      return getToken(base + t) * double(k.dim("HK")) + keyHead;
    };
    tiles.readKeys(key, count, keyRow);
    tiles.forTiles(count, [&](Expression first) {
      for (int64_t r = 0; r != tiles.shape.rows; ++r)
        readQuery(first + double(r), keyRow(first + double(r)));
    });
    Expression factor = readScalars(base, count);
    tiles.forTiles(count, [&](Expression first) { computeFactors(first); });
    tiles.forBlocks([&](Expression block) {
      tiles.forTiles(count, [&](Expression first) {
        solve(base, block, first);
        combine(base, block, first);
      });
      tiles.updateState(block, factor, count);
    });
  }

  void readQuery(Expression t, Expression row) {
    k.loop(k.index(0), k.index(tiles.shape.keyDim), tiles.shape.lanes,
           [&](Expression first) {
             Expression i = first + k.getLane();
             queries.write(t * double(tiles.shape.keyDim) + i,
                           query.read(row * double(tiles.shape.keyDim) + i));
           });
  }

  Expression readQueryElement(Expression i, Expression t) {
    return queries.read(t * double(tiles.shape.keyDim) + i);
  }

  /// Returns the factor of the state before the chunk.
  Expression readScalars(Expression base, Expression count) {
    auto element = [&](Expression t) {
      return getToken(base + t) * double(valueHeads) + head;
    };
    Expression total =
        k.loop(k.index(0), k.index(tiles.shape.tokens), 1, {k.f32(0)},
               [&](Expression t, llvm::ArrayRef<Expression> carried) {
                 Expression d =
                     select(t < count, decay.read(element(t)), k.f32(0));
                 decays.write(t, carried[0] + d);
                 return Expressions{carried[0] + d};
               })
            .front();
    for (int64_t first = 0; first != tiles.shape.tokens;
         first += tiles.shape.lanes) {
      Expression t = k.getLane() + double(first);
      Expression d = decays.read(t);
      factors.write(t, exp(d));
      rests.write(t, exp(total - d));
      betas.write(t, select(t < count, beta.read(element(t)), k.f32(0)));
    }
    return exp(total);
  }

  /// -a_tj and exp(G_t - G_j) q_t.k_j for a tile of tokens t.
  void computeFactors(Expression first) {
    int64_t rows = tiles.shape.rows;
    Expression end = first + double(rows);
    k.loop(k.index(0), end, tiles.shape.lanes, [&](Expression block) {
      Expression j = block + k.getLane();
      Expressions zeros(2 * rows, k.f32(0));
      Expressions products = tiles.multiply(
          k.index(tiles.shape.keyDim), DeltaTiles::featureUnroll, zeros, 1,
          [&](Expression i, int64_t r) {
            return r < rows ? tiles.readKeyElement(i, first + double(r))
                            : readQueryElement(i, first + double(r - rows));
          },
          [&](Expression i, int64_t) { return tiles.readKeyElement(i, j); });
      Expression d = decays.read(j);
      for (int64_t r = 0; r != rows; ++r) {
        Expression t = first + double(r);
        // Later tokens are not used, but must not overflow.
        Expression factor = exp(min(decays.read(t) - d, k.f32(0)));
        Expression place = t * double(tiles.shape.tokens) + j;
        keyFactors.write(place, (0 - betas.read(t)) * factor * products[r]);
        queryFactors.write(place, factor * products[rows + r]);
      }
    });
  }

  /// The updates of a tile of tokens.
  void solve(Expression base, Expression block, Expression first) {
    Expressions u = tiles.multiplyState(block, [&](Expression i, int64_t r) {
      return tiles.readKeyElement(i, first + double(r));
    });
    for (int64_t r = 0; r != tiles.shape.rows; ++r) {
      Expression t = first + double(r);
      Expressions v = tiles.readColumns(
          value, isValueWide, getToken(base + t) * double(valueHeads) + head,
          block);
      for (int64_t c = 0; c != tiles.shape.vectors; ++c) {
        Expression &number = u[r * tiles.shape.vectors + c];
        number = betas.read(t) * (v[c] - factors.read(t) * number);
      }
    }
    auto readFactor = [&](Expression j, int64_t r) {
      return keyFactors.read((first + double(r)) * double(tiles.shape.tokens) +
                             j);
    };
    u = tiles.addUpdates(tiles.updates, first, u, readFactor);
    for (int64_t r = 0; r != tiles.shape.rows; ++r) {
      Expression t = first + double(r), rest = rests.read(t);
      for (int64_t c = 0; c != tiles.shape.vectors; ++c) {
        Expression &number = u[r * tiles.shape.vectors + c];
        for (int64_t j = 0; j != r; ++j)
          number = fma(readFactor(first + double(j), r),
                       u[j * tiles.shape.vectors + c], number);
        tiles.updates.write(tiles.at(t, c), number);
        tiles.decayedUpdates.write(tiles.at(t, c), number * rest);
      }
    }
  }

  /// The results of a tile of tokens.
  void combine(Expression base, Expression block, Expression first) {
    Expressions sums = tiles.multiplyState(block, [&](Expression i, int64_t r) {
      return readQueryElement(i, first + double(r));
    });
    for (auto [at, number] : llvm::enumerate(sums))
      number = number *
               factors.read(first + double(int64_t(at) / tiles.shape.vectors));
    auto readFactor = [&](Expression j, int64_t r) {
      return queryFactors.read(
          (first + double(r)) * double(tiles.shape.tokens) + j);
    };
    sums = tiles.addUpdates(tiles.updates, first, sums, readFactor);
    for (int64_t r = 0; r != tiles.shape.rows; ++r) {
      Expression t = first + double(r);
      Expressions result;
      for (int64_t c = 0; c != tiles.shape.vectors; ++c) {
        Expression number = sums[r * tiles.shape.vectors + c];
        for (int64_t j = 0; j != r + 1; ++j)
          number =
              fma(readFactor(first + double(j), r),
                  tiles.updates.read(tiles.at(first + double(j), c)), number);
        result.push_back(number);
      }
      k.when(base + t < s.count, [&] {
        tiles.writeColumns(out,
                           (s.first + base + t) * double(valueHeads) + head,
                           block, result);
      });
    }
  }

  KernelBuilder &k;
  DeltaTiles tiles;
  int64_t valueHeads;
  bool isValueWide; ///< f32
  Sequences sequences;
  InputBuffer query, key, value, decay, beta;
  InputBuffer recurrent, ringKeys, ringUpdates, ringDecays;
  OutputBuffer newRecurrent, out;
  WorkgroupArray queries;                  ///< [token][feature]
  WorkgroupArray keyFactors, queryFactors; ///< [token t][token j]
  /// By token: decays summed up to it, their factors and those of the rest.
  WorkgroupArray decays, factors, rests, betas;
  SequenceRow s;
  Expression head, keyHead;
};

} // namespace

void quern::buildDeltaTiles(KernelBuilder &k, int64_t chunk) {
  DeltaTileChunkBuilder(k, chunk).build();
}
