//===- AttentionRows.cpp - Softmax over the paged KV cache ----------------===//
#include "codegen/Kernels/AttentionRows.h"

using namespace quern;

AttentionRows::AttentionRows(KernelBuilder &k, double scale, int64_t group)
    : k(k), scale(scale), group(group), units(k),
      perHead(k.dim("D") / units.getElements()),
      lanes(getEvenTeamLanes(k, perHead)), teams(k.getSubgroupSize() / lanes),
      perLane(perHead / lanes), positions(k.getTarget().attentionPositions),
      cache(k), query(units.getInput("q")), keys(units.getCache("k_cache")),
      values(units.getCache("v_cache")), lane(k.getLane() % double(lanes)),
      team(k.getLane() / double(lanes)) {}

AttentionRows::States AttentionRows::attend(const Expressions &tokens,
                                            Expression slot, Expression head,
                                            Expression begin, Expression end) {
  Expressions limits; // Positions to attend to, per token.
  Expression most;
  llvm::SmallVector<Expressions, 8> queries;
  for (const Expression &token : tokens) {
    Expression limit = cache.getPosition(token) + 1;
    if (end)
      limit = min(limit, end);
    most = most ? max(most, limit) : limit;
    limits.push_back(limit);
    for (int64_t h = 0; h != group; ++h) {
      Expression row = (token * double(k.dim("HK")) + head) * double(group);
      queries.push_back(readQuery(row + double(h)));
    }
  }
  Expressions flat =
      k.loop(begin, most, getBlock(), flatten(makeInitial(queries.size())),
             [&](Expression first, llvm::ArrayRef<Expression> carried) {
               States states = unflatten(carried);
               takeBlock(states, queries, limits, slot, head, first, most - 1);
               return flatten(states);
             });
  States states = unflatten(flat);
  for (State &state : states)
    mergeLanes(state);
  return states;
}

/// This lane's part of a query, scaled.
Expressions AttentionRows::readQuery(Expression row) {
  Expressions parts;
  for (int64_t i = 0; i != perLane; ++i)
    parts.append(
        units.read(query, row * double(perHead) + lane + double(i * lanes)));
  for (Expression &part : parts)
    part = part * scale;
  return parts;
}

AttentionRows::Block AttentionRows::readBlock(const InputBuffer &buffer,
                                              llvm::ArrayRef<Expression> rows) {
  Block block;
  for (const Expression &row : rows) {
    block.emplace_back();
    for (int64_t i = 0; i != perLane; ++i)
      block.back().push_back(
          units.readPacked(buffer, row + lane + double(i * lanes)));
  }
  return block;
}

/// This lane's parts of each row.
llvm::SmallVector<Expressions, 8> AttentionRows::unpack(const Block &block) {
  llvm::SmallVector<Expressions, 8> rows;
  for (const auto &row : block) {
    rows.emplace_back();
    for (const Expressions &unit : row)
      rows.back().append(units.unpack(unit));
  }
  return rows;
}

/// This lane's part of the score of each position.
Expressions AttentionRows::multiplyKeys(const Expressions &queryParts,
                                        llvm::ArrayRef<Expressions> keyParts) {
  Expressions scores(positions, k.f32(0));
  for (size_t part = 0; part != queryParts.size(); ++part)
    for (unsigned i = 0; i != positions; ++i)
      scores[i] =
          units.multiply(keyParts[i][part], queryParts[part], scores[i]);
  return scores;
}

/// The weight of each position, of which a lane has its own.
Expressions AttentionRows::shareWeights(const Expressions &weights) {
  Expressions shared;
  for (unsigned i = 0; i != positions; ++i)
    shared.push_back(k.shuffleFrom(
        weights[i / lanes], toI32(team * double(lanes) + double(i % lanes))));
  return shared;
}

/// Adds the sum of a block to what a state carries, times `factor`. It is added
/// as a whole: long sums lose less.
void AttentionRows::addValues(State &state,
                              llvm::ArrayRef<Expressions> valueParts,
                              const Expressions &weights, Expression factor) {
  for (size_t part = 0; part != state.values.size(); ++part) {
    Expression sum = valueParts[0][part] * weights[0];
    for (unsigned i = 1; i != positions; ++i)
      sum = fma(valueParts[i][part], weights[i], sum);
    state.values[part] = fma(state.values[part], factor, sum);
  }
}

// Codes are unpacked once for all queries, right where they are multiplied: all
// numbers of a block would be more than the registers hold.

