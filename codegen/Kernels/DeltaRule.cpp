//===- DeltaRule.cpp - The delta rule for few tokens ----------------------===//
//
// With S the stored state and D_t the sum of the decays from it on, token t
// sees exp(D_t) S + sum_j exp(D_t - D_j) k_j u_j^T over the tokens j behind S:
// those of the rings and the earlier ones of the step. So S is read once, for
// all tokens of the step: S^T k_t and S^T q_t; the rest are products of keys,
// queries and updates. Only if the update is to fold, S becomes the state in
// front of the step, on the way.
//
// Columns of the state are independent. A lane has an octet of them; the teams
// of a subgroup take turns in the rows of S and in the tokens of the rings.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/DeltaState.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

namespace {

/// Sums per token are kept in registers.
constexpr int64_t maxTokens = 16;

class DeltaRuleBuilder {
public:
  explicit DeltaRuleBuilder(KernelBuilder &k)
      : k(k), state(k), sequences(k),
        newRecurrent(k.getOutput("new_recurrent")),
        newKeys(k.getOutput("new_keys")),
        newUpdates(k.getOutput("new_updates")),
        newDecays(k.getRunOutput("new_decays", 1)), out(k.getOutput("out")) {
    unsigned most = std::max(1u, k.getTarget().deltaRuleColumns / 8);
    columns = 1;
    while (state.octets % (columns * 2) == 0 && columns * 2 <= most &&
           columns < k.getSubgroupSize())
      columns *= 2;
    teams = k.getSubgroupSize() / columns;
  }

  Status build() {
    k.setSubgroups(1);
    k.setGrid(0, state.octets / columns);
    k.setGrid(1, k.dim("HV"));
    k.setGrid(2, k.dim("N"));
    lane = k.getLane();
    team = lane % double(teams);
    block = k.getGroup(0);
    head = k.getGroup(1);
    row = sequences.read(k.getGroup(2));
    column = block * double(columns) + lane / double(teams);
    int64_t tokens = k.dim("T");
    k.when(row.count != 0, [&] {
      state.select(row, head, column);
      if (tokens == 1)
        return step(1);
      k.when(row.count == 1, [&] { step(1); });
      k.when(row.count != 1, [&] { step(tokens); });
    });
    return Status::ok();
  }

private:
  /// Two octets of columns per token: of the update and of the result.
  using Sums = Expressions;
  static constexpr unsigned perToken = 4;

  /// The row's tokens, at most `count`. The last one stands for later ones,
  /// whose sums are not stored: what lies behind it may be no number at all.
  void step(int64_t count) {
    tokens.clear();
    decays.clear();
    isFold = row.update != 0;
    Expression sum = select(isFold, k.f32(0), state.getPendingDecay());
    for (int64_t t = 0; t != count; ++t) {
      Expression token = row.first;
      if (count > 1)
        token = row.first + min(k.index(t), row.count - 1);
      tokens.push_back(token);
      decays.push_back(sum = sum + state.readStepDecay(token));
    }
    readStep();
    Sums sums = readState();
    // Nothing is folded into what is stored: it was read in vain.
    Expression isEmpty = (row.folded == 0) & (isFold == 0);
    for (int64_t t = 0; t != count; ++t)
      for (unsigned i = 0; i != perToken; ++i)
        sums[t * perToken + i] = select(
            isEmpty, k.zeroVector(), sums[t * perToken + i] * exp(decays[t]));
    sums = readRing(sums);
    reduceAcross(k, sums, 1, teams);
    finish(sums);
  }

  /// Where a read costs much more than a shuffle, each lane reads its part of
  /// the step's keys and queries once: lane l has quads l, l + lanes, ...
  bool inLanes() const {
    return k.getTarget().readAccess == ReadAccess::Texel && teams == 1 &&
           state.quads % columns == 0;
  }

