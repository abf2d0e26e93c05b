//===- Tokenizer.cpp - byte-level BPE of the Qwen families ----------------===//

#include "runtime/tokenizer/Tokenizer.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/BytePairEncoder.h"
#include "runtime/tokenizer/Normalizer.h"
#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/TokenizerJson.h"
#include "runtime/tokenizer/Utf8.h"

#include <algorithm>

namespace quern {

//===----------------------------------------------------------------------===//
// Making one
//===----------------------------------------------------------------------===//

Result<Tokenizer> Tokenizer::fromJson(std::string_view json) {
  QUERN_ASSIGN_OR_RETURN(TokenizerParts parts, readTokenizerJson(json));
  QUERN_ASSIGN_OR_RETURN(std::vector<uint64_t> blob, buildTokenizerBlob(parts));
  auto storage = std::make_shared<const std::vector<uint64_t>>(std::move(blob));
  QUERN_ASSIGN_OR_RETURN(Tokenizer tokenizer,
                         deserialize(std::as_bytes(std::span(*storage))));
  tokenizer.storage = std::move(storage);
  return tokenizer;
}

Result<Tokenizer> Tokenizer::deserialize(std::span<const std::byte> blob) {
  Tokenizer tokenizer;
  QUERN_ASSIGN_OR_RETURN(tokenizer.view, openTokenizerBlob(blob));
  tokenizer.indexAddedTokens();
  return tokenizer;
}

std::span<const std::byte> Tokenizer::serialize() const { return view.bytes; }

void Tokenizer::indexAddedTokens() {
  uint32_t index = 0;
  for (uint32_t byte = 0; byte != 256; ++byte) {
    firstAdded[byte] = index;
    while (index != view.header->addedCount &&
           static_cast<unsigned char>(view.addedText(index)[0]) == byte)
      ++index;
  }
  firstAdded[256] = index;
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

/// The longest added token that begins at `position`, or null. The candidates
/// are a range of the sorted tokens that each further byte narrows.
const BlobAddedToken *Tokenizer::matchAddedToken(std::string_view text,
                                                 size_t position,
                                                 const EncodeOptions &options,
                                                 uint64_t &steps) const {
  auto first = static_cast<unsigned char>(text[position]);
  uint32_t low = firstAdded[first], high = firstAdded[first + 1];
  const BlobAddedToken *best = nullptr;
  for (size_t length = 1; low != high; ++length) {
    ++steps;
    // The shortest of equal beginnings sorts first.
    if (view.addedText(low).size() == length) {
      bool isSpecial = view.added[low].flags & BlobAddedToken::specialFlag;
      if (options.parseSpecial || !isSpecial)
        best = &view.added[low];
      ++low;
    }
    if (position + length == text.size())
      break;
    auto byte = static_cast<unsigned char>(text[position + length]);
    auto byteOf = [&](const BlobAddedToken &token) {
      return static_cast<unsigned char>(view.token(token.id)[length]);
    };
    auto begin = view.added + low, end = view.added + high;
    begin = std::lower_bound(begin, end, byte,
                             [&](const BlobAddedToken &token, unsigned b) {
                               return byteOf(token) < b;
                             });
    end = std::upper_bound(begin, end, byte,
                           [&](unsigned b, const BlobAddedToken &token) {
                             return b < byteOf(token);
                           });
    low = static_cast<uint32_t>(begin - view.added);
    high = static_cast<uint32_t>(end - view.added);
  }
  return best;
}

namespace {
/// The stages behind the added tokens, with their buffers.
struct TextEncoder {
  SplitPattern pattern;
  Normalizer normalizer;
  BytePairEncoder merger;
  uint64_t scannerSteps = 0;

  explicit TextEncoder(const TokenizerBlobView &view)
      : pattern(static_cast<SplitPattern>(view.header->splitPattern)),
        merger(view) {}

  Status encode(std::string_view text, std::vector<TokenId> &ids) {
    QUERN_ASSIGN_OR_RETURN(text, normalizer.normalize(text));
    PreTokenizer scanner(pattern, text);
    for (std::string_view piece; scanner.next(piece);)
      merger.encode(piece, ids);
    scannerSteps += scanner.getSteps();
    return Status::ok();
  }
};
} // namespace

Result<std::vector<TokenId>>
Tokenizer::encode(std::string_view text, const EncodeOptions &options) const {
  size_t limit = std::min(options.maxTextBytes, size_t(1) << 30);
  if (text.size() > limit)
    return invalidArgument("tokenizer: text of " + std::to_string(text.size()) +
                           " bytes, expected at most " + std::to_string(limit));
  std::string replaced;
  if (!isValidUtf8(text)) {
    replaced = replaceInvalidUtf8(text);
    text = replaced;
  }

  std::vector<TokenId> ids;
  TextEncoder encoder(view);
  uint64_t matchSteps = 0;
  size_t begin = 0, position = 0;
  while (position != text.size()) {
    const BlobAddedToken *token =
        matchAddedToken(text, position, options, matchSteps);
    if (!token) {
      ++position;
      continue;
    }
    QUERN_RETURN_IF_ERROR(
        encoder.encode(text.substr(begin, position - begin), ids));
    ids.push_back(static_cast<TokenId>(token->id));
    position += view.token(token->id).size();
    begin = position;
  }
  QUERN_RETURN_IF_ERROR(encoder.encode(text.substr(begin), ids));

  if (EncodeStatistics *statistics = options.statistics) {
    statistics->addedTokenSteps += matchSteps;
    statistics->normalizerSteps += encoder.normalizer.getSteps();
    statistics->scannerSteps += encoder.scannerSteps;
    statistics->mergeSteps += encoder.merger.getSteps();
  }
  return ids;
}

Status Tokenizer::encodeInto(std::string_view text, std::span<TokenId> ids,
                             size_t &required,
                             const EncodeOptions &options) const {
  required = 0;
  QUERN_ASSIGN_OR_RETURN(std::vector<TokenId> all, encode(text, options));
  required = all.size();
  if (ids.size() < all.size())
    return invalidArgument("tokenizer: room for " + std::to_string(ids.size()) +
                           " ids, expected at least " +
                           std::to_string(all.size()));
  std::copy(all.begin(), all.end(), ids.begin());
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

std::optional<std::string_view> Tokenizer::getTokenBytes(TokenId id) const {
  if (id < 0 || static_cast<uint32_t>(id) >= view.header->idCount)
    return std::nullopt;
  std::string_view bytes = view.token(static_cast<uint32_t>(id));
  if (bytes.empty())
    return std::nullopt;
  return bytes;
}

Result<std::string> Tokenizer::decode(std::span<const TokenId> ids,
                                      const DecodeOptions &options) const {
  std::string text;
  StreamingDetokenizer stream(*this, options);
  for (TokenId id : ids)
    QUERN_RETURN_IF_ERROR(stream.append(id, text));
  stream.flush(text);
  return text;
}

Status StreamingDetokenizer::append(TokenId id, std::string &text) {
  std::optional<std::string_view> found = tokenizer->getTokenBytes(id);
  if (!found)
    return invalidArgument("tokenizer: no token has the id " +
                           std::to_string(id) + ", expected 0 to " +
                           std::to_string(tokenizer->getIdCount() - 1));
  if (options.skipSpecial && tokenizer->isSpecial(id))
    return Status::ok();

  std::string_view bytes = *found;
  // First what is pending, one byte at a time: at most 3 turns.
  while (pendingSize != 0 && !bytes.empty()) {
    pending[pendingSize] = bytes.front();
    std::string_view candidate(pending.data(), pendingSize + size_t(1));
    Utf8Character c = scanUtf8(candidate);
    if (c.kind == Utf8Kind::Invalid) {
      // The new byte is not part of the character: look at it again.
      text += replacementUtf8;
      pendingSize = 0;
      break;
    }
    bytes.remove_prefix(1);
    ++pendingSize;
    if (c.kind == Utf8Kind::Valid) {
      text += candidate;
      pendingSize = 0;
    }
  }
  while (!bytes.empty()) {
    Utf8Character c = scanUtf8(bytes);
    if (c.kind == Utf8Kind::Incomplete) {
      std::copy(bytes.begin(), bytes.end(), pending.begin());
      pendingSize = static_cast<uint8_t>(bytes.size());
      break;
    }
    text +=
        c.kind == Utf8Kind::Valid ? bytes.substr(0, c.length) : replacementUtf8;
    bytes.remove_prefix(c.length);
  }
  return Status::ok();
}

void StreamingDetokenizer::flush(std::string &text) {
  if (pendingSize != 0)
    text += replacementUtf8;
  pendingSize = 0;
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

std::optional<TokenId> Tokenizer::findAddedToken(std::string_view text) const {
  const BlobAddedToken *end = view.added + view.header->addedCount;
  const BlobAddedToken *found = std::lower_bound(
      view.added, end, text,
      [&](const BlobAddedToken &token, std::string_view wanted) {
        return view.token(token.id) < wanted;
      });
  if (found == end || view.token(found->id) != text)
    return std::nullopt;
  return static_cast<TokenId>(found->id);
}

bool Tokenizer::isSpecial(TokenId id) const {
  std::optional<std::string_view> bytes = getTokenBytes(id);
  if (!bytes)
    return false;
  // Few tokens begin like an added one, so this is cheap for every step.
  auto first = static_cast<unsigned char>(bytes->front());
  for (uint32_t i = firstAdded[first]; i != firstAdded[first + 1]; ++i)
    if (view.added[i].id == static_cast<uint32_t>(id))
      return view.added[i].flags & BlobAddedToken::specialFlag;
  return false;
}

Status Tokenizer::checkVocabSize(int64_t vocabSize) const {
  if (vocabSize >= int64_t(getIdCount()))
    return Status::ok();
  return corrupt(
      "tokenizer: the largest id is " + std::to_string(getIdCount() - 1) +
      ", but the model's vocab_size is " + std::to_string(vocabSize));
}

} // namespace quern
