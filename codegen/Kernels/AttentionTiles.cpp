//===- AttentionTiles.cpp - Attention where a lane owns a query row -------===//
#include "codegen/Kernels/AttentionTiles.h"

#include "llvm/ADT/bit.h"

using namespace quern;

/// Sums that the registers of a CPU hold beside their factors.
static constexpr int64_t mostSums = 12;
/// Vectors of rows of a tile: with four positions or elements at a time that
/// many sums take seven reads.
static constexpr int64_t mostVectors = 3;
/// Positions between two looks at the maxima.
static constexpr int64_t mostBlock = 16;

/// Positions or elements that are computed at once.
static int64_t getStep(int64_t vectors) {
  return std::max<int64_t>(llvm::bit_floor(uint64_t(mostSums / vectors)), 1);
}

AttentionTiles::AttentionTiles(KernelBuilder &k, double scale, int64_t group,
                               int64_t mostTokens)
    : k(k), scale(scale), group(group), lanes(k.getSubgroupSize()),
      tokens(std::clamp<int64_t>(mostVectors * lanes / group, 1, mostTokens)),
      vectors((tokens * group + lanes - 1) / lanes),
      block(std::min<int64_t>(k.dim("PAGE_SIZE") & -k.dim("PAGE_SIZE"),
                              mostBlock)),
      units(k), perHead(k.dim("D") / units.getElements()),
      stride(units.isCoded() ? k.dim("D") : perHead), cache(k),
      query(units.getInput("q")), keys(units.getCache("k_cache")),
      values(units.getCache("v_cache")),
      queries(k.getWorkgroupArray(k.dim("D") * vectors * lanes)),
      weights(k.getWorkgroupArray(block * vectors * lanes)),
      sums(k.getWorkgroupArray(k.dim("D") * vectors * lanes)) {
  if (units.isCoded())
    decoded = k.getWorkgroupArray(block * k.dim("D"));
}

/// Where the rows of a vector have their numbers for `element`.
Expression AttentionTiles::at(Expression element, int64_t vector) {
  return (element * double(vectors) + double(vector)) * double(lanes) +
         k.getLane();
}

void AttentionTiles::begin(Expression firstToken, Expression keyHead) {
  first = firstToken;
  head = keyHead;
  for (int64_t v = 0; v != vectors; ++v) {
    Expression row = k.getLane() + double(v * lanes);
    // Behind the last token rows are those of the last once more.
    rows.emplace_back();
    rows.back().token = getToken(row / double(group));
    rows.back().head = row % double(group);
  }
  k.loop(k.index(0), k.index(perHead), 1, [&](Expression unit) {
    for (int64_t v = 0; v != vectors; ++v) {
      Expression row =
          (rows[v].token * double(k.dim("HK")) + head) * double(group) +
          rows[v].head;
      Expressions parts = units.read(query, row * double(perHead) + unit);
      for (auto [i, part] : llvm::enumerate(parts))
        queries.write(at(unit * double(units.getParts()) + double(i), v),
                      part * scale);
    }
  });
}

Expression AttentionTiles::getToken(Expression offset) const {
  return min(first + offset, k.index(k.dim("T") - 1));
}

void AttentionTiles::attend(Expression slot, Expression begin, Expression end) {
  auto getLimit = [&](Expression token) {
    Expression limit = cache.getPosition(token) + 1;
    return select(cache.getSlot(token) == slot, end ? min(limit, end) : limit,
                  k.index(0));
  };
  for (Rows &row : rows)
    row.limit = toI32(getLimit(row.token));
  Expression most =
      k.loop(k.index(0), k.index(tokens), 1, {k.index(0)},
             [&](Expression offset, llvm::ArrayRef<Expression> carried) {
               return Expressions{max(carried[0], getLimit(getToken(offset)))};
             })
          .front();
  k.loop(k.index(0), k.index(k.dim("D")), 1, [&](Expression element) {
    for (int64_t v = 0; v != vectors; ++v)
      sums.write(at(element, v), k.f32(0));
  });
  Expressions state(vectors, k.f32(kLowestScore));
  state.append(vectors, k.f32(0));
  auto setState = [&](llvm::ArrayRef<Expression> values) {
    for (int64_t v = 0; v != vectors; ++v) {
      rows[v].maximum = values[v];
      rows[v].total = values[vectors + v];
    }
  };
  setState(k.loop(begin, most, block, state,
                  [&](Expression position, llvm::ArrayRef<Expression> carried) {
                    setState(carried);
                    takeBlock(slot, position,
                              min(most - position, k.index(block)));
                    Expressions next;
                    for (const Rows &row : rows)
                      next.push_back(row.maximum);
                    for (const Rows &row : rows)
                      next.push_back(row.total);
                    return next;
                  }));
}

