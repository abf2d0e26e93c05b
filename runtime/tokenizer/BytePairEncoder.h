//===- BytePairEncoder.h - merging bytes into tokens ------------*- C++ -*-===//
//
// Byte pair encoding of one piece of text: begin with the tokens of the single
// bytes, then again and again replace the pair of neighbours whose merge has
// the lowest rank (of equals the leftmost) by its merged token.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_BYTEPAIRENCODER_H
#define QUERN_RUNTIME_TOKENIZER_BYTEPAIRENCODER_H

#include "runtime/tokenizer/TokenizerBlob.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace quern {

/// Encodes one piece after the other, keeping its buffers. Not thread-safe.
class BytePairEncoder {
public:
  /// Pieces up to this size are searched, longer ones go through a heap.
  static constexpr size_t defaultSearchLimit = 48;

  explicit BytePairEncoder(const TokenizerBlobView &view,
                           size_t searchLimit = defaultSearchLimit)
      : view(view), searchLimit(searchLimit) {}

  /// Appends the ids of `piece`, which is shorter than 2^31 bytes. Time is
  /// O(n log n) and memory about 28 bytes per byte of the longest piece.
  void encode(std::string_view piece, std::vector<int32_t> &ids);

  /// Merge table look-ups and heap operations so far.
  uint64_t getSteps() const { return steps; }

private:
  struct Symbol {
    uint32_t id;
    uint32_t rank; ///< of the merge with the next symbol, or noToken
    uint32_t previous;
    uint32_t next;
  };

  uint32_t rankOf(uint32_t left, uint32_t right, uint32_t &merged);
  uint32_t rankOf(uint32_t left, uint32_t right) {
    uint32_t merged;
    return rankOf(left, right, merged);
  }
  void encodeShort(std::string_view piece, std::vector<int32_t> &ids);
  void encodeLong(std::string_view piece, std::vector<int32_t> &ids);
  void updatePair(uint32_t at);

  TokenizerBlobView view;
  size_t searchLimit;
  std::vector<Symbol> symbols;
  /// Candidate merges, rank in the high half and position in the low half:
  /// a min-heap. Entries whose rank is no longer the symbol's are stale.
  std::vector<uint64_t> heap;
  uint64_t steps = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_BYTEPAIRENCODER_H