  void readStep() {
    stepKeys.clear();
    stepQueries.clear();
    for (size_t t = 0; inLanes() && t != tokens.size(); ++t) {
      stepKeys.emplace_back();
      stepQueries.emplace_back();
      for (int64_t quad = 0; quad != state.quads; quad += columns) {
        Expression at = lane + double(quad);
        stepKeys.back().push_back(state.readStepKeys(tokens[t], at));
        stepQueries.back().push_back(state.readStepQueries(tokens[t], at));
      }
    }
  }

  /// The keys and queries of token t of the step for the quad of a lane's turn.
  Expression getKeys(size_t t, Expression quad, size_t turn) {
    return inLanes() ? stepKeys[t][turn] : state.readStepKeys(tokens[t], quad);
  }
  Expression getQueries(size_t t, Expression quad, size_t turn) {
    return inLanes() ? stepQueries[t][turn]
                     : state.readStepQueries(tokens[t], quad);
  }

  /// body(quad, turn, values) for this lane's quads, of which `lanes` lanes
  /// have one in each turn; unrolled if the step is in the lanes.
  Expressions
  forQuads(unsigned lanes, Expression lane, llvm::ArrayRef<Expression> init,
           llvm::function_ref<Expressions(Expression, size_t,
                                          llvm::ArrayRef<Expression>)>
               body) {
    if (!inLanes())
      return k.accumulate(
          state.quads, lanes, lane, init,
          [&](Expression quad, llvm::ArrayRef<Expression> carried) {
            return body(quad, 0, carried);
          });
    Expressions values(init.begin(), init.end());
    for (size_t turn = 0; turn != stepKeys.front().size(); ++turn)
      values = body(lane + double(turn * lanes), turn, values);
    return values;
  }

  /// S^T k_t and S^T q_t, the share of this lane's team, of the state that the
  /// step's tokens see: as stored, or folded and stored again.
  Sums readState() {
    return k.branch(
        isFold,
        [&] {
          Expression count = state.getPending();
          Expression scale = exp(state.getPendingDecay());
          return multiplyState([&](Expression quad) {
            QuadRows folded =
                state.fold(quad, state.readRows(quad), count, scale);
            state.writeRows(newRecurrent, quad, folded);
            return folded;
          });
        },
        [&] {
          return multiplyState(
              [&](Expression quad) { return state.readStored(quad); });
        });
  }

  using ReadRows = llvm::function_ref<QuadRows(Expression)>;
  Sums multiplyState(ReadRows readRows) {
    Sums zeros(tokens.size() * perToken, k.zeroVector());
    if (!inLanes())
      return k.accumulate(
          state.quads, teams, team, zeros,
          [&](Expression quad, llvm::ArrayRef<Expression> carried) {
            QuadRows rows = readRows(quad);
            Sums sums(carried.begin(), carried.end());
            for (size_t t = 0; t != tokens.size(); ++t)
              addRows(sums, t, rows, state.readStepKeys(tokens[t], quad),
                      state.readStepQueries(tokens[t], quad));
            return sums;
          });
    return k.loop(k.index(0), k.index(columns), 1, zeros,
                  [&](Expression from, llvm::ArrayRef<Expression> carried) {
                    Sums sums(carried.begin(), carried.end());
                    auto share = [&](Expression quad) {
                      Expressions components;
                      for (unsigned i = 0; i != 4; ++i)
                        components.push_back(
                            k.shuffleFrom(quad[i], toI32(from)));
                      return quern::vector(components);
                    };
                    for (size_t m = 0; m != stepKeys.front().size(); ++m) {
                      QuadRows rows = readRows(from + double(m * columns));
                      for (size_t t = 0; t != tokens.size(); ++t)
                        addRows(sums, t, rows, share(stepKeys[t][m]),
                                share(stepQueries[t][m]));
                    }
                    return sums;
                  });
  }

  void addRows(Sums &sums, size_t t, const QuadRows &rows, Expression key,
               Expression query) {
    Expression *sum = &sums[t * perToken];
    for (unsigned r = 0; r != 4; ++r) {
      sum[0] = fma(rows[r].a, key[r], sum[0]);
      sum[1] = fma(rows[r].b, key[r], sum[1]);
      sum[2] = fma(rows[r].a, query[r], sum[2]);
      sum[3] = fma(rows[r].b, query[r], sum[3]);
    }
  }

