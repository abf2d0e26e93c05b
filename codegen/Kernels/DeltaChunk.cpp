//===- DeltaChunk.cpp - the gated delta rule, chunk by chunk --------------===//
//
// One team of lanes computes some columns of a value head for all tokens of a
// sequence. Its columns of the state S [keyDim, valueDim] stay in registers
// from the first token to the last; the lanes share the rows. With S the state
// before a chunk and G_t the sum of the decays of the chunk's tokens up to t:
//
//   u_t = beta_t (v_t - exp(G_t) S^T k_t) - sum_{j<t} a_tj u_j
//         with a_tj = beta_t exp(G_t - G_j) k_t.k_j
//   o_t = exp(G_t) S^T q_t + sum_{j<=t} exp(G_t - G_j) q_t.k_j u_j
//   S'  = exp(G_last) S + sum_j exp(G_last - G_j) k_j u_j^T
//
// S is read and updated once for all tokens of a chunk, in products of
// matrices; only u goes token by token, the forward substitution of (I + A) U =
// ... with A strictly lower triangular. No exponent is positive, since decays
// are not. Nothing but S and the results is written to memory, and lanes
// exchange values of registers: there is no workgroup memory. The subgroups of
// a workgroup have other columns of the same head; a barrier in front of each
// chunk keeps them together, for the cache's sake only.
//
// Where lanes are the elements of a register, the form to choose is that of
// DeltaTileChunk.cpp.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/DeltaColumns.h"
#include "codegen/Kernels/DeltaTiles.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Sequences.h"

using namespace quern;

namespace {

/// The scalars of a chunk's tokens.
struct ChunkScalars {
  Expressions beta, decays; ///< By token; decays summed up to it.
  Expressions laneDecays;   ///< Lane l of a team has token l of each block.
  Expressions factors;      ///< exp(decays)
};

class DeltaChunkBuilder {
public:
  DeltaChunkBuilder(KernelBuilder &k, unsigned chunk)
      : k(k), chunk(chunk), valueDim(k.dim("DV")), valueHeads(k.dim("HV")),
        columns(k, k.dim("DK"), valueDim, k.getTarget().deltaChunkColumns,
                chunk),
        run(columns.run), sequences(k), query(k.getInput("q")),
        key(k.getInput("k")), value(k.getRunInput("v", run)),
        decay(k.getScalarInput("decay")), beta(k.getScalarInput("beta")),
        recurrent(k.getInput("recurrent")), ringKeys(k.getInput("keys")),
        ringUpdates(k.getRunInput("updates", run)),
        ringDecays(k.getScalarInput("decays")),
        newRecurrent(k.getRunOutput("new_recurrent", 4)),
        out(k.getRunOutput("out", getOutputRun())) {}

  Status build() {
    int64_t blocks = valueDim / columns.columns;
    unsigned subgroups = 1;
    while (subgroups < k.getTarget().subgroupsPerWorkgroup &&
           blocks % (subgroups * 2 * columns.teams) == 0)
      subgroups *= 2;
    int64_t together = subgroups * columns.teams;
    int64_t groups = (blocks + together - 1) / together;
    k.setSubgroups(subgroups);
    k.setGrid(0, valueHeads * groups);
    k.setGrid(1, k.dim("N"));
    columns.setLane(k.getLane());
    head = k.getGroup(0) / double(groups);
    int64_t headsPerKey = valueHeads / k.dim("HK");
    keyHead = head / double(headsPerKey);
    Expression block =
        k.getGroup(0) % double(groups) * double(together) + columns.team;
    if (subgroups > 1)
      block = block + k.getSubgroup() * double(columns.teams);
    // A team past the last block repeats it and stores nothing.
    inside = block < double(blocks);
    mayEnd = blocks % columns.teams != 0;
    firstColumn = min(block, k.index(blocks - 1)) * double(columns.columns);
    ownColumn = firstColumn +
                columns.teamLane % double(columns.columnLanes) * double(run);

    SequenceRow s = sequences.read(k.getGroup(1));
    k.when(s.count > 0, [&] {
      Expressions state = fold(s, load(s));
      state = k.loop(k.index(0), s.count, chunk, state,
                     [&](Expression base, llvm::ArrayRef<Expression> before) {
                       if (subgroups > 1)
                         stayTogether(base);
                       return runChunk(s, base, before);
                     });
      store(s, state);
    });
    return Status::ok();
  }

private:
  //===--------------------------------------------------------------------===//
  // The state in front of the step and after it
  //===--------------------------------------------------------------------===//

