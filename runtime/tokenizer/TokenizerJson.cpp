//===- TokenizerJson.cpp - reading tokenizer.json -------------------------===//

#include "runtime/tokenizer/TokenizerJson.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <unordered_map>

namespace quern {

namespace {

/// The printable stand-ins of bytes in vocabulary and merges: printable
/// Latin-1 bytes stand for themselves, the others for U+0100 and up.
class ByteAlphabet {
public:
  ByteAlphabet() {
    uint32_t nextStandIn = 0x100;
    bytes.fill(-1);
    for (int byte = 0; byte != 256; ++byte) {
      bool isPrintable =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      bytes[isPrintable ? static_cast<uint32_t>(byte) : nextStandIn++] = byte;
    }
  }

  /// The bytes that `text` stands for; nullopt if a character is no stand-in.
  std::optional<std::string> decode(std::string_view text) const {
    std::string result;
    while (!text.empty()) {
      Utf8Character c = scanUtf8(text);
      if (c.codepoint >= bytes.size() || bytes[c.codepoint] < 0)
        return std::nullopt;
      result += static_cast<char>(bytes[c.codepoint]);
      text.remove_prefix(c.length);
    }
    return result;
  }

private:
  /// 68 bytes have stand-ins from U+0100 on.
  std::array<int, 0x100 + 68> bytes;
};

class Reader {
public:
  Status read(JsonValue root);
  TokenizerParts take() { return std::move(parts); }

private:
  Status readVocabulary(JsonValue vocab);
  Status readByteTokens(JsonValue vocab);
  Status readMerges(JsonValue merges);
  Status readMerge(JsonValue merge);
  Result<uint32_t> findPart(JsonValue merge, std::string_view text);
  Status readAddedTokens(JsonValue tokens);
  Status readAddedToken(JsonValue token);
  Status placeToken(JsonValue where, uint32_t id, std::string bytes);
  Status checkGaps(JsonValue root) const;

