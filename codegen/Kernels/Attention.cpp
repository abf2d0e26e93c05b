//===- Attention.cpp - attention over the paged KV cache ------------------===//
//
// A subgroup computes one key head for a tile of tokens, i.e. the rows of all
// query heads of its group for each token of the tile, so that keys and values
// are read once for all of them. A team of lanes shares the elements of a
// head; the teams of a subgroup take turns in the positions and are merged at
// the end. Softmax is online: each row carries its maximum, sum and the
// weighted values so far.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/PagedCache.h"

#include <optional>

using namespace quern;

namespace {

/// Below every score and still finite, so that differences are no NaN.
constexpr double lowest = -1e30;

/// What a query row carries through the positions.
struct RowState {
  Expression maximum, total;
  Expressions values; ///< Two vectors per octet of a lane.
};

class AttentionBuilder {
public:
  /// `gateOffset`: the first gate among a token's, null without gates.
  AttentionBuilder(KernelBuilder &k, double scale, int64_t groupHeads,
                   std::optional<int64_t> gateOffset)
      : k(k), scale(scale), group(groupHeads), gateOffset(gateOffset),
        octets(k.dim("D") / 8), lanes(getEvenTeamLanes(k, octets)),
        teams(k.getSubgroupSize() / lanes), perLane(octets / lanes), cache(k),
        query(k.getInput("q")), keys(k.getInput("k_cache")),
        values(k.getInput("v_cache")), out(k.getOutput("out")) {
    if (gateOffset)
      gate = k.getInput("gate");
  }

  Status build() {
    int64_t total = k.dim("T");
    int64_t tile = 1;
    // Few tokens are spread over the device instead.
    if (total > 8)
      while (tile < k.getTarget().attentionTokens && tile * group < 16)
        tile *= 2;
    k.setSubgroups(1);
    k.setGrid(0, k.dim("HK"));
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(total, tile));
    head = k.getGroup(0);
    lane = k.getLane() % double(lanes);
    team = k.getLane() / double(lanes);
    Expressions tokens;
    for (int64_t t = 0; t != tile; ++t) {
      Expression token = k.getGroup(1) * double(tile) + double(t);
      tokens.push_back(total % tile == 0 ? token
                                         : min(token, k.index(total - 1)));
    }
    buildTile(tokens);
    return Status::ok();
  }

private:
  /// A tile of one slot shares its reads; else the tokens go one by one.
  void buildTile(const Expressions &tokens) {
    Expression slot = cache.getSlot(tokens[0]);
    if (tokens.size() == 1)
      return attend(tokens, slot);
    Expression same;
    for (const Expression &token : llvm::drop_begin(tokens)) {
      Expression equal = cache.getSlot(token) == slot;
      same = same ? same & equal : equal;
    }
    k.when(same, [&] { attend(tokens, slot); });
    k.when(same == 0, [&] {
      k.loop(tokens.front(), tokens.back() + 1, 1,
             [&](Expression token) { attend({token}, cache.getSlot(token)); });
    });
  }

  void attend(const Expressions &tokens, Expression slot) {
    Expressions limits; // Positions to attend to, per token.
    Expression common, most;
    for (const Expression &token : tokens) {
      Expression limit = cache.getPosition(token) + 1;
      common = common ? min(common, limit) : limit;
      most = most ? max(most, limit) : limit;
      limits.push_back(limit);
    }
    llvm::SmallVector<Expressions, 8> queries = readQueries(tokens);

    // Blocks of positions that every row attends to.
    unsigned block = 4 * teams;
    Expression blocksEnd = common / double(block) * double(block);
    Expressions state = k.loop(
        k.index(0), blocksEnd, block, flatten(initialStates(queries.size())),
        [&](Expression first, llvm::ArrayRef<Expression> carried) {
          return flatten(
              attendBlock(queries, unflatten(carried), slot, first, 4));
        });
    // The others one by one, each row up to its limit.
    state = k.loop(
        blocksEnd, most, teams, state,
        [&](Expression first, llvm::ArrayRef<Expression> carried) {
          llvm::SmallVector<RowState, 8> before = unflatten(carried);
          Expression position = min(first + team, most - 1);
          auto after = attendPositions(queries, before, slot, {position});
          for (size_t row = 0; row != before.size(); ++row)
            keepIf(first + team < limits[row / group], after[row], before[row]);
          return flatten(after);
        });
    llvm::SmallVector<RowState, 8> states = unflatten(state);
    for (size_t row = 0; row != states.size(); ++row) {
      mergeTeams(states[row]);
      store(tokens[row / group], row % group, states[row]);
    }
  }

