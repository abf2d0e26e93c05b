//===- TokenizerBlob.cpp - the flat form of a tokenizer -------------------===//

#include "runtime/tokenizer/TokenizerBlob.h"

#include "runtime/tokenizer/PreTokenizer.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace quern {

static_assert(std::endian::native == std::endian::little,
              "the blob is used in place and little-endian");

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

namespace {
/// Where the sections of a blob begin. All counts are below 2^32, so that
/// nothing here can overflow 64 bits.
struct BlobLayout {
  uint64_t byteTokens, offsets, merges, added, pool, end;

  explicit BlobLayout(const BlobHeader &header) {
    byteTokens = sizeof(BlobHeader);
    offsets = byteTokens + 256 * sizeof(uint32_t);
    merges = offsets + (uint64_t(header.idCount) + 1) * sizeof(uint32_t);
    added = merges + uint64_t(header.mergeCapacity) * sizeof(BlobMergeSlot);
    pool = added + uint64_t(header.addedCount) * sizeof(BlobAddedToken);
    end = (pool + header.poolBytes + 7) & ~uint64_t(7);
  }
};
} // namespace

static TokenizerBlobView viewOf(std::span<const std::byte> blob,
                                const BlobLayout &layout) {
  const std::byte *base = blob.data();
  TokenizerBlobView view;
  view.bytes = blob;
  view.header = reinterpret_cast<const BlobHeader *>(base);
  view.byteTokens =
      reinterpret_cast<const uint32_t *>(base + layout.byteTokens);
  view.offsets = reinterpret_cast<const uint32_t *>(base + layout.offsets);
  view.merges = reinterpret_cast<const BlobMergeSlot *>(base + layout.merges);
  view.added = reinterpret_cast<const BlobAddedToken *>(base + layout.added);
  view.pool = reinterpret_cast<const char *>(base + layout.pool);
  return view;
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

static Status wrong(uint64_t offset, std::string_view what, uint64_t found,
                    std::string_view expected) {
  return corrupt("tokenizer: byte " + std::to_string(offset) + ": " +
                 std::string(what) + " is " + std::to_string(found) +
                 ", expected " + std::string(expected));
}

static Status checkHeader(const BlobHeader &header, uint64_t size) {
  if (header.magic != BlobHeader::expectedMagic)
    return wrong(0, "magic", header.magic,
                 std::to_string(BlobHeader::expectedMagic));
  if (header.version != BlobHeader::currentVersion)
    return unsupported("tokenizer: format version " +
                       std::to_string(header.version) +
                       ", this build reads version " +
                       std::to_string(BlobHeader::currentVersion));
  if (header.totalBytes != size)
    return wrong(offsetof(BlobHeader, totalBytes), "total size",
                 header.totalBytes, std::to_string(size));
  if (header.splitPattern >= numSplitPatterns)
    return unsupported("tokenizer: split pattern " +
                       std::to_string(header.splitPattern) +
                       " is unknown to this build");

  struct Limit {
    uint64_t offset, found, minimum, maximum;
    const char *what;
  };
  const Limit limits[] = {
      {offsetof(BlobHeader, idCount), header.idCount, 256, maxTokenIds,
       "id count"},
      {offsetof(BlobHeader, mergeCount), header.mergeCount, 0, maxTokenMerges,
       "merge count"},
      {offsetof(BlobHeader, mergeCapacity), header.mergeCapacity,
       uint64_t(header.mergeCount) + 1, uint64_t(maxTokenMerges) * 8,
       "merge table capacity"},
      {offsetof(BlobHeader, addedCount), header.addedCount, 0, maxAddedTokens,
       "added token count"},
      {offsetof(BlobHeader, poolBytes), header.poolBytes, 256,
       maxTokenPoolBytes, "size of the token pool"},
  };
  for (const Limit &limit : limits)
    if (limit.found < limit.minimum || limit.found > limit.maximum)
      return wrong(limit.offset, limit.what, limit.found,
                   std::to_string(limit.minimum) + " to " +
                       std::to_string(limit.maximum));
  if (!std::has_single_bit(header.mergeCapacity))
    return wrong(offsetof(BlobHeader, mergeCapacity), "merge table capacity",
                 header.mergeCapacity, "a power of two");
  if (uint64_t end = BlobLayout(header).end; end != size)
    return wrong(offsetof(BlobHeader, totalBytes), "total size", size,
                 std::to_string(end) + " from the counts");
  return Status::ok();
}

/// Offsets first: all other checks read tokens.
static Status checkTokens(const TokenizerBlobView &view,
                          const BlobLayout &layout) {
  const BlobHeader &header = *view.header;
  uint32_t previous = 0;
  for (uint64_t i = 0; i <= header.idCount; ++i) {
    uint32_t offset = view.offsets[i];
    if (offset < previous || offset > header.poolBytes ||
        (i == 0 && offset != 0))
      return wrong(layout.offsets + i * 4, "token offset", offset,
                   i == 0 ? std::string("0")
                          : std::to_string(previous) + " to " +
                                std::to_string(header.poolBytes));
    previous = offset;
  }
  if (previous != header.poolBytes)
    return wrong(layout.offsets + uint64_t(header.idCount) * 4,
                 "last token offset", previous,
                 std::to_string(header.poolBytes));
  for (uint32_t byte = 0; byte != 256; ++byte) {
    uint32_t id = view.byteTokens[byte];
    char text = static_cast<char>(byte);
    if (id >= header.idCount || view.token(id) != std::string_view(&text, 1))
      return wrong(layout.byteTokens + uint64_t(byte) * 4, "byte token", id,
                   "the id of the token of byte " + std::to_string(byte));
  }
  return Status::ok();
}

static bool joins(const TokenizerBlobView &view, const BlobMergeSlot &slot) {
  std::string_view left = view.token(slot.left);
  std::string_view right = view.token(slot.right);
  std::string_view merged = view.token(slot.merged);
  return !left.empty() && !right.empty() &&
         merged.size() == left.size() + right.size() &&
         merged.starts_with(left) && merged.ends_with(right);
}

static Status checkMerges(const TokenizerBlobView &view,
                          const BlobLayout &layout) {
  const BlobHeader &header = *view.header;
  uint32_t count = 0;
  std::vector<bool> seen(header.mergeCount);
  for (uint64_t i = 0; i != header.mergeCapacity; ++i) {
    const BlobMergeSlot &slot = view.merges[i];
    uint64_t offset = layout.merges + i * sizeof(BlobMergeSlot);
    if (slot.left == noToken) {
      if ((slot.right & slot.rank & slot.merged) != noToken)
        return wrong(offset, "empty merge slot", slot.rank, "all bits set");
      continue;
    }
    uint32_t largest = std::max({slot.left, slot.right, slot.merged});
    if (largest >= header.idCount)
      return wrong(offset, "id of a merge", largest,
                   "less than " + std::to_string(header.idCount));
    if (slot.rank >= header.mergeCount || seen[slot.rank])
      return wrong(offset + 8, "merge rank", slot.rank,
                   "a rank of its own below " +
                       std::to_string(header.mergeCount));
    seen[slot.rank] = true;
    ++count;
    if (!joins(view, slot))
      return wrong(offset + 12, "merged token", slot.merged,
                   "the token that joins its two parts");
    if (view.findMerge(slot.left, slot.right) != &slot)
      return wrong(offset, "merge slot", i, "a slot where look-up finds it");
  }
  if (count != header.mergeCount)
    return wrong(offsetof(BlobHeader, mergeCount), "merge count",
                 header.mergeCount, std::to_string(count) + " as in the table");
  return Status::ok();
}

static Status checkAdded(const TokenizerBlobView &view,
                         const BlobLayout &layout) {
  for (uint32_t i = 0; i != view.header->addedCount; ++i) {
    uint64_t offset = layout.added + uint64_t(i) * sizeof(BlobAddedToken);
    const BlobAddedToken &token = view.added[i];
    if (token.id >= view.header->idCount)
      return wrong(offset, "id of an added token", token.id,
                   "less than " + std::to_string(view.header->idCount));
    if (token.flags & ~BlobAddedToken::specialFlag)
      return wrong(offset + 4, "flags of an added token", token.flags,
                   "0 or 1");
    size_t length = view.addedText(i).size();
    if (length == 0 || length > maxAddedTokenBytes)
      return wrong(offset, "length of an added token", length,
                   "1 to " + std::to_string(maxAddedTokenBytes));
    if (i != 0 && view.addedText(i - 1) >= view.addedText(i))
      return wrong(offset, "added token", i, "texts in ascending order");
  }
  return Status::ok();
}

Result<TokenizerBlobView> openTokenizerBlob(std::span<const std::byte> blob) {
  if (reinterpret_cast<uintptr_t>(blob.data()) % alignof(uint64_t) != 0)
    return invalidArgument("tokenizer: the blob is not aligned to 8 bytes");
  if (blob.size() < sizeof(BlobHeader))
    return wrong(0, "size", blob.size(),
                 "at least " + std::to_string(sizeof(BlobHeader)));
  const auto &header = *reinterpret_cast<const BlobHeader *>(blob.data());
  QUERN_RETURN_IF_ERROR(checkHeader(header, blob.size()));
  BlobLayout layout(header);
  TokenizerBlobView view = viewOf(blob, layout);
  QUERN_RETURN_IF_ERROR(checkTokens(view, layout));
  QUERN_RETURN_IF_ERROR(checkMerges(view, layout));
  QUERN_RETURN_IF_ERROR(checkAdded(view, layout));
  return view;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

/// Fills a table of `capacity` slots; false if a probe gets too long.
static bool fillMergeTable(const TokenizerParts &parts,
                           std::span<BlobMergeSlot> table) {
  uint64_t mask = table.size() - 1;
  std::fill(table.begin(), table.end(),
            BlobMergeSlot{noToken, noToken, noToken, noToken});
  for (uint32_t rank = 0; rank != parts.merges.size(); ++rank) {
    const TokenizerParts::Merge &merge = parts.merges[rank];
    uint64_t home = hashPair(merge.left, merge.right);
    uint32_t probe = 0;
    while (probe != maxMergeProbes &&
           table[(home + probe) & mask].left != noToken)
      ++probe;
    if (probe == maxMergeProbes)
      return false;
    table[(home + probe) & mask] = {merge.left, merge.right, rank,
                                    merge.merged};
  }
  return true;
}

/// A table at most half full in which every probe is short.
static Result<std::vector<BlobMergeSlot>>
buildMergeTable(const TokenizerParts &parts) {
  size_t capacity = std::bit_ceil(parts.merges.size() * 2 + 1);
  // Ids are dense, so an honest file never needs more than one doubling.
  for (int attempt = 0; attempt != 3; ++attempt, capacity *= 2) {
    std::vector<BlobMergeSlot> table(capacity);
    if (fillMergeTable(parts, table))
      return table;
  }
  return unsupported("tokenizer: the merges collide in the merge table");
}

Result<std::vector<uint64_t>> buildTokenizerBlob(const TokenizerParts &parts) {
  uint64_t poolBytes = 0;
  for (const std::string &token : parts.tokens)
    poolBytes += token.size();
  if (parts.tokens.size() > maxTokenIds ||
      parts.merges.size() > maxTokenMerges ||
      parts.added.size() > maxAddedTokens || poolBytes > maxTokenPoolBytes)
    return invalidArgument("tokenizer: more tokens, merges or text than the "
                           "limits of TokenizerBlob.h");
  QUERN_ASSIGN_OR_RETURN(std::vector<BlobMergeSlot> table,
                         buildMergeTable(parts));

  BlobHeader header{};
  header.magic = BlobHeader::expectedMagic;
  header.version = BlobHeader::currentVersion;
  header.splitPattern = parts.splitPattern;
  header.idCount = static_cast<uint32_t>(parts.tokens.size());
  header.mergeCount = static_cast<uint32_t>(parts.merges.size());
  header.mergeCapacity = static_cast<uint32_t>(table.size());
  header.addedCount = static_cast<uint32_t>(parts.added.size());
  header.poolBytes = static_cast<uint32_t>(poolBytes);
  BlobLayout layout(header);
  header.totalBytes = layout.end;

  std::vector<uint64_t> blob(layout.end / sizeof(uint64_t));
  char *base = reinterpret_cast<char *>(blob.data());
  auto put = [&](uint64_t at, const void *data, size_t bytes) {
    if (bytes != 0)
      std::memcpy(base + at, data, bytes);
  };
  put(0, &header, sizeof(header));
  put(layout.byteTokens, parts.byteTokens.data(), 256 * sizeof(uint32_t));
  put(layout.merges, table.data(), table.size() * sizeof(BlobMergeSlot));
  uint32_t offset = 0;
  for (size_t id = 0; id != parts.tokens.size(); ++id) {
    put(layout.offsets + id * sizeof(offset), &offset, sizeof(offset));
    const std::string &token = parts.tokens[id];
    put(layout.pool + offset, token.data(), token.size());
    offset += static_cast<uint32_t>(token.size());
  }
  put(layout.offsets + parts.tokens.size() * sizeof(offset), &offset,
      sizeof(offset));
  std::vector<BlobAddedToken> added = parts.added;
  std::sort(added.begin(), added.end(), [&](const auto &a, const auto &b) {
    return parts.tokens[a.id] < parts.tokens[b.id];
  });
  put(layout.added, added.data(), added.size() * sizeof(BlobAddedToken));
  return blob;
}

} // namespace quern
