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

/// Rows of the largest tiles of the sorted form; 0: gathered. Sorted from
/// `minReuse` choices per chosen expert on. Larger tiles read weights less
/// often, but compute more rows for nothing where an expert's rest does not
/// fill one. More than 8 rows would need more registers than lanes have, and a
/// target may have fewer; matrix units multiply 16 at a time, which is worth it
/// where about half of them are there.
inline int64_t chooseExpertTile(double reuse, double minReuse,
                                int64_t maxTile = 8) {
  if (reuse < minReuse)
    return 0;
  constexpr int64_t fragment = 16;
  if (maxTile >= fragment && reuse >= fragment / 2.0)
    return std::min<int64_t>(maxTile, reuse >= fragment ? 32 : fragment);
  return std::min<int64_t>(maxTile, reuse >= 16 ? 8 : reuse >= 2 ? 4 : 2);
}

} // namespace quern

#endif // QUERN_PASSES_SHAPE_EXPERTFORM_H
