//===- Sequence.h - One sequence of tokens in a slot ------------*- C++ -*-===//
#ifndef QUERN_RUNTIME_ENGINE_SEQUENCE_H
#define QUERN_RUNTIME_ENGINE_SEQUENCE_H

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace quern {

class Engine;

/// The tokens of a slot whose keys and values are in the cache. Made by
/// Engine::createSequence, which reserves all memory it will ever need;
/// destroying it gives its slot and pages back. The engine must outlive it.
/// Not thread-safe.
class Sequence {
public:
  Sequence(const Sequence &) = delete;
  Sequence &operator=(const Sequence &) = delete;
  ~Sequence();

  uint32_t getSlot() const { return slot; }
  /// Tokens in the cache: the position of the next token.
  uint32_t getLength() const { return uint32_t(tokens.size()); }
  std::span<const int32_t> getTokens() const { return tokens; }
  uint32_t getNumPages() const { return uint32_t(pages.size()); }
  /// One bit per token of the vocabulary: occurs in getTokens().
  std::span<const uint32_t> getSeenTokens() const { return seen; }

  /// The least length but 0 that truncate reaches: recurrent states can't be
  /// taken back behind the position up to which they are folded.
  uint32_t getShortestLength() const;
  /// The longest length of at most `length` that truncate reaches.
  uint32_t getReachableLength(uint32_t length) const;

  /// Positions whose rows a draft layer has computed, with the tokens that
  /// follow in this sequence; the last one with getDraftFollower().
  uint32_t getDrafted() const { return drafted; }
  int32_t getDraftFollower() const { return draftFollower; }
  /// Says that the last `count` positions have their rows.
  void addDrafted(uint32_t count, int32_t follower);

  /// Forgets the tokens from position `length` on, all of them if that length
  /// can't be reached, and gives the pages back that are no longer used. Does
  /// nothing if the sequence is not longer.
  void truncate(uint32_t length);

  /// How many of the first tokens of `ids` the cache already holds.
  uint32_t getCommonPrefix(std::span<const int32_t> ids) const;

private:
  friend class Engine;
  Sequence(Engine &engine, uint32_t slot) : engine(engine), slot(slot) {}
  void append(std::span<const int32_t> ids);

  /// `folded` while nobody knows what the states hold.
  static constexpr uint32_t kUnknown = UINT32_MAX;

  Engine &engine;
  uint32_t slot;
  std::vector<int32_t> tokens;
  std::vector<uint32_t> pages; ///< Physical pages, by logical page.
  std::vector<uint32_t> seen;
  uint32_t folded = 0;     ///< Tokens that the recurrent states have taken in.
  uint32_t nextFolded = 0; ///< The same after the step being run.
  uint32_t drafted = 0;
  int32_t draftFollower = -1;
  uint32_t written = 0; ///< End of what was ever written into the rings.
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_SEQUENCE_H