  /// The octets of this lane, scaled, per row.
  llvm::SmallVector<Expressions, 8> readQueries(const Expressions &tokens) {
    llvm::SmallVector<Expressions, 8> rows;
    for (const Expression &token : tokens)
      for (int64_t h = 0; h != group; ++h) {
        Expressions parts;
        for (int64_t i = 0; i != perLane; ++i) {
          Octet octet =
              k.reorder(query.readOctet(queryRow(token, h) + double(i * lanes)),
                        keys.naturalOrder());
          parts.append({octet.a * scale, octet.b * scale});
        }
        rows.push_back(parts);
      }
    return rows;
  }

  /// This lane's first octet of query head `h` of the group.
  Expression queryRow(Expression token, int64_t h) {
    return token * double(k.dim("HK") * group * octets) + headStart(h);
  }
  /// The same, counted from the token's first octet.
  Expression headStart(int64_t h) {
    return (head * double(group) + double(h)) * double(octets) + lane;
  }

  llvm::SmallVector<RowState, 8>
  attendBlock(llvm::ArrayRef<Expressions> queries,
              llvm::ArrayRef<RowState> states, Expression slot,
              Expression first, unsigned count) {
    Expressions positions;
    for (unsigned i = 0; i != count; ++i)
      positions.push_back(first + team + double(i * teams));
    return attendPositions(queries, states, slot, positions);
  }

  llvm::SmallVector<RowState, 8>
  attendPositions(llvm::ArrayRef<Expressions> queries,
                  llvm::ArrayRef<RowState> before, Expression slot,
                  const Expressions &positions) {
    // One look at the page table if the positions can't cross a page.
    bool samePage = k.dim("PAGE_SIZE") % int64_t(positions.size() * teams) == 0;
    Expression page;
    Expressions rows;
    for (const Expression &position : positions) {
      if (!page || !samePage)
        page = cache.getPage(slot, position);
      rows.push_back(cache.getRow(page, position, head) + lane);
    }
    llvm::SmallVector<Expressions, 8> scores = buildScores(queries, rows);
    llvm::SmallVector<RowState, 8> states(before.begin(), before.end());
    llvm::SmallVector<Expressions, 8> weights;
    for (size_t row = 0; row != queries.size(); ++row)
      weights.push_back(updateSoftmax(states[row], scores[row]));
    for (size_t at = 0; at != rows.size(); ++at) {
      Expressions parts = readParts(values, rows[at]);
      for (size_t row = 0; row != queries.size(); ++row)
        for (size_t i = 0; i != parts.size(); ++i)
          states[row].values[i] =
              fma(parts[i], weights[row][at], states[row].values[i]);
    }
    return states;
  }

  Expressions readParts(const InputBuffer &buffer, Expression row) {
    Expressions parts;
    for (int64_t i = 0; i != perLane; ++i) {
      Octet octet = buffer.readOctet(row + double(i * lanes));
      parts.append({octet.a, octet.b});
    }
    return parts;
  }

  /// Scores of each query row for each position.
  llvm::SmallVector<Expressions, 8>
  buildScores(llvm::ArrayRef<Expressions> queries, const Expressions &rows) {
    llvm::SmallVector<Expressions, 8> scores(queries.size());
    for (const Expression &row : rows) {
      Expressions parts = readParts(keys, row);
      for (size_t q = 0; q != queries.size(); ++q) {
        Expression products = parts[0] * queries[q][0];
        for (size_t i = 1; i != parts.size(); ++i)
          products = fma(parts[i], queries[q][i], products);
        scores[q].push_back(k.reduceAdd(sum(products), lanes));
      }
    }
    return scores;
  }

  /// Takes new scores into a row's maximum and sum, rescales its values, and
  /// returns the weights of the new positions.
  Expressions updateSoftmax(RowState &state, const Expressions &scores) {
    Expression maximum = state.maximum;
    for (const Expression &score : scores)
      maximum = max(maximum, score);
    rescale(state, maximum);
    Expressions weights;
    for (const Expression &score : scores) {
      weights.push_back(exp(score - maximum));
      state.total = state.total + weights.back();
    }
    return weights;
  }

  static void rescale(RowState &state, Expression maximum) {
    Expression factor = exp(state.maximum - maximum);
    state.maximum = maximum;
    state.total = state.total * factor;
    for (Expression &value : state.values)
      value = value * factor;
  }

