//===- Tokenizer.h - byte-level BPE of the Qwen families --------*- C++ -*-===//
//
// One immutable tokenizer, held in one flat blob (TokenizerBlob.h). fromJson
// compiles a Hugging Face tokenizer.json into the blob; deserialize uses a
// blob in place, without copying it and without an allocation per token.
//
// Text in, ids out: invalid UTF-8 becomes U+FFFD (one per maximal subpart, as
// in the Unicode standard), added tokens are cut out wherever they stand
// (leftmost, longest), the text between them is normalised to NFC, split by
// the family's rule (PreTokenizer.h) and merged (BytePairEncoder.h).
//
// Errors: Corrupt for files that contradict themselves, Unsupported for a
// well-formed file that needs something else than Qwen's pipeline,
// InvalidArgument for ids or text out of range.
// Thread-safety: a const Tokenizer may be used by many threads at once.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_TOKENIZER_H
#define QUERN_RUNTIME_TOKENIZER_TOKENIZER_H

#include "runtime/base/Status.h"
#include "runtime/tokenizer/TokenizerBlob.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// A token id as the model sees it. Valid ids are in [0, getIdCount()).
using TokenId = int32_t;

/// Work done by encode, in units that do not depend on the machine: tests
/// hold them against the length of the text.
struct EncodeStatistics {
  uint64_t addedTokenSteps = 0; ///< bytes compared while looking for tokens
  uint64_t normalizerSteps = 0; ///< code points decomposed, sorted, composed
  uint64_t scannerSteps = 0;    ///< code points classified
  uint64_t mergeSteps = 0;      ///< merge table look-ups
};

struct EncodeOptions {
  /// Also recognise tokens whose `special` flag is set (<|im_end|>, ...). Off,
  /// their text is ordinary text, so that a user cannot type a turn border.
  /// Added tokens without the flag (<think>, <tool_call>) are always cut out.
  bool parseSpecial = false;
  /// Longer text is refused; never more than 1 GiB.
  size_t maxTextBytes = size_t(16) << 20;
  /// If set, receives the work done (added to what it holds).
  EncodeStatistics *statistics = nullptr;
};

struct DecodeOptions {
  /// Leave out tokens whose `special` flag is set.
  bool skipSpecial = false;
};

class Tokenizer {
public:
  /// Compiles the bytes of a tokenizer.json (at most 64 MiB).
  static Result<Tokenizer> fromJson(std::string_view json);

  /// Verifies `blob` in full and uses it in place. `blob` must be aligned to
  /// 8 bytes and outlive the tokenizer and its copies.
  static Result<Tokenizer> deserialize(std::span<const std::byte> blob);

  /// The blob: what deserialize takes. Valid as long as the tokenizer.
  std::span<const std::byte> serialize() const;

  /// The ids of `text`.
  Result<std::vector<TokenId>> encode(std::string_view text,
                                      const EncodeOptions &options = {}) const;

  /// The same into a buffer of the caller. `required` is set to the number of
  /// ids of the text; if `ids` is smaller, nothing is written and the result
  /// is InvalidArgument.
  Status encodeInto(std::string_view text, std::span<TokenId> ids,
                    size_t &required, const EncodeOptions &options = {}) const;

  /// The text of `ids`; bytes that are not UTF-8 become U+FFFD. An id without
  /// a token (negative, a gap, or a surplus row of the embedding) is an error.
  Result<std::string> decode(std::span<const TokenId> ids,
                             const DecodeOptions &options = {}) const;

  /// The bytes of one token, not necessarily whole UTF-8 characters; nullopt
  /// for an id without a token.
  std::optional<std::string_view> getTokenBytes(TokenId id) const;

  /// The id of the added token (special or not) with this text, as it stands
  /// in tokenizer_config.json, generation_config.json and templates.
  std::optional<TokenId> findAddedToken(std::string_view text) const;

  /// True for added tokens whose `special` flag is set.
  bool isSpecial(TokenId id) const;

  /// One more than the largest id.
  uint32_t getIdCount() const { return view.header->idCount; }

  /// Fails if the model's vocab_size has no row for some id. A larger
  /// vocab_size is usual: Qwen pads the embedding.
  Status checkVocabSize(int64_t vocabSize) const;

private:
  Tokenizer() = default;
  void indexAddedTokens();
  const BlobAddedToken *matchAddedToken(std::string_view text, size_t position,
                                        const EncodeOptions &options,
                                        uint64_t &steps) const;

  /// Set by fromJson only; deserialize borrows the caller's bytes.
  std::shared_ptr<const std::vector<uint64_t>> storage;
  TokenizerBlobView view;
  /// Added tokens are sorted by text; those that begin with byte b are
  /// [firstAdded[b], firstAdded[b + 1]).
  std::array<uint32_t, 257> firstAdded{};
};

/// Turns a stream of ids into text without ever handing out half a character:
/// the concatenation of everything appended equals decode of all ids. Not
/// thread-safe. The tokenizer must outlive it.
class StreamingDetokenizer {
public:
  explicit StreamingDetokenizer(const Tokenizer &tokenizer,
                                DecodeOptions options = {})
      : tokenizer(&tokenizer), options(options) {}

  /// Appends to `text` what the id completes, perhaps nothing. On an error
  /// (an id without a token) neither `text` nor the state changes.
  Status append(TokenId id, std::string &text);

  /// Ends the stream: a character cut off at the end becomes one U+FFFD. The
  /// detokenizer is then ready for another stream.
  void flush(std::string &text);

private:
  const Tokenizer *tokenizer;
  DecodeOptions options;
  /// The bytes of a character that has begun but not ended: at most 3.
  std::array<char, 4> pending{};
  uint8_t pendingSize = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_TOKENIZER_H