  /// This lane's first column of a row of values.
  Expression getOwnElement(Expression row) {
    return row * double(valueDim) + ownColumn;
  }

  /// The element of `recurrent` in the first column of a row.
  Expression stateElement(const SequenceRow &s, unsigned m, unsigned i) {
    Expression row =
        (s.slot * double(valueHeads) + head) * double(columns.keyDim) +
        columns.quadIndex(m) * 4 + double(i);
    return row * double(valueDim) + firstColumn;
  }

  Expressions load(const SequenceRow &s) {
    return k.branch(
        s.folded > 0,
        [&] {
          Expressions state;
          for (unsigned m = 0; m != columns.quads; ++m) {
            llvm::SmallVector<Expressions, 4> rows;
            for (unsigned i = 0; i != 4; ++i)
              rows.push_back(
                  recurrent.readRun(stateElement(s, m, i), columns.columns));
            for (unsigned c = 0; c != columns.columns; ++c)
              state.push_back(quern::vector(
                  {rows[0][c], rows[1][c], rows[2][c], rows[3][c]}));
          }
          return state;
        },
        [&] { return Expressions(columns.size(), k.zeroVector()); });
  }

  void store(const SequenceRow &s, llvm::ArrayRef<Expression> state) {
    k.guard(
        mayEnd, [&] { return inside; },
        [&] {
          for (unsigned m = 0; m != columns.quads; ++m)
            for (unsigned i = 0; i != 4; ++i) {
              Expressions row;
              for (unsigned c = 0; c != columns.columns; ++c)
                row.push_back(state[m * columns.columns + c][i]);
              newRecurrent.writeRun(stateElement(s, m, i), row);
            }
        });
  }

  /// Takes the tokens of the ring into the state, one by one: they are few.
  Expressions fold(const SequenceRow &s, const Expressions &state) {
    auto ringRow = [&](Expression position) {
      return getRingRow(k, s.slot, position);
    };
    auto readDecays = [&](Expression position) {
      return ringDecays.read(ringRow(position) * double(valueHeads) + head);
    };
    Expression total = sumRingDecays(k, s, readDecays);
    Expression factor = exp(total);
    Expressions scaled;
    for (const Expression &part : state)
      scaled.push_back(part * factor);
    return k.loop(s.folded, s.position, 1, scaled,
                  [&](Expression position, llvm::ArrayRef<Expression> before) {
                    Expression row = ringRow(position);
                    RowQuads parts = columns.readQuads(
                        ringKeys, row * double(k.dim("HK")) + keyHead,
                        exp(total - readDecays(position)));
                    Expressions update = ringUpdates.readRun(
                        getOwnElement(row * double(valueHeads) + head), run);
                    return columns.addProducts(before, {parts}, {update});
                  });
  }

  //===--------------------------------------------------------------------===//
  // A chunk
  //===--------------------------------------------------------------------===//

  /// Keeps the subgroups of a workgroup at the same chunk, of which they read
  /// the same keys and queries: all but the first find them in the cache. The
  /// number of chunks is the same for all of them.
  static void stayTogether(Expression base) {
    mlir::gpu::BarrierOp::create(base.getBuilder(), base.getLoc());
  }