/// multiplyKeys for all queries.
llvm::SmallVector<Expressions, 8>
AttentionRows::multiplyCodedKeys(llvm::ArrayRef<Expressions> queries,
                                 const Block &block) {
  size_t parts = units.getParts();
  llvm::SmallVector<Expressions, 8> scores(queries.size(),
                                           Expressions(positions, k.f32(0)));
  for (unsigned i = 0; i != positions; ++i)
    for (int64_t unit = 0; unit != perLane; ++unit)
      for (auto [part, key] : llvm::enumerate(units.unpack(block[i][unit])))
        for (size_t r = 0; r != queries.size(); ++r)
          scores[r][i] = units.multiply(key, queries[r][unit * parts + part],
                                        scores[r][i]);
  return scores;
}

/// addValues for all states.
void AttentionRows::addCodedValues(States &states, const Block &block,
                                   llvm::ArrayRef<Expressions> weights,
                                   llvm::ArrayRef<Expression> factors) {
  size_t parts = units.getParts();
  for (int64_t unit = 0; unit != perLane; ++unit) {
    llvm::SmallVector<Expressions, 8> sums(states.size(), Expressions(parts));
    for (unsigned i = 0; i != positions; ++i)
      for (auto [part, value] : llvm::enumerate(units.unpack(block[i][unit])))
        for (size_t r = 0; r != states.size(); ++r)
          sums[r][part] = i == 0 ? value * weights[r][i]
                                 : fma(value, weights[r][i], sums[r][part]);
    for (size_t r = 0; r != states.size(); ++r)
      for (size_t part = 0; part != parts; ++part) {
        Expression &carried = states[r].values[unit * parts + part];
        carried = fma(carried, factors[r], sums[r][part]);
      }
  }
}

/// Takes positions [first, first + block) into the states; those behind `last`
/// are read as `last` and get no weight.
void AttentionRows::takeBlock(States &states,
                              llvm::ArrayRef<Expressions> queries,
                              const Expressions &limits, Expression slot,
                              Expression head, Expression first,
                              Expression last) {
  // One look at the page table if a block can't cross a page.
  bool samePage = k.dim("PAGE_SIZE") % getBlock() == 0;
  Expression page;
  Expressions rows;
  for (unsigned i = 0; i != positions; ++i) {
    Expression position = min(first + team + double(i * teams), last);
    if (!page || !samePage)
      page = cache.getPage(slot, position);
    rows.push_back(cache.getRow(page, position, head, units.getElements()));
  }
  if (int64_t ahead = k.getTarget().attentionPrefetch)
    prefetchBlock(
        slot, head,
        first + double((ahead + getBlock() - 1) / getBlock() * getBlock()),
        last);
  // The positions whose scores this lane gets from sumAcrossTeam, and the
  // scales of their codes.
  Expressions own, keyScales, valueScales;
  for (unsigned i = 0; i < positions; i += lanes) {
    Expression in =
        positions < lanes ? lane % double(positions) : lane + double(i);
    own.push_back(first + team + in * double(teams));
    if (!units.isCoded())
      continue;
    Expression position = min(own.back(), last);
    Expression at = cache.getScale(
        samePage ? page : cache.getPage(slot, position), position, head);
    keyScales.push_back(units.readScale(keys, at));
    valueScales.push_back(units.readScale(values, at));
  }

  Block keyBlock = readBlock(keys, rows);
  llvm::SmallVector<Expressions, 8> keyParts, codedScores, weights;
  if (units.isCoded())
    codedScores = multiplyCodedKeys(queries, keyBlock);
  else
    keyParts = unpack(keyBlock);
  Expressions factors; // Of what the rows carry.
  for (size_t r = 0; r != queries.size(); ++r) {
    Expressions isInside,
        scores =
            sumAcrossTeam(units.isCoded() ? codedScores[r]
                                          : multiplyKeys(queries[r], keyParts));
    for (auto [score, keyScale] : llvm::zip(scores, keyScales))
      score = score * keyScale;
    for (const Expression &position : own)
      isInside.push_back(position < limits[r / group]);
    factors.push_back(states[r].maximum);
    weights.push_back(updateSoftmax(states[r], scores, isInside));
    factors[r] = exp(factors[r] - states[r].maximum);
    Expression total = weights[r][0];
    for (const Expression &weight : llvm::drop_begin(weights[r]))
      total = total + weight;
    states[r].total = fma(states[r].total, factors[r], total);
    for (auto [weight, valueScale] : llvm::zip(weights[r], valueScales))
      weight = weight * valueScale;
  }

  Block valueBlock = readBlock(values, rows);
  if (units.isCoded()) {
    for (Expressions &own : weights)
      own = shareWeights(own);
    return addCodedValues(states, valueBlock, weights, factors);
  }
  llvm::SmallVector<Expressions, 8> valueParts = unpack(valueBlock);
  for (size_t r = 0; r != queries.size(); ++r)
    addValues(states[r], valueParts, shareWeights(weights[r]), factors[r]);
}