  ByteAlphabet alphabet;
  TokenizerParts parts;
  /// Ids by text as it stands in the file; the views point into the document.
  std::unordered_map<std::string_view, uint32_t> ids;
  std::unordered_map<uint64_t, uint32_t> mergeRanks;
};

} // namespace

Status Reader::placeToken(JsonValue where, uint32_t id, std::string bytes) {
  if (id >= parts.tokens.size())
    parts.tokens.resize(id + 1);
  if (!parts.tokens[id].empty())
    return corrupt(where.path() + ": id " + std::to_string(id) +
                   " already belongs to " + quoteName(parts.tokens[id], 80));
  parts.tokens[id] = std::move(bytes);
  return Status::ok();
}

Status Reader::readVocabulary(JsonValue vocab) {
  QUERN_RETURN_IF_ERROR(vocab.expectKind(JsonKind::Object));
  // All ids are checked before any is used as a size.
  for (JsonValue entry : vocab.members())
    QUERN_RETURN_IF_ERROR(
        entry.asInt64In(0, int64_t(maxTokenIds) - 1).getStatus());
  ids.reserve(vocab.size());
  for (JsonValue entry : vocab.members()) {
    auto id = static_cast<uint32_t>(*entry.asInt64());
    if (entry.key().empty())
      return corrupt(entry.path() + ": a token without text");
    std::optional<std::string> bytes = alphabet.decode(entry.key());
    if (!bytes)
      return unsupported(entry.path() + ": unsupported: the token has a "
                                        "character outside of the byte-level "
                                        "alphabet");
    QUERN_RETURN_IF_ERROR(placeToken(entry, id, std::move(*bytes)));
    ids.emplace(entry.key(), id);
  }
  return readByteTokens(vocab);
}

Status Reader::readByteTokens(JsonValue vocab) {
  parts.byteTokens.fill(noToken);
  for (uint32_t id = 0; id != parts.tokens.size(); ++id)
    if (parts.tokens[id].size() == 1)
      parts.byteTokens[static_cast<unsigned char>(parts.tokens[id][0])] = id;
  for (uint32_t byte = 0; byte != 256; ++byte)
    if (parts.byteTokens[byte] == noToken)
      return corrupt(vocab.path() + ": no token for the single byte " +
                     std::to_string(byte) + ", expected all 256");
  return Status::ok();
}

Result<uint32_t> Reader::findPart(JsonValue merge, std::string_view text) {
  auto found = ids.find(text);
  if (found == ids.end())
    return corrupt(merge.path() + ": " + quoteName(text, 80) +
                   " is not a token of the vocabulary");
  return found->second;
}

/// A merge is "a b" in older files and ["a", "b"] in newer ones.
Status Reader::readMerge(JsonValue merge) {
  std::string_view left, right;
  if (merge.isString()) {
    std::string_view text = *merge.asString();
    size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos)
      return merge.mismatch("two tokens with one space between them");
    left = text.substr(0, space);
    right = text.substr(space + 1);
  } else {
    if (!merge.isArray() || merge.size() != 2)
      return merge.isArray()
                 ? corrupt(merge.path() + ": expected 2 tokens, found " +
                           std::to_string(merge.size()))
                 : merge.mismatch("a string or an array of 2 tokens");
    QUERN_ASSIGN_OR_RETURN(left, merge.at(0).asString());
    QUERN_ASSIGN_OR_RETURN(right, merge.at(1).asString());
  }
  TokenizerParts::Merge result{};
  QUERN_ASSIGN_OR_RETURN(result.left, findPart(merge, left));
  QUERN_ASSIGN_OR_RETURN(result.right, findPart(merge, right));
  std::string joined = std::string(left) + std::string(right);
  QUERN_ASSIGN_OR_RETURN(result.merged, findPart(merge, joined));
  auto rank = static_cast<uint32_t>(parts.merges.size());
  auto [known, isNew] =
      mergeRanks.emplace(uint64_t(result.left) << 32 | result.right, rank);
  if (!isNew)
    return corrupt(merge.path() + ": repeats merge " +
                   std::to_string(known->second));
  parts.merges.push_back(result);
  return Status::ok();
}

Status Reader::readMerges(JsonValue merges) {
  QUERN_RETURN_IF_ERROR(merges.expectKind(JsonKind::Array));
  if (merges.size() > maxTokenMerges)
    return corrupt(merges.path() + ": " + std::to_string(merges.size()) +
                   " merges, expected at most " +
                   std::to_string(maxTokenMerges));
  parts.merges.reserve(merges.size());
  mergeRanks.reserve(merges.size());
  for (JsonValue merge : merges.elements())
    QUERN_RETURN_IF_ERROR(readMerge(merge));
  return Status::ok();
}

Status Reader::readAddedToken(JsonValue token) {
  QUERN_RETURN_IF_ERROR(token.expectKind(JsonKind::Object));
  for (JsonValue member : token.members()) {
    std::string_view key = member.key();
    if (key == "id" || key == "content" || key == "special")
      continue;
    bool isFlag = key == "single_word" || key == "lstrip" || key == "rstrip" ||
                  key == "normalized";
    if (!isFlag)
      return unsupported(member.path() + ": unsupported: unknown member");
    QUERN_ASSIGN_OR_RETURN(bool set, member.asBool());
    if (set)
      return unsupported(member.path() + ": unsupported: expected false, "
                                         "found true");
  }
  QUERN_ASSIGN_OR_RETURN(JsonValue idValue, token.get("id"));
  QUERN_ASSIGN_OR_RETURN(int64_t id,
                         idValue.asInt64In(0, int64_t(maxTokenIds) - 1));
  QUERN_ASSIGN_OR_RETURN(JsonValue contentValue, token.get("content"));
  QUERN_ASSIGN_OR_RETURN(std::string_view content, contentValue.asString());
  QUERN_ASSIGN_OR_RETURN(JsonValue specialValue, token.get("special"));
  QUERN_ASSIGN_OR_RETURN(bool special, specialValue.asBool());
  if (content.empty() || content.size() > maxAddedTokenBytes)
    return corrupt(contentValue.path() + ": expected 1 to " +
                   std::to_string(maxAddedTokenBytes) + " bytes, found " +
                   std::to_string(content.size()));

  auto tokenId = static_cast<uint32_t>(id);
  auto inVocabulary = ids.find(content);
  bool repeatsVocabulary = inVocabulary != ids.end() &&
                           inVocabulary->second == tokenId &&
                           parts.tokens[tokenId] == content;
  if (inVocabulary != ids.end() && !repeatsVocabulary)
    return corrupt(contentValue.path() + ": " + quoteName(content, 80) +
                   " is already token " + std::to_string(inVocabulary->second));
  if (!repeatsVocabulary) {
    QUERN_RETURN_IF_ERROR(placeToken(token, tokenId, std::string(content)));
    ids.emplace(content, tokenId);
  }
  parts.added.push_back({tokenId, special ? BlobAddedToken::specialFlag : 0});
  return Status::ok();
}

