//===- Attention.cpp - rotation, paged cache, attention -------------------===//
#include "runtime/base/Int8Rows.h"
#include "runtime/base/Numeric.h"
#include "runtime/reference/Reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace quern;
using namespace quern::reference;

void reference::ropeTable(Integers positions, Floats inverseFrequencies,
                          double attentionFactor, Output out) {
  size_t half = inverseFrequencies.size();
  float factor = static_cast<float>(attentionFactor);
  for (size_t t = 0; t < positions.size(); ++t)
    for (size_t j = 0; j < half; ++j) {
      // The f32 rounding of the angle is part of the definition.
      float angle = static_cast<float>(positions[t]) * inverseFrequencies[j];
      float *row = out.data() + t * 2 * half;
      row[j] =
          static_cast<float>(std::cos(static_cast<double>(angle))) * factor;
      row[half + j] =
          static_cast<float>(std::sin(static_cast<double>(angle))) * factor;
    }
}

void reference::rope(Floats x, int64_t heads, int64_t headDim, Floats table,
                     int64_t rotaryDim, DataType type, Output out) {
  int64_t tokens = x.size() / (heads * headDim), half = rotaryDim / 2;
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t h = 0; h < heads; ++h) {
      const float *from = x.data() + (t * heads + h) * headDim;
      float *to = out.data() + (t * heads + h) * headDim;
      for (int64_t j = 0; j < half; ++j) {
        double cosine = table[t * rotaryDim + j];
        double sine = table[t * rotaryDim + half + j];
        double a = from[j], b = from[half + j];
        to[j] = roundTo(type, static_cast<float>(a * cosine - b * sine));
        to[half + j] = roundTo(type, static_cast<float>(b * cosine + a * sine));
      }
      for (int64_t j = rotaryDim; j < headDim; ++j)
        to[j] = roundTo(type, from[j]);
    }
}

Result<int64_t> reference::cacheRow(const Placement &placement,
                                    const CacheShape &shape, int64_t slot,
                                    int64_t position, int64_t head) {
  int64_t slots = placement.pageTable.size() / placement.pagesPerSlot;
  if (slot < 0 || slot >= slots)
    return invalidArgument("slot is " + std::to_string(slot) + " of " +
                           std::to_string(slots));
  if (position < 0 || position / shape.pageSize >= placement.pagesPerSlot)
    return invalidArgument(
        "position is " + std::to_string(position) + " of " +
        std::to_string(placement.pagesPerSlot * shape.pageSize));
  int64_t page =
      placement
          .pageTable[slot * placement.pagesPerSlot + position / shape.pageSize];
  if (page < 0 || page >= shape.pages)
    return invalidArgument("page is " + std::to_string(page) + " of " +
                           std::to_string(shape.pages));
  return (page * shape.heads + head) * shape.pageSize +
         position % shape.pageSize;
}

Status reference::cacheAppend(Floats k, Floats v, const Placement &placement,
                              const CacheShape &shape, Output keyCache,
                              Output valueCache) {
  int64_t headDim = shape.headDim;
  for (size_t t = 0; t < placement.slots.size(); ++t)
    for (int64_t head = 0; head < shape.heads; ++head) {
      Result<int64_t> row = cacheRow(placement, shape, placement.slots[t],
                                     placement.positions[t], head);
      if (!row.isOk())
        return std::move(row).takeStatus().withContext("token " +
                                                       std::to_string(t));
      size_t from = (t * shape.heads + head) * headDim;
      for (auto [source, cache] : {std::pair(k, keyCache), {v, valueCache}}) {
        Output stored = cache.subspan(*row * headDim, headDim);
        std::ranges::copy(source.subspan(from, headDim), stored.begin());
        if (shape.int8Rows)
          roundToInt8Row(stored);
      }
    }
  return Status::ok();
}

