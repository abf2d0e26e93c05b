//===- TokenizerPipeline.cpp - the components around the BPE model --------===//
//
// tokenizer.json can describe many pipelines; one is ours. Each component is
// compared with a table of its members and the values that we implement.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/TokenizerJson.h"

#include <span>

namespace quern {

namespace {
enum class Accept : uint8_t {
  Anything, ///< checked elsewhere, or of no effect on ids and text
  Null,
  False,
  NullOrFalse,
  NullOrEmpty, ///< null or ""
  Bool,
};

struct Member {
  std::string_view key;
  Accept accept;
};
} // namespace

static std::string_view describeAccept(Accept accept) {
  static constexpr std::string_view texts[] = {
      "anything", "null", "false", "null or false", "null or an empty string",
      "a boolean"};
  return texts[static_cast<size_t>(accept)];
}

static bool isAccepted(JsonValue value, Accept accept) {
  auto isFalse = [&] {
    return value.kind() == JsonKind::Bool && !*value.asBool();
  };
  switch (accept) {
  case Accept::Anything:
    return true;
  case Accept::Null:
    return value.isNull();
  case Accept::False:
    return isFalse();
  case Accept::NullOrFalse:
    return value.isNull() || isFalse();
  case Accept::NullOrEmpty:
    return value.isNull() || (value.isString() && value.asString()->empty());
  case Accept::Bool:
    return value.kind() == JsonKind::Bool;
  }
  return false;
}

static Status notOurs(JsonValue value, std::string_view expected) {
  return unsupported(value.path() + ": unsupported: expected " +
                     std::string(expected) + ", found " + value.describe());
}

/// Every member of `object` must be in the table and have an accepted value;
/// absent members are fine.
static Status checkMembers(JsonValue object, std::span<const Member> members) {
  for (JsonValue value : object.members()) {
    const Member *known = nullptr;
    for (const Member &member : members)
      if (member.key == value.key())
        known = &member;
    if (!known)
      return unsupported(value.path() + ": unsupported: unknown member");
    if (!isAccepted(value, known->accept))
      return notOurs(value, describeAccept(known->accept));
  }
  return Status::ok();
}

/// `object` must have this "type"; other types are Unsupported.
static Status checkType(JsonValue object, std::string_view expected) {
  if (!object.isObject())
    return object.isNull()
               ? notOurs(object, "an object of type " + quoteName(expected))
               : object.mismatch("an object");
  QUERN_ASSIGN_OR_RETURN(JsonValue type, object.get("type"));
  QUERN_ASSIGN_OR_RETURN(std::string_view name, type.asString());
  if (name != expected)
    return notOurs(type, quoteName(expected));
  return Status::ok();
}

static Status checkString(JsonValue object, std::string_view key,
                          std::string_view expected) {
  QUERN_ASSIGN_OR_RETURN(JsonValue member, object.get(key));
  QUERN_ASSIGN_OR_RETURN(std::string_view text, member.asString());
  return text == expected ? Status::ok() : notOurs(member, quoteName(expected));
}

/// A "ByteLevel" component. trim_offsets concerns offsets only, which we do
/// not report; the prefix space and the built-in regex matter to the
/// pre-tokenizer alone.
static Status checkByteLevel(JsonValue object, bool isPreTokenizer) {
  QUERN_RETURN_IF_ERROR(checkType(object, "ByteLevel"));
  Accept inEffect = isPreTokenizer ? Accept::False : Accept::Bool;
  const Member members[] = {{"type", Accept::Anything},
                            {"add_prefix_space", inEffect},
                            {"trim_offsets", Accept::Bool},
                            {"use_regex", inEffect}};
  QUERN_RETURN_IF_ERROR(checkMembers(object, members));
  // Both default to true.
  for (std::string_view key : {"add_prefix_space", "use_regex"})
    if (isPreTokenizer && !object.find(key))
      return unsupported(object.path() + ": unsupported: expected " +
                         quoteName(key) + " to be false, found it absent");
  return Status::ok();
}

static Result<uint32_t> checkSplit(JsonValue split) {
  QUERN_RETURN_IF_ERROR(checkType(split, "Split"));
  const Member members[] = {{"type", Accept::Anything},
                            {"pattern", Accept::Anything},
                            {"behavior", Accept::Anything},
                            {"invert", Accept::False}};
  QUERN_RETURN_IF_ERROR(checkMembers(split, members));
  QUERN_RETURN_IF_ERROR(checkString(split, "behavior", "Isolated"));
  QUERN_ASSIGN_OR_RETURN(JsonValue pattern, split.get("pattern"));
  std::optional<JsonValue> regex = pattern.find("Regex");
  if (!regex || pattern.size() != 1)
    return notOurs(pattern, "an object with the member 'Regex' alone");
  QUERN_ASSIGN_OR_RETURN(std::string_view text, regex->asString());
  if (std::optional<SplitPattern> known = findSplitPattern(text))
    return static_cast<uint32_t>(*known);
  return notOurs(*regex, "the split regex of Qwen2/3 or of Qwen3.5");
}

static Result<uint32_t> checkPreTokenizer(JsonValue object) {
  QUERN_RETURN_IF_ERROR(checkType(object, "Sequence"));
  const Member members[] = {{"type", Accept::Anything},
                            {"pretokenizers", Accept::Anything}};
  QUERN_RETURN_IF_ERROR(checkMembers(object, members));
  QUERN_ASSIGN_OR_RETURN(JsonValue list, object.get("pretokenizers"));
  QUERN_RETURN_IF_ERROR(list.expectKind(JsonKind::Array));
  if (list.size() != 2)
    return unsupported(list.path() +
                       ": unsupported: expected Split and "
                       "ByteLevel, found " +
                       std::to_string(list.size()) + " elements");
  QUERN_RETURN_IF_ERROR(checkByteLevel(list.at(1), /*isPreTokenizer=*/true));
  return checkSplit(list.at(0));
}

static Status checkModel(JsonValue model) {
  QUERN_RETURN_IF_ERROR(checkType(model, "BPE"));
  const Member members[] = {{"type", Accept::Anything},
                            {"dropout", Accept::Null},
                            {"unk_token", Accept::Null},
                            {"continuing_subword_prefix", Accept::NullOrEmpty},
                            {"end_of_word_suffix", Accept::NullOrEmpty},
                            {"fuse_unk", Accept::Bool},
                            {"byte_fallback", Accept::NullOrFalse},
                            {"ignore_merges", Accept::NullOrFalse},
                            {"vocab", Accept::Anything},
                            {"merges", Accept::Anything}};
  return checkMembers(model, members);
}

Result<uint32_t> checkTokenizerPipeline(JsonValue root) {
  QUERN_RETURN_IF_ERROR(root.expectKind(JsonKind::Object));
  const Member members[] = {{"version", Accept::Anything},
                            {"truncation", Accept::Null},
                            {"padding", Accept::Null},
                            {"added_tokens", Accept::Anything},
                            {"normalizer", Accept::Anything},
                            {"pre_tokenizer", Accept::Anything},
                            {"post_processor", Accept::Anything},
                            {"decoder", Accept::Anything},
                            {"model", Accept::Anything}};
  QUERN_RETURN_IF_ERROR(checkMembers(root, members));
  QUERN_RETURN_IF_ERROR(checkString(root, "version", "1.0"));

  QUERN_ASSIGN_OR_RETURN(JsonValue normalizer, root.get("normalizer"));
  QUERN_RETURN_IF_ERROR(checkType(normalizer, "NFC"));
  const Member typeOnly[] = {{"type", Accept::Anything}};
  QUERN_RETURN_IF_ERROR(checkMembers(normalizer, typeOnly));
  if (std::optional<JsonValue> processor = root.find("post_processor"))
    if (!processor->isNull())
      QUERN_RETURN_IF_ERROR(checkByteLevel(*processor, false));
  QUERN_ASSIGN_OR_RETURN(JsonValue decoder, root.get("decoder"));
  QUERN_RETURN_IF_ERROR(checkByteLevel(decoder, false));
  QUERN_ASSIGN_OR_RETURN(JsonValue model, root.get("model"));
  QUERN_RETURN_IF_ERROR(checkModel(model));
  QUERN_ASSIGN_OR_RETURN(JsonValue preTokenizer, root.get("pre_tokenizer"));
  return checkPreTokenizer(preTokenizer);
}

} // namespace quern