/// A block does not cross a page: its rows follow each other.
void AttentionTiles::takeBlock(Expression slot, Expression position,
                               Expression count) {
  Expression page = cache.getPage(slot, position);
  Expression row = cache.getRow(page, position, head, units.getElements());
  Expression firstScale =
      units.isCoded() ? cache.getScale(page, position, head) : Expression();
  computeScores(openBlock(keys, row, firstScale, count), count);
  Expressions factors = computeWeights(position, count);
  addValues(openBlock(values, row, firstScale, count), count, factors);
}

Expression AttentionTiles::openBlock(const InputBuffer &cache, Expression row,
                                     Expression firstScale, Expression count) {
  if (!units.isCoded())
    return row;
  k.loop(k.index(0), count, 1, [&](Expression i) {
    Expression scale = units.readScale(cache, firstScale + i);
    k.forEach(perHead, unsigned(lanes), k.getLane(), [&](Expression unit) {
      Expression at = row + i * double(perHead) + unit;
      Expressions parts = units.unpack(units.readPacked(cache, at));
      for (auto [part, value] : llvm::enumerate(parts))
        decoded->write(i * double(stride) + double(part * perHead) + unit,
                       value * scale);
    });
  });
  return k.index(0);
}

/// The parts of a unit of the row at `base`.
Expressions AttentionTiles::readUnit(const InputBuffer &cache, Expression base,
                                     Expression unit) const {
  if (!units.isCoded())
    return units.unpack(units.readPacked(cache, base + unit));
  Expressions parts;
  for (int64_t part = 0; part != units.getParts(); ++part)
    parts.push_back(decoded->read(base + double(part * perHead) + unit));
  return parts;
}

void AttentionTiles::computeScores(Expression base, Expression count) {
  int64_t step = std::min(getStep(vectors), block);
  int64_t parts = units.getParts(), unroll = 4 / parts;
  k.loop(k.index(0), count, step, [&](Expression position) {
    Expressions bases;
    for (int64_t i = 0; i != step; ++i)
      bases.push_back(base +
                      min(position + double(i), count - 1) * double(stride));
    Expressions zeros(step * vectors, k.f32(0));
    Expressions scores =
        k.loop(k.index(0), k.index(perHead), unroll, zeros,
               [&](Expression unit, llvm::ArrayRef<Expression> carried) {
                 Expressions next(carried.begin(), carried.end());
                 for (int64_t u = 0; u != unroll; ++u)
                   multiplyUnit(bases, unit + double(u), next);
                 return next;
               });
    for (int64_t i = 0; i != step; ++i)
      for (int64_t v = 0; v != vectors; ++v)
        weights.write(at(position + double(i), v), scores[i * vectors + v]);
  });
}

/// scores[i * vectors + v] += the products of a unit of key i.
void AttentionTiles::multiplyUnit(llvm::ArrayRef<Expression> bases,
                                  Expression unit, Expressions &scores) {
  std::vector<Expressions> keyParts;
  for (const Expression &base : bases)
    keyParts.push_back(readUnit(keys, base, unit));
  int64_t parts = units.getParts();
  for (int64_t part = 0; part != parts; ++part)
    for (int64_t v = 0; v != vectors; ++v) {
      Expression factor =
          queries.read(at(unit * double(parts) + double(part), v));
      for (size_t i = 0; i != bases.size(); ++i) {
        Expression &score = scores[i * vectors + v];
        score = fma(factor, keyParts[i][part], score);
      }
    }
}

