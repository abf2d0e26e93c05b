//===- Sequence.cpp - One sequence of tokens in a slot --------------------===//

#include "runtime/engine/Sequence.h"

#include "runtime/engine/Engine.h"

#include <algorithm>

using namespace quern;

Sequence::~Sequence() {
  truncate(0);
  engine.releaseSlot(slot);
}

static uint32_t bitOf(int32_t token) { return 1u << (uint32_t(token) % 32); }

void Sequence::append(std::span<const int32_t> ids) {
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  for (int32_t token : ids)
    seen[uint32_t(token) / 32] |= bitOf(token);
}

uint32_t Sequence::getShortestLength() const {
  const ModelGeometry &geometry = engine.getGeometry();
  if (!geometry.isRecurrent())
    return 0;
  uint32_t back = geometry.convolutionRing ? geometry.convolutionRing / 2
                                           : geometry.deltaRing;
  return std::max(folded, written - std::min(written, back));
}

uint32_t Sequence::getReachableLength(uint32_t length) const {
  if (length >= getLength())
    return folded == kUnknown ? 0 : getLength();
  return length >= getShortestLength() ? length : 0;
}

void Sequence::addDrafted(uint32_t count, int32_t follower) {
  if (getLength() - count > drafted)
    return; // There is a gap in front of them.
  drafted = getLength();
  draftFollower = follower;
}

void Sequence::truncate(uint32_t length) {
  length = getReachableLength(length);
  if (length == 0) // A slot of length 0 begins with zero states.
    folded = nextFolded = written = 0;
  if (length < tokens.size()) {
    if (drafted > length) {
      drafted = length;
      draftFollower = tokens[length];
    }
    tokens.resize(length);
    std::fill(seen.begin(), seen.end(), 0);
    for (int32_t token : tokens)
      seen[uint32_t(token) / 32] |= bitOf(token);
  }
  // Also drops pages that a failed step took beyond the length.
  uint32_t pageSize = engine.getGeometry().pageSize;
  uint32_t needed = uint32_t((uint64_t(length) + pageSize - 1) / pageSize);
  while (pages.size() > needed) {
    engine.releasePage(pages.back());
    pages.pop_back();
  }
}

uint32_t Sequence::getCommonPrefix(std::span<const int32_t> ids) const {
  size_t limit = std::min(ids.size(), tokens.size());
  return uint32_t(
      std::mismatch(ids.begin(), ids.begin() + limit, tokens.begin()).first -
      ids.begin());
}