  /// Adds the tokens of the rings, each team its own.
  Sums readRing(const Sums &before) {
    Expression count = select(isFold, k.index(0), state.getPending());
    return k.loop(k.index(0), count, teams, before,
                  [&](Expression first, llvm::ArrayRef<Expression> carried) {
                    Expression j = first + team, isThere = j < count;
                    Expression ringRow = state.getPendingRow(min(j, count - 1));
                    Expressions products = multiplyRingKeys(ringRow);
                    Expression decay = state.readDecay(ringRow);
                    Octet update = state.readUpdate(ringRow);
                    Sums sums(carried.begin(), carried.end());
                    for (size_t t = 0; t != tokens.size(); ++t) {
                      Expression factor =
                          select(isThere, exp(decays[t] - decay), k.f32(0));
                      addUpdate(&sums[t * perToken], update,
                                products[2 * t] * factor);
                      addUpdate(&sums[t * perToken + 2], update,
                                products[2 * t + 1] * factor);
                    }
                    return sums;
                  });
  }

  static void addUpdate(Expression *sum, const Octet &update,
                        Expression factor) {
    sum[0] = fma(update.a, factor, sum[0]);
    sum[1] = fma(update.b, factor, sum[1]);
  }

  /// k_j k_t and k_j q_t for each token of the step; the lanes of a team share
  /// the features.
  Expressions multiplyRingKeys(Expression ringRow) {
    Expressions zeros(tokens.size() * 2, k.zeroVector());
    Expressions products = forQuads(
        columns, lane / double(teams), zeros,
        [&](Expression quad, size_t turn, llvm::ArrayRef<Expression> carried) {
          Expression key = state.readKeys(ringRow, quad);
          Expressions next;
          for (size_t t = 0; t != tokens.size(); ++t)
            next.append(
                {fma(key, getKeys(t, quad, turn), carried[2 * t]),
                 fma(key, getQueries(t, quad, turn), carried[2 * t + 1])});
          return next;
        });
    for (Expression &product : products)
      product = quern::sum(product);
    reduceAcross(k, products, teams, k.getSubgroupSize());
    return products;
  }

  /// Takes the tokens of the step into account, one after the other, and
  /// carries the updates of the earlier ones.
  void finish(const Sums &sums) {
    if (tokens.size() == 1) {
      finishToken(k.index(0), sums, {});
      return;
    }
    Expressions updates(2 * (tokens.size() - 1), k.zeroVector());
    k.loop(k.index(0), row.count, 1, updates,
           [&](Expression t, llvm::ArrayRef<Expression> carried) {
             return finishToken(t, sums, carried);
           });
  }

  /// Returns `updates` with that of token t.
  Expressions finishToken(Expression t, const Sums &sums,
                          llvm::ArrayRef<Expression> updates) {
    Expression token = min(row.first + t, k.index(k.dim("T") - 1));
    Expression decay = pick(decays, t, 1, 0);
    Expressions sum;
    for (unsigned i = 0; i != perToken; ++i)
      sum.push_back(pick(sums, t, perToken, i));
    Expressions products = multiplyStepKeys(token);
    for (size_t s = 0; s + 1 < tokens.size(); ++s) {
      Octet earlier = {updates[2 * s], updates[2 * s + 1]};
      Expression factor =
          select(t > double(s), exp(decay - decays[s]), k.f32(0));
      addUpdate(&sum[0], earlier, products[2 * s] * factor);
      addUpdate(&sum[2], earlier, products[2 * s + 1] * factor);
    }
    Octet value = state.readStepValue(token);
    Expression beta = state.readStepBeta(token);
    Octet update = {(value.a - sum[0]) * beta, (value.b - sum[1]) * beta};
    addUpdate(&sum[2], update, products.back());
    store(t, token, decay, update, {sum[2], sum[3]});
    Expressions next(updates.begin(), updates.end());
    for (size_t s = 0; s + 1 < tokens.size(); ++s) {
      next[2 * s] = select(t == double(s), update.a, updates[2 * s]);
      next[2 * s + 1] = select(t == double(s), update.b, updates[2 * s + 1]);
    }
    return next;
  }

