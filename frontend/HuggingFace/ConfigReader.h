//===- ConfigReader.h - Fields of a JSON object ------------------*- C++
//-*-===//
//
// Typed reads of optional and required members that remember which keys were
// asked for, so that unknown ones can be reported.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_CONFIGREADER_H
#define QUERN_FRONTEND_HUGGINGFACE_CONFIGREADER_H

#include "runtime/base/Json.h"
#include "runtime/base/Status.h"

#include <cstdio>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

class ConfigReader {
public:
  /// `object` must be an object.
  explicit ConfigReader(JsonValue object) : object(object) {}

  const JsonValue &json() const { return object; }
  std::string pathOf(std::string_view key) const {
    return object.path() + "." + std::string(key);
  }

  /// The member, or nothing if absent or null.
  std::optional<JsonValue> find(std::string_view key) {
    known.insert(std::string(key));
    std::optional<JsonValue> value = object.find(key);
    return value && !value->isNull() ? value : std::nullopt;
  }

  /// Required integer of [minimum, maximum].
  Status readInt(std::string_view key, int64_t minimum, int64_t maximum,
                 int64_t &out) {
    known.insert(std::string(key));
    QUERN_ASSIGN_OR_RETURN(JsonValue value, object.get(key));
    QUERN_ASSIGN_OR_RETURN(out, value.asInt64In(minimum, maximum));
    return Status::ok();
  }

  /// Integer that keeps its value if absent or null.
  Status readOptionalInt(std::string_view key, int64_t minimum, int64_t maximum,
                         int64_t &out) {
    return find(key) ? readInt(key, minimum, maximum, out) : Status::ok();
  }

  /// Number of (0, maximum] that keeps its value if absent or null.
  Status readOptionalPositive(std::string_view key, double maximum,
                              double &out) {
    return readOptionalDouble(key, maximum, /*allowZero=*/false, out);
  }

  /// The same for [0, maximum].
  Status readOptionalNonNegative(std::string_view key, double maximum,
                                 double &out) {
    return readOptionalDouble(key, maximum, /*allowZero=*/true, out);
  }

  Status readOptionalBool(std::string_view key, bool &out) {
    if (std::optional<JsonValue> value = find(key)) {
      QUERN_ASSIGN_OR_RETURN(out, value->asBool());
    }
    return Status::ok();
  }

  /// Unsupported if the switch is on: `what` says what it would need.
  Status refuseIfTrue(std::string_view key, std::string_view what) {
    bool isOn = false;
    QUERN_RETURN_IF_ERROR(readOptionalBool(key, isOn));
    if (isOn)
      return unsupported(pathOf(key) + ": " + std::string(what) +
                         " is not supported");
    return Status::ok();
  }

  /// Marks keys that are known to have no effect on inference.
  void ignore(std::initializer_list<std::string_view> keys) {
    for (std::string_view key : keys)
      known.insert(std::string(key));
  }

  /// One line for each member that nobody asked for.
  void reportUnknown(std::vector<std::string> &warnings) const {
    for (JsonValue member : object.members())
      if (!known.contains(member.key()))
        warnings.push_back(member.path() + ": unknown key, ignored");
  }

private:
  Status readOptionalDouble(std::string_view key, double maximum,
                            bool allowZero, double &out) {
    std::optional<JsonValue> value = find(key);
    if (!value)
      return Status::ok();
    QUERN_ASSIGN_OR_RETURN(double number, value->asDouble());
    if (number < 0 || number > maximum || (number == 0 && !allowZero))
      return value->mismatch(std::string("a number ") +
                             (allowZero ? "of at least 0" : "above 0") +
                             " and at most " + shortText(maximum));
    out = number;
    return Status::ok();
  }

  static std::string shortText(double number) {
    char text[32];
    std::snprintf(text, sizeof(text), "%g", number);
    return text;
  }

  JsonValue object;
  std::set<std::string, std::less<>> known;
};

/// Token ids: an integer or a list of integers, each below `vocabSize`.
/// Absent or null leaves `out` empty; an empty list is an error.
Status readTokenIds(ConfigReader &reader, std::string_view key,
                    int64_t vocabSize, std::vector<int64_t> &out);

/// One token id, absent or null for none.
Status readTokenId(ConfigReader &reader, std::string_view key,
                   int64_t vocabSize, std::optional<int64_t> &out);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_CONFIGREADER_H
