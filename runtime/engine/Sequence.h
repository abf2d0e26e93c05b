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

  /// Forgets the tokens from position `length` on and gives the pages back
  /// that are no longer used. Does nothing if the sequence is not longer.
  void truncate(uint32_t length);

  /// How many of the first tokens of `ids` the cache already holds.
  uint32_t getCommonPrefix(std::span<const int32_t> ids) const;

private:
  friend class Engine;
  Sequence(Engine &engine, uint32_t slot) : engine(engine), slot(slot) {}
  void append(std::span<const int32_t> ids);

  Engine &engine;
  uint32_t slot;
  std::vector<int32_t> tokens;
  std::vector<uint32_t> pages; ///< Physical pages, by logical page.
  std::vector<uint32_t> seen;
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_SEQUENCE_H