/// One head of one token: `q` and `out` [headDim]; `rows` of the keys and
/// values it attends to, for head 0; `head` of the cache.
static void attendHead(Floats q, std::span<const int64_t> rows, int64_t head,
                       const CacheShape &shape, Floats keyCache,
                       Floats valueCache, double scale, DataType type,
                       Output out) {
  std::vector<double> weights(rows.size());
  int64_t headRows = head * shape.pageSize;
  double highest = -std::numeric_limits<double>::infinity();
  for (size_t p = 0; p < rows.size(); ++p) {
    const float *key = keyCache.data() + (rows[p] + headRows) * shape.headDim;
    double score = 0;
    for (int64_t d = 0; d < shape.headDim; ++d)
      score += static_cast<double>(q[d]) * key[d];
    weights[p] = score * scale;
    highest = std::max(highest, weights[p]);
  }
  double total = 0;
  for (double &weight : weights)
    total += weight = std::exp(weight - highest);
  std::vector<double> sums(shape.headDim);
  for (size_t p = 0; p < rows.size(); ++p) {
    const float *value =
        valueCache.data() + (rows[p] + headRows) * shape.headDim;
    for (int64_t d = 0; d < shape.headDim; ++d)
      sums[d] += weights[p] * value[d];
  }
  for (int64_t d = 0; d < shape.headDim; ++d)
    out[d] = roundTo(type, static_cast<float>(sums[d] / total));
}

Status reference::attention(Floats q, int64_t heads, const Placement &placement,
                            const CacheShape &shape, Floats keyCache,
                            Floats valueCache, double scale, DataType type,
                            Output out) {
  int64_t group = heads / shape.heads;
  std::vector<int64_t> rows;
  for (size_t t = 0; t < placement.slots.size(); ++t) {
    rows.clear();
    for (int64_t p = 0; p <= placement.positions[t]; ++p) {
      Result<int64_t> row =
          cacheRow(placement, shape, placement.slots[t], p, /*head=*/0);
      if (!row.isOk())
        return std::move(row).takeStatus().withContext("token " +
                                                       std::to_string(t));
      rows.push_back(*row);
    }
    if (rows.empty())
      return invalidArgument("token " + std::to_string(t) + ": position is " +
                             std::to_string(placement.positions[t]));
    for (int64_t h = 0; h < heads; ++h) {
      int64_t begin = (t * heads + h) * shape.headDim;
      attendHead(q.subspan(begin, shape.headDim), rows, h / group, shape,
                 keyCache, valueCache, scale, type,
                 out.subspan(begin, shape.headDim));
    }
  }
  return Status::ok();
}

Status reference::qkNormRopeAppend(const QkNormRope &operands,
                                   const Placement &placement,
                                   const CacheShape &shape, DataType type,
                                   Output keyCache, Output valueCache,
                                   Output q) {
  int64_t tokens = placement.slots.size(), entry = shape.entrySize();
  int64_t queries = operands.heads * shape.headDim;
  int64_t features = (operands.gated ? 2 : 1) * queries + 2 * entry;
  std::vector<float> rawQ, rawK, v;
  for (int64_t t = 0; t < tokens; ++t) {
    Floats row = operands.qkv.subspan(t * features, features);
    rawQ.insert(rawQ.end(), row.begin(), row.begin() + queries);
    rawK.insert(rawK.end(), row.end() - 2 * entry, row.end() - entry);
    v.insert(v.end(), row.end() - entry, row.end());
  }
  std::vector<float> normedQ(rawQ.size()), normedK(rawK.size()), k(rawK.size());
  rmsNorm(rawQ, operands.qNorm, DataType::F32, normedQ);
  rmsNorm(rawK, operands.kNorm, DataType::F32, normedK);
  rope(normedQ, operands.heads, shape.headDim, operands.table,
       operands.rotaryDim, type, q);
  rope(normedK, shape.heads, shape.headDim, operands.table, operands.rotaryDim,
       shape.int8Rows ? DataType::F32 : type, k);
  return cacheAppend(k, v, placement, shape, keyCache, valueCache);
}