  /// The state after the tokens from `base` on. Tokens past the end decay
  /// nothing and update nothing.
  Expressions runChunk(const SequenceRow &s, Expression base,
                       llvm::ArrayRef<Expression> before) {
    ChunkScalars scalars = readScalars(s, base);
    llvm::SmallVector<RowQuads, 16> chunkKeys, queries, both;
    Expressions elements;
    // What comes from memory is read first, and what goes there is written
    // last, so that the waiting times of all tokens overlap.
    llvm::SmallVector<Expressions, 16> values, results;
    for (unsigned t = 0; t != chunk; ++t) {
      Expression token = getToken(s, base + double(t));
      Expression row = token * double(k.dim("HK")) + keyHead;
      chunkKeys.push_back(columns.readQuads(key, row));
      queries.push_back(columns.readQuads(query, row));
      both.append({chunkKeys.back(), queries.back()});
      elements.push_back(getOwnElement(token * double(valueHeads) + head));
      values.push_back(value.readRun(elements.back(), run));
    }
    auto seen = columns.multiplyState(before, both);
    llvm::SmallVector<Expressions, 16> updates;
    for (unsigned t = 0; t != chunk; ++t) {
      updates.push_back(solve(scalars, t, values[t], seen[2 * t],
                              columns.multiplyKeys(chunkKeys[t], chunkKeys, t),
                              updates));
      results.push_back(
          combine(scalars, t, seen[2 * t + 1],
                  columns.multiplyKeys(queries[t], chunkKeys, t + 1), updates));
    }
    Expression total = scalars.decays.back(), factor = exp(total);
    Expressions state;
    for (const Expression &part : before)
      state.push_back(part * factor);
    for (unsigned t = 0; t != chunk; ++t) {
      Expression rest = exp(total - scalars.decays[t]);
      for (Expression &part : chunkKeys[t])
        part = part * rest;
    }
    Expressions after = columns.addProducts(state, chunkKeys, updates);
    for (unsigned t = 0; t != chunk; ++t)
      k.when(base + double(t) < s.count,
             [&] { write(elements[t], results[t]); });
    return after;
  }

  Expression getToken(const SequenceRow &s, Expression t) {
    return s.first + min(t, s.count - 1);
  }

  ChunkScalars readScalars(const SequenceRow &s, Expression base) {
    ChunkScalars scalars;
    Expression number = columns.teamLane % double(columns.tokenLanes),
               total = k.f32(0);
    for (unsigned block = 0; block != chunk; block += columns.tokenLanes) {
      Expression t = base + number + double(block);
      Expression isToken = t < s.count;
      Expression at = getToken(s, t) * double(valueHeads) + head;
      Expression d = quern::select(isToken, decay.read(at), k.f32(0));
      Expression b = quern::select(isToken, beta.read(at), k.f32(0));
      Expression laneTotal = k.f32(0);
      for (unsigned i = 0; i != columns.tokenLanes; ++i) {
        total = total + columns.broadcast(d, i);
        laneTotal = quern::select(number == double(i), total, laneTotal);
        scalars.decays.push_back(total);
        scalars.beta.push_back(columns.broadcast(b, i));
      }
      scalars.laneDecays.push_back(laneTotal);
      Expression laneFactor = exp(laneTotal);
      for (unsigned i = 0; i != columns.tokenLanes; ++i)
        scalars.factors.push_back(columns.broadcast(laneFactor, i));
    }
    return scalars;
  }

  /// exp(G_t - G_j) products_j for the tokens j of each block.
  Expressions scaleProducts(const ChunkScalars &scalars, unsigned t,
                            Expressions products) {
    for (size_t block = 0; block != products.size(); ++block) {
      // Later tokens are not used, but must not overflow.
      Expression difference =
          min(scalars.decays[t] - scalars.laneDecays[block], k.f32(0));
      products[block] = products[block] * exp(difference);
    }
    return products;
  }

