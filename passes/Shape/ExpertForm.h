//===- ExpertForm.h - which form of experts is cheapest ---------*- C++ -*-===//
#ifndef QUERN_PASSES_SHAPE_EXPERTFORM_H
#define QUERN_PASSES_SHAPE_EXPERTFORM_H

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace quern {

/// How often a chosen expert is chosen when each of `tokens` tokens chooses
/// `slots` of `experts`, all of them as likely: T k / (E (1 - (1 - k/E)^T)).
inline double estimateExpertReuse(double tokens, double slots, double experts) {
  double chosen = experts * (1 - std::pow(1 - slots / experts, tokens));
  return tokens * slots / chosen;
}

/// Choices per chosen expert from which on experts are sorted into tiles, and
/// from which on tiles have 4 and 8 rows rather than 2; the most rows.
struct ExpertTileLimits {
  double minReuse = 1.1, tile4Reuse = 2, tile8Reuse = 16;
  int64_t maxTile = 8;
};

/// Rows of the largest tiles of the sorted form; 0: gathered. Larger tiles read
/// weights less often, but compute more rows for nothing where an expert's rest
/// does not fill one. More than 8 rows would need more registers than lanes
/// have, and a target may have fewer; matrix units multiply 16 at a time, which
/// is worth it where about half of them are there.
inline int64_t chooseExpertTile(double reuse, const ExpertTileLimits &limits) {
  if (reuse < limits.minReuse)
    return 0;
  int64_t maxTile = limits.maxTile;
  constexpr int64_t fragment = 16;
  if (maxTile >= fragment && reuse >= fragment / 2.0)
    return std::min<int64_t>(maxTile, reuse >= fragment ? 32 : fragment);
  return std::min<int64_t>(maxTile, reuse >= limits.tile8Reuse   ? 8
                                    : reuse >= limits.tile4Reuse ? 4
                                                                 : 2);
}

} // namespace quern

#endif // QUERN_PASSES_SHAPE_EXPERTFORM_H
