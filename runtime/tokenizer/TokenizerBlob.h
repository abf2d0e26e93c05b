//===- TokenizerBlob.h - the flat form of a tokenizer -----------*- C++ -*-===//
//
// The tokenizer section of a bundle. All integers are little-endian; sections
// follow each other without gaps in this order:
//
//   BlobHeader
//   uint32_t       byteTokens[256]         id of the token of each single byte
//   uint32_t       offsets[idCount + 1]    token i is pool[offsets[i],
//                                          offsets[i + 1]); empty = a gap
//   BlobMergeSlot  merges[mergeCapacity]   open-addressing hash table
//   BlobAddedToken added[addedCount]       sorted by the token's text
//   char           pool[poolBytes]         the bytes of all tokens, by id
//   zeros to a multiple of 8
//
// The merge table is probed linearly from hashPair(left, right) modulo its
// capacity (a power of two), at most maxMergeProbes slots. A token's bytes are
// the real ones, not the printable stand-ins of tokenizer.json.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_TOKENIZERBLOB_H
#define QUERN_RUNTIME_TOKENIZER_TOKENIZERBLOB_H

#include "runtime/base/Status.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// The largest tokenizer that we accept.
inline constexpr uint32_t maxTokenIds = 4u << 20;
inline constexpr uint32_t maxTokenMerges = 4u << 20;
inline constexpr uint32_t maxAddedTokens = 1u << 16;
inline constexpr uint32_t maxAddedTokenBytes = 256;
inline constexpr uint32_t maxTokenPoolBytes = 256u << 20;
inline constexpr uint32_t maxMergeProbes = 128;
inline constexpr uint32_t noToken = UINT32_MAX;

struct BlobHeader {
  static constexpr uint32_t expectedMagic = 0x4b4f5451; // "QTOK"
  static constexpr uint32_t currentVersion = 1;

  uint32_t magic;
  uint32_t version;
  uint64_t totalBytes;   ///< of the blob, padding included
  uint32_t splitPattern; ///< SplitPattern of PreTokenizer.h
  uint32_t idCount;      ///< one more than the largest id
  uint32_t mergeCount;
  uint32_t mergeCapacity; ///< power of two, more than mergeCount
  uint32_t addedCount;
  uint32_t poolBytes;
};
static_assert(sizeof(BlobHeader) == 40);

/// Replace the tokens `left` `right` by `merged`; lower ranks go first. An
/// empty slot is noToken in all fields.
struct BlobMergeSlot {
  uint32_t left;
  uint32_t right;
  uint32_t rank;
  uint32_t merged;
};

struct BlobAddedToken {
  static constexpr uint32_t specialFlag = 1;
  uint32_t id;
  uint32_t flags;
};

/// The home slot of a pair, before taking it modulo the capacity.
constexpr uint64_t hashPair(uint32_t left, uint32_t right) {
  uint64_t x = (uint64_t(left) << 32 | right) * 0x9e3779b97f4a7c15ull;
  return x ^ x >> 29;
}

/// Typed access to a blob that was verified. Copies are cheap and borrow.
struct TokenizerBlobView {
  std::span<const std::byte> bytes;
  const BlobHeader *header = nullptr;
  const uint32_t *byteTokens = nullptr;
  const uint32_t *offsets = nullptr;
  const BlobMergeSlot *merges = nullptr;
  const BlobAddedToken *added = nullptr;
  const char *pool = nullptr;

  /// `id` must be less than idCount.
  std::string_view token(uint32_t id) const {
    return {pool + offsets[id], offsets[id + 1] - offsets[id]};
  }
  std::string_view addedText(uint32_t index) const {
    return token(added[index].id);
  }
  /// The merge of a pair, or null.
  const BlobMergeSlot *findMerge(uint32_t left, uint32_t right) const {
    uint64_t mask = header->mergeCapacity - 1;
    uint64_t home = hashPair(left, right);
    for (uint32_t probe = 0; probe != maxMergeProbes; ++probe) {
      const BlobMergeSlot &slot = merges[(home + probe) & mask];
      if (slot.left == left && slot.right == right)
        return &slot;
      if (slot.left == noToken)
        return nullptr;
    }
    return nullptr;
  }
};

/// Checks every number of an untrusted blob: sizes, order, ids, that each
/// merge can be found and joins the bytes of its parts. Corrupt with the byte
/// offset, or Unsupported for a newer version.
Result<TokenizerBlobView> openTokenizerBlob(std::span<const std::byte> blob);

/// What a blob is made of, in the order of ids.
struct TokenizerParts {
  uint32_t splitPattern = 0;
  std::array<uint32_t, 256> byteTokens{};
  std::vector<std::string> tokens; ///< bytes by id; empty = a gap
  struct Merge {
    uint32_t left, right, merged;
  };
  std::vector<Merge> merges; ///< by rank, without duplicate pairs
  std::vector<BlobAddedToken> added;
};

/// Lays the parts out; the result opens with openTokenizerBlob.
Result<std::vector<uint64_t>> buildTokenizerBlob(const TokenizerParts &parts);

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_TOKENIZERBLOB_H