  /// values[t * stride + offset] with t known at run time.
  Expression pick(llvm::ArrayRef<Expression> values, Expression t,
                  size_t stride, size_t offset) {
    Expression picked = values[offset];
    for (size_t s = 1; s * stride < values.size(); ++s)
      picked = select(t == double(s), values[s * stride + offset], picked);
    return picked;
  }

  /// k_s k and k_s q for all tokens s of the step but the last, then k q.
  Expressions multiplyStepKeys(Expression token) {
    size_t others = tokens.size() - 1;
    Expressions zeros(2 * others + 1, k.zeroVector());
    Expressions products = forQuads(
        k.getSubgroupSize(), lane, zeros,
        [&](Expression quad, size_t turn, llvm::ArrayRef<Expression> carried) {
          Expression key = state.readStepKeys(token, quad);
          Expression query = state.readStepQueries(token, quad);
          Expressions next;
          for (size_t s = 0; s != others; ++s) {
            Expression other = getKeys(s, quad, turn);
            next.append({fma(other, key, carried[2 * s]),
                         fma(other, query, carried[2 * s + 1])});
          }
          next.push_back(fma(key, query, carried[2 * others]));
          return next;
        });
    for (Expression &product : products)
      product = quern::sum(product);
    reduceAcross(k, products, 1, k.getSubgroupSize());
    return products;
  }

  void store(Expression t, Expression token, Expression decay,
             const Octet &update, const Octet &result) {
    Expression ringRow = state.getStepRow(t);
    k.guard(
        teams > 1, [&] { return team == 0; },
        [&] {
          newUpdates.writeOctet(state.atUpdate(ringRow), update);
          out.writeOctet(state.atResult(token), result);
        });
    k.when((block == 0) & (lane == 0),
           [&] { newDecays.writeRun(state.atDecay(ringRow), {decay}); });
    // One workgroup stores the keys of a key head.
    k.when((block == 0) & (head % double(state.group) == 0), [&] {
      Expression at = state.atKeys(ringRow);
      k.forEach(state.quads / 2, k.getSubgroupSize(), lane,
                [&](Expression octet) {
                  newKeys.writeOctet(
                      at + octet, {state.readStepKeys(token, octet * 2),
                                   state.readStepKeys(token, octet * 2 + 1)});
                });
    });
  }

  KernelBuilder &k;
  DeltaState state;
  Sequences sequences;
  OutputBuffer newRecurrent, newKeys, newUpdates, newDecays, out;
  unsigned columns, teams; ///< Lanes of a team, i.e. octets; teams.
  Expression lane, team, block, head, column, isFold;
  SequenceRow row;
  Expressions tokens, decays; ///< Of the step; decays are sums.
  llvm::SmallVector<Expressions, 16> stepKeys, stepQueries; ///< If inLanes().
};

} // namespace

Status quern::buildDeltaRule(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(DeltaState::check(k));
  if (k.dim("T") > maxTokens)
    return unsupported("a step of " + std::to_string(k.dim("T")) +
                       " tokens, at most " + std::to_string(maxTokens) +
                       " are computed without folding them into the state");
  uint64_t sequences = k.dim("N");
  uint64_t slots = k.dim("S");
  k.idealBytes = k.getArgument("recurrent").getBytes() / slots * sequences +
                 k.getArgument("q").getBytes() * 2 +
                 k.getArgument("v").getBytes() * 2;
  k.flops = 4 * uint64_t(k.dim("T")) * k.dim("HV") * k.dim("DK") * k.dim("DV");
  return DeltaRuleBuilder(k).build();
}