  static void keepIf(Expression condition, RowState &after,
                     const RowState &before) {
    after.maximum = quern::select(condition, after.maximum, before.maximum);
    after.total = quern::select(condition, after.total, before.total);
    for (size_t i = 0; i != after.values.size(); ++i)
      after.values[i] =
          quern::select(condition, after.values[i], before.values[i]);
  }

  void mergeTeams(RowState &state) {
    for (unsigned distance = lanes; distance < k.getSubgroupSize();
         distance *= 2) {
      rescale(state, max(state.maximum, k.shuffleXor(state.maximum, distance)));
      state.total = state.total + k.shuffleXor(state.total, distance);
      for (Expression &value : state.values) {
        Expressions parts;
        for (unsigned i = 0; i != 4; ++i)
          parts.push_back(value[i] + k.shuffleXor(value[i], distance));
        value = quern::vector(parts);
      }
    }
  }

  void store(Expression token, int64_t h, const RowState &state) {
    Expression inverse = 1 / state.total;
    k.guard(
        teams > 1, [&] { return team == 0; },
        [&] {
          for (int64_t i = 0; i != perLane; ++i) {
            Octet result{state.values[2 * i] * inverse,
                         state.values[2 * i + 1] * inverse,
                         keys.naturalOrder()};
            if (gateOffset)
              result = mapOctets(
                  [](Expression x, Expression z) { return x * sigmoid(z); },
                  result, readGate(token, h, i));
            out.writeOctet(queryRow(token, h) + double(i * lanes), result);
          }
        });
  }

  /// The gates of this lane's octet number `i` of a query head.
  Octet readGate(Expression token, int64_t h, int64_t i) {
    Expression first = token * double(k.dim("G") / 8) + headStart(h);
    return k.reorder(
        gate.readOctet(first + double(*gateOffset / 8 + i * lanes)),
        keys.naturalOrder());
  }

  //===--------------------------------------------------------------------===//
  // States as values carried by loops
  //===--------------------------------------------------------------------===//

  llvm::SmallVector<RowState, 8> initialStates(size_t rows) {
    return llvm::SmallVector<RowState, 8>(
        rows, RowState{k.f32(lowest), k.f32(0),
                       Expressions(2 * perLane, k.zeroVector())});
  }

  static Expressions flatten(llvm::ArrayRef<RowState> states) {
    Expressions flat;
    for (const RowState &state : states) {
      flat.append({state.maximum, state.total});
      flat.append(state.values.begin(), state.values.end());
    }
    return flat;
  }

  llvm::SmallVector<RowState, 8> unflatten(llvm::ArrayRef<Expression> flat) {
    llvm::SmallVector<RowState, 8> states;
    for (size_t size = 2 + 2 * perLane; !flat.empty();
         flat = flat.drop_front(size)) {
      llvm::ArrayRef<Expression> parts = flat.slice(2, size - 2);
      states.push_back(
          {flat[0], flat[1], Expressions(parts.begin(), parts.end())});
    }
    return states;
  }

  KernelBuilder &k;
  double scale;
  int64_t group;
  std::optional<int64_t> gateOffset;
  int64_t octets;
  unsigned lanes, teams;
  int64_t perLane;
  PagedCache cache;
  InputBuffer query, keys, values, gate;
  OutputBuffer out;
  Expression head, lane, team;
};

} // namespace

Status quern::buildAttention(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  QUERN_ASSIGN_OR_RETURN(double scale, k.getFloat("scale"));
  int64_t keyFeatures = k.dim("HK") * k.dim("D");
  if (k.dim("Q") % keyFeatures != 0)
    return invalidArgument("queries of " + std::to_string(k.dim("Q")) +
                           " features for " + std::to_string(k.dim("HK")) +
                           " key heads of " + std::to_string(k.dim("D")));
  std::optional<int64_t> gateOffset;
  if (k.hasArgument("gate")) {
    QUERN_RETURN_IF_ERROR(requireMultiple(k, "G", 8));
    QUERN_ASSIGN_OR_RETURN(gateOffset, k.getInteger("gate_offset"));
    if (*gateOffset < 0 || *gateOffset % 8 != 0 ||
        *gateOffset > k.dim("G") - k.dim("Q"))
      return invalidArgument(
          "config member gate_offset " + std::to_string(*gateOffset) +
          " is no multiple of 8 that leaves " + std::to_string(k.dim("Q")) +
          " of " + std::to_string(k.dim("G")) + " gates");
  }
  return AttentionBuilder(k, scale, k.dim("Q") / keyFeatures, gateOffset)
      .build();
}