Status Reader::readAddedTokens(JsonValue tokens) {
  QUERN_RETURN_IF_ERROR(tokens.expectKind(JsonKind::Array));
  if (tokens.size() > maxAddedTokens)
    return corrupt(tokens.path() + ": " + std::to_string(tokens.size()) +
                   " added tokens, expected at most " +
                   std::to_string(maxAddedTokens));
  for (JsonValue token : tokens.elements())
    QUERN_RETURN_IF_ERROR(readAddedToken(token));
  // One that repeats the vocabulary could still come twice.
  std::vector<uint32_t> sorted;
  sorted.reserve(parts.added.size());
  for (const BlobAddedToken &token : parts.added)
    sorted.push_back(token.id);
  std::sort(sorted.begin(), sorted.end());
  auto twin = std::adjacent_find(sorted.begin(), sorted.end());
  if (twin != sorted.end())
    return corrupt(tokens.path() + ": id " + std::to_string(*twin) +
                   " is added twice");
  return Status::ok();
}

Status Reader::checkGaps(JsonValue root) const {
  uint32_t gap = 0;
  for (uint32_t id = 0; id != parts.tokens.size(); ++id) {
    gap = parts.tokens[id].empty() ? gap + 1 : 0;
    if (gap > maxTokenIdGap)
      return corrupt(root.path() + ": no token has one of the ids " +
                     std::to_string(id - maxTokenIdGap) + " to " +
                     std::to_string(id) + ", expected no such gap");
  }
  return Status::ok();
}

Status Reader::read(JsonValue root) {
  QUERN_ASSIGN_OR_RETURN(parts.splitPattern, checkTokenizerPipeline(root));
  QUERN_ASSIGN_OR_RETURN(JsonValue model, root.get("model"));
  QUERN_ASSIGN_OR_RETURN(JsonValue vocab, model.get("vocab"));
  QUERN_RETURN_IF_ERROR(readVocabulary(vocab));
  QUERN_ASSIGN_OR_RETURN(JsonValue merges, model.get("merges"));
  QUERN_RETURN_IF_ERROR(readMerges(merges));
  if (std::optional<JsonValue> tokens = root.find("added_tokens"))
    QUERN_RETURN_IF_ERROR(readAddedTokens(*tokens));
  return checkGaps(root);
}

Result<TokenizerParts> readTokenizerJson(std::string_view json) {
  JsonLimits limits;
  limits.maxBytes = maxTokenizerJsonBytes;
  limits.maxMembers = std::max(maxTokenIds, maxTokenMerges);
  Result<JsonDocument> document = parseJson(json, limits);
  if (!document.isOk())
    return std::move(document).takeStatus().withContext("tokenizer.json");
  Reader reader;
  if (Status status = reader.read(document->root()); !status.isOk())
    return std::move(status).withContext("tokenizer.json");
  return reader.take();
}

} // namespace quern