/// Asks for the rows of the block that begins at `first`. A block takes too
/// many instructions for a CPU to look beyond it.
void AttentionRows::prefetchBlock(Expression slot, Expression head,
                                  Expression first, Expression last) {
  constexpr int64_t unitsOfLine = 64 / 4;
  bool samePage = k.dim("PAGE_SIZE") % getBlock() == 0;
  Expression page;
  for (int64_t i = 0; i != getBlock(); ++i) {
    Expression position = min(first + double(i), last);
    if (!page || !samePage)
      page = cache.getPage(slot, position);
    Expression row = cache.getRow(page, position, head, units.getElements());
    for (int64_t unit = 0; unit < perHead; unit += unitsOfLine) {
      keys.prefetch(row + double(unit));
      values.prefetch(row + double(unit));
    }
  }
}

/// Sums of `positions` values across the lanes of a team: lane l gets those of
/// value l, l + lanes, ...; with fewer values than lanes, of value l modulo
/// their number. Each step halves what a lane holds: it gives away the half
/// that the other lane keeps.
Expressions AttentionRows::sumAcrossTeam(Expressions sums) {
  for (unsigned distance = 1; distance < lanes; distance *= 2) {
    if (sums.size() == 1) {
      sums[0] = sums[0] + k.shuffleXor(sums[0], distance);
      continue;
    }
    Expression isOdd = lane / double(distance) % 2 == 1;
    Expressions halves;
    for (size_t i = 0; i != sums.size(); i += 2) {
      Expression kept = quern::select(isOdd, sums[i + 1], sums[i]);
      Expression given = quern::select(isOdd, sums[i], sums[i + 1]);
      halves.push_back(kept + k.shuffleXor(given, distance));
    }
    sums = std::move(halves);
  }
  return sums;
}

/// Takes new scores into a row's maximum and returns the weights of the new
/// positions, relative to it.
Expressions AttentionRows::updateSoftmax(State &state,
                                         llvm::ArrayRef<Expression> scores,
                                         llvm::ArrayRef<Expression> isInside) {
  Expression highest;
  for (size_t i = 0; i != scores.size(); ++i) {
    Expression score =
        quern::select(isInside[i], scores[i], k.f32(kLowestScore));
    highest = highest ? max(highest, score) : score;
  }
  state.maximum =
      max(state.maximum, k.reduceMax(highest, std::min(positions, lanes)));
  Expressions weights;
  for (size_t i = 0; i != scores.size(); ++i)
    weights.push_back(
        quern::select(isInside[i], exp(scores[i] - state.maximum), k.f32(0)));
  return weights;
}

/// Raises the maximum of a state to `maximum`.
void AttentionRows::rescale(State &state, Expression maximum) {
  Expression factor = exp(state.maximum - maximum);
  state.maximum = maximum;
  state.total = state.total * factor;
  for (Expression &value : state.values)
    value = value * factor;
}

/// Sums the totals of a team's lanes, then merges the teams.
void AttentionRows::mergeLanes(State &state) {
  state.total = k.reduceAdd(state.total, std::min(positions, lanes));
  for (unsigned distance = lanes; distance < k.getSubgroupSize();
       distance *= 2) {
    rescale(state, max(state.maximum, k.shuffleXor(state.maximum, distance)));
    state.total = state.total + k.shuffleXor(state.total, distance);
    for (Expression &value : state.values)
      value = value + units.shuffleXor(value, distance);
  }
}

void AttentionRows::forEachUnit(
    const State &state,
    llvm::function_ref<void(Expression, Expressions)> store) {
  k.guard(
      teams > 1, [&] { return team == 0; },
      [&] {
        size_t parts = units.getParts();
        for (int64_t i = 0; i != perLane; ++i)
          store(lane + double(i * lanes),
                Expressions(llvm::ArrayRef<Expression>(state.values)
                                .slice(i * parts, parts)));
      });
}

void AttentionRows::inOneLane(llvm::function_ref<void()> body) {
  k.when(k.getLane() == 0, body);
}

//===----------------------------------------------------------------------===//
// States as values carried by loops
//===----------------------------------------------------------------------===//

AttentionRows::States AttentionRows::makeInitial(size_t rows) {
  return States(rows,
                State{k.f32(kLowestScore), k.f32(0),
                      Expressions(units.getParts() * perLane, units.zero())});
}

Expressions AttentionRows::flatten(llvm::ArrayRef<State> states) {
  Expressions flat;
  for (const State &state : states) {
    flat.append({state.maximum, state.total});
    flat.append(state.values.begin(), state.values.end());
  }
  return flat;
}

AttentionRows::States
AttentionRows::unflatten(llvm::ArrayRef<Expression> flat) {
  States states;
  for (size_t size = 2 + units.getParts() * perLane; !flat.empty();
       flat = flat.drop_front(size)) {
    llvm::ArrayRef<Expression> parts = flat.slice(2, size - 2);
    states.push_back(
        {flat[0], flat[1], Expressions(parts.begin(), parts.end())});
  }
  return states;
}