/// Turns the scores of a block into weights relative to the new maxima and
/// returns what the weights before it are to be scaled by.
Expressions AttentionTiles::computeWeights(Expression position,
                                           Expression count) {
  auto isInside = [&](Expression i, int64_t v) {
    return toI32(position + i) < rows[v].limit;
  };
  Expressions maxima, totals(vectors, k.f32(0)), factors;
  for (const Rows &row : rows)
    maxima.push_back(row.maximum);
  maxima =
      k.loop(k.index(0), count, 1, maxima,
             [&](Expression i, llvm::ArrayRef<Expression> carried) {
               Expressions next;
               for (int64_t v = 0; v != vectors; ++v)
                 next.push_back(max(carried[v], select(isInside(i, v),
                                                       weights.read(at(i, v)),
                                                       k.f32(kLowestScore))));
               return next;
             });
  totals = k.loop(k.index(0), count, 1, totals,
                  [&](Expression i, llvm::ArrayRef<Expression> carried) {
                    Expressions next;
                    for (int64_t v = 0; v != vectors; ++v) {
                      Expression weight = select(
                          isInside(i, v),
                          exp(weights.read(at(i, v)) - maxima[v]), k.f32(0));
                      weights.write(at(i, v), weight);
                      next.push_back(carried[v] + weight);
                    }
                    return next;
                  });
  for (auto [v, row] : llvm::enumerate(rows)) {
    factors.push_back(exp(row.maximum - maxima[v]));
    row.maximum = maxima[v];
    row.total = fma(row.total, factors[v], totals[v]);
  }
  return factors;
}

/// The sum of a block is added as a whole: long sums lose less.
void AttentionTiles::addValues(Expression base, Expression count,
                               llvm::ArrayRef<Expression> factors) {
  int64_t parts = units.getParts();
  int64_t step = std::max<int64_t>(getStep(vectors) / parts, 1);
  k.loop(k.index(0), k.index(perHead), step, [&](Expression unit) {
    Expressions zeros(step * parts * vectors, k.f32(0));
    Expressions added =
        k.loop(k.index(0), count, 1, zeros,
               [&](Expression i, llvm::ArrayRef<Expression> carried) {
                 Expressions elements, next;
                 for (int64_t u = 0; u != step; ++u)
                   elements.append(readUnit(values, base + i * double(stride),
                                            unit + double(u)));
                 for (auto [e, element] : llvm::enumerate(elements))
                   for (int64_t v = 0; v != vectors; ++v)
                     next.push_back(fma(element, weights.read(at(i, v)),
                                        carried[e * vectors + v]));
                 return next;
               });
    for (int64_t e = 0; e != step * parts; ++e)
      for (int64_t v = 0; v != vectors; ++v) {
        Expression place = at(unit * double(parts) + double(e), v);
        sums.write(place,
                   fma(sums.read(place), factors[v], added[e * vectors + v]));
      }
  });
}

void AttentionTiles::forEachUnit(
    llvm::function_ref<void(const Rows &, Expression, Expressions)> store) {
  k.loop(k.index(0), k.index(perHead), 1, [&](Expression unit) {
    for (auto [v, row] : llvm::enumerate(rows)) {
      Expressions parts;
      for (int64_t part = 0; part != units.getParts(); ++part)
        parts.push_back(sums.read(
            at(unit * double(units.getParts()) + double(part), int64_t(v))));
      forRows(row, int64_t(v), [&] { store(row, unit, parts); });
    }
  });
}

void AttentionTiles::forEachRow(llvm::function_ref<void(const Rows &)> store) {
  for (auto [v, row] : llvm::enumerate(rows))
    forRows(row, int64_t(v), [&] { store(row); });
}

/// Runs body in the lanes whose rows attended to something.
void AttentionTiles::forRows(const Rows &row, int64_t vector,
                             llvm::function_ref<void()> body) {
  k.guard(
      tokens * group < (vector + 1) * lanes,
      [&] {
        return k.getLane() + double(vector * lanes) < double(tokens * group);
      },
      [&] {
        k.guard(tokens != 1, [&] { return k.i32(0) < row.limit; }, body);
      });
}
