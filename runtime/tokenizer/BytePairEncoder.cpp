//===- BytePairEncoder.cpp - merging bytes into tokens --------------------===//

#include "runtime/tokenizer/BytePairEncoder.h"

#include <algorithm>
#include <functional>

namespace quern {

uint32_t BytePairEncoder::rankOf(uint32_t left, uint32_t right,
                                 uint32_t &merged) {
  ++steps;
  const BlobMergeSlot *slot = view.findMerge(left, right);
  if (!slot)
    return noToken;
  merged = slot->merged;
  return slot->rank;
}

void BytePairEncoder::encode(std::string_view piece,
                             std::vector<int32_t> &ids) {
  if (piece.size() <= searchLimit)
    encodeShort(piece, ids);
  else
    encodeLong(piece, ids);
}

/// Looks for the best pair from scratch each time: for a word's few symbols
/// this beats a heap.
void BytePairEncoder::encodeShort(std::string_view piece,
                                  std::vector<int32_t> &ids) {
  size_t count = piece.size();
  symbols.resize(count);
  for (size_t i = 0; i != count; ++i)
    symbols[i].id = view.byteTokens[static_cast<unsigned char>(piece[i])];
  for (size_t i = 0; i + 1 < count; ++i)
    symbols[i].rank = rankOf(symbols[i].id, symbols[i + 1].id);

  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i)
      if (symbols[i].rank < symbols[best].rank)
        best = i;
    if (symbols[best].rank == noToken)
      break;
    rankOf(symbols[best].id, symbols[best + 1].id, symbols[best].id);
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    --count;
    if (best + 1 < count)
      symbols[best].rank = rankOf(symbols[best].id, symbols[best + 1].id);
    if (best > 0)
      symbols[best - 1].rank = rankOf(symbols[best - 1].id, symbols[best].id);
  }
  for (size_t i = 0; i != count; ++i)
    ids.push_back(static_cast<int32_t>(symbols[i].id));
}

/// Recomputes the merge of a symbol with its successor and queues it.
void BytePairEncoder::updatePair(uint32_t at) {
  Symbol &symbol = symbols[at];
  symbol.rank = symbol.next == noToken
                    ? noToken
                    : rankOf(symbol.id, symbols[symbol.next].id);
  if (symbol.rank == noToken)
    return;
  heap.push_back(uint64_t(symbol.rank) << 32 | at);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

/// A linked list of symbols and a heap of candidate merges.
void BytePairEncoder::encodeLong(std::string_view piece,
                                 std::vector<int32_t> &ids) {
  auto count = static_cast<uint32_t>(piece.size());
  symbols.resize(count);
  heap.clear();
  for (uint32_t i = 0; i != count; ++i) {
    uint32_t id = view.byteTokens[static_cast<unsigned char>(piece[i])];
    symbols[i] = {id, noToken, i == 0 ? noToken : i - 1,
                  i + 1 == count ? noToken : i + 1};
  }
  for (uint32_t i = 0; i + 1 < count; ++i) {
    symbols[i].rank = rankOf(symbols[i].id, symbols[i + 1].id);
    if (symbols[i].rank != noToken)
      heap.push_back(uint64_t(symbols[i].rank) << 32 | i);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    auto at = static_cast<uint32_t>(heap.back());
    auto rank = static_cast<uint32_t>(heap.back() >> 32);
    heap.pop_back();
    ++steps;
    // A rank names one pair of tokens, so an equal rank means an equal pair.
    Symbol &symbol = symbols[at];
    if (symbol.rank != rank)
      continue;
    Symbol &removed = symbols[symbol.next];
    rankOf(symbol.id, removed.id, symbol.id);
    removed.rank = noToken;
    symbol.next = removed.next;
    if (symbol.next != noToken)
      symbols[symbol.next].previous = at;
    updatePair(at);
    if (symbol.previous != noToken)
      updatePair(symbol.previous);
  }
  for (uint32_t i = 0; i != noToken; i = symbols[i].next)
    ids.push_back(static_cast<int32_t>(symbols[i].id));
}

} // namespace quern