  /// u_t from v_t, S^T k_t and the k_t.k_j.
  Expressions solve(const ChunkScalars &scalars, unsigned t, Expressions u,
                    const Expressions &seen, const Expressions &products,
                    llvm::ArrayRef<Expressions> updates) {
    for (unsigned p = 0; p != run; ++p)
      u[p] = u[p] - scalars.factors[t] * seen[p];
    Expressions scaled = scaleProducts(scalars, t, products);
    for (unsigned j = 0; j != t; ++j) {
      Expression a = columns.broadcast(scaled[j / columns.tokenLanes],
                                       j % columns.tokenLanes);
      for (unsigned p = 0; p != run; ++p)
        u[p] = u[p] - a * updates[j][p];
    }
    for (unsigned p = 0; p != run; ++p)
      u[p] = u[p] * scalars.beta[t];
    return u;
  }

  /// o_t from S^T q_t and the q_t.k_j.
  Expressions combine(const ChunkScalars &scalars, unsigned t,
                      const Expressions &seen, const Expressions &products,
                      llvm::ArrayRef<Expressions> updates) {
    Expressions result;
    for (unsigned p = 0; p != run; ++p)
      result.push_back(scalars.factors[t] * seen[p]);
    Expressions scaled = scaleProducts(scalars, t, products);
    for (unsigned j = 0; j != t + 1; ++j) {
      Expression b = columns.broadcast(scaled[j / columns.tokenLanes],
                                       j % columns.tokenLanes);
      for (unsigned p = 0; p != run; ++p)
        result[p] = fma(b, updates[j][p], result[p]);
    }
    return result;
  }

  bool isOutputWide() const { return k.getType("out") == DataType::F32; }
  /// Elements that a lane stores; 16-bit ones are stored in pairs.
  unsigned getOutputRun() const {
    return isOutputWide() ? run : std::max(run, 2u);
  }

  void write(Expression element, Expressions values) {
    bool inPairs = values.size() < getOutputRun();
    if (inPairs)
      values.push_back(k.shuffleXor(values.front(), 1));
    auto isWriter = [&] {
      Expression holds =
          inside & (columns.teamLane < double(columns.columnLanes));
      return inPairs ? holds & (columns.teamLane % 2 == 0) : holds;
    };
    k.guard(mayEnd || columns.columnLanes < columns.lanes || inPairs, isWriter,
            [&] { out.writeRun(element, values); });
  }

  KernelBuilder &k;
  unsigned chunk;
  int64_t valueDim, valueHeads;
  DeltaColumns columns;
  unsigned run; ///< Columns of a row of values that a lane has.
  Sequences sequences;
  InputBuffer query, key, value, decay, beta;
  InputBuffer recurrent, ringKeys, ringUpdates, ringDecays;
  OutputBuffer newRecurrent, out;
  Expression head, keyHead, firstColumn, ownColumn, inside;
  bool mayEnd = false;
};

} // namespace

Status quern::buildDeltaChunk(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "DK", 4));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "DV", 4));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "HV", k.dim("HK")));
  QUERN_ASSIGN_OR_RETURN(int64_t chunk, k.getInteger("chunk"));
  if (chunk < 1 || chunk > 32 || (chunk & (chunk - 1)) != 0)
    return invalidArgument("chunk is " + std::to_string(chunk) +
                           ", expected a power of two from 1 to 32");
  uint64_t slots = k.dim("S"), sequences = k.dim("N");
  k.idealBytes =
      2 * k.getArgument("recurrent").getBytes() / slots * sequences +
      2 * (k.getArgument("q").getBytes() + k.getArgument("v").getBytes());
  k.flops = 6 * uint64_t(k.dim("T")) * k.dim("HV") * k.dim("DK") * k.dim("DV");
  if (DeltaTiles::fits(k, chunk))
    return buildDeltaTiles(k, chunk), Status::ok();
  return DeltaChunkBuilder(k, static_cast<unsigned>(chunk)).build();
}
