//===- ObjectReader.h - The members of a JSON object ------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_TARGETS_OBJECTREADER_H
#define QUERN_CODEGEN_TARGETS_OBJECTREADER_H

#include "runtime/base/Json.h"

#include <array>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quern {

/// Reads the members of one object; the first error sticks. Members that
/// nobody asked for are an error of finish().
class ObjectReader {
public:
  ObjectReader(JsonValue object) : object(object) {
    note(object.expectKind(JsonKind::Object));
  }

  void read(std::string_view key, std::string &out) {
    if (auto value = member(key)) {
      Result<std::string_view> text = value->asString();
      if (!text.isOk())
        return note(text.getStatus());
      if (text->empty())
        return note(value->mismatch("a string that is not empty"));
      out = *text;
    }
  }

  template <typename Integer>
  void read(std::string_view key, Integer &out, int64_t low, int64_t high) {
    if (auto value = member(key))
      readInteger(*value, out, low, high);
  }

  template <typename Integer>
  void readPowerOfTwo(std::string_view key, Integer &out, int64_t low,
                      int64_t high) {
    read(key, out, low, high);
    if (status.isOk() && (out & (out - 1)) != 0)
      note(member(key)->mismatch("a power of two"));
  }

  void read(std::string_view key, bool &out) {
    if (auto value = member(key)) {
      Result<bool> flag = value->asBool();
      if (!flag.isOk())
        return note(flag.getStatus());
      out = *flag;
    }
  }

  void readNotNegative(std::string_view key, double &out) {
    if (auto value = member(key)) {
      Result<double> number = value->asDouble();
      if (!number.isOk())
        return note(number.getStatus());
      if (!(*number >= 0))
        return note(value->mismatch("a number of at least 0"));
      out = *number;
    }
  }

  template <typename Enum>
  using Choices = std::span<const std::pair<std::string_view, Enum>>;

  /// One of the named values.
  template <typename Enum>
  void
  readChoice(std::string_view key, Enum &out,
             std::initializer_list<std::pair<std::string_view, Enum>> choices) {
    readChoice(key, out, Choices<Enum>(choices.begin(), choices.size()));
  }

  template <typename Enum>
  void readChoice(std::string_view key, Enum &out, Choices<Enum> choices) {
    auto value = member(key);
    if (!value)
      return;
    std::string expected;
    Result<std::string_view> text = value->asString();
    for (auto &[name, choice] : choices) {
      if (text.isOk() && *text == name) {
        out = choice;
        return;
      }
      expected += (expected.empty() ? "\"" : " or \"") + std::string(name);
      expected += '"';
    }
    note(value->mismatch(expected));
  }

  void read(std::string_view key, std::vector<std::string> &out) {
    auto value = member(key);
    if (!value)
      return;
    note(value->expectKind(JsonKind::Array));
    for (JsonValue element : value->elements()) {
      Result<std::string_view> text = element.asString();
      if (!text.isOk())
        return note(text.getStatus());
      out.emplace_back(*text);
    }
  }

  /// A member that may be missing; what it would be stays as it is.
  template <typename T> void readOptional(std::string_view key, T &out) {
    known.insert(key);
    if (status.isOk() && object.isObject() && object.find(key))
      read(key, out);
  }

  void readGrid(std::string_view key, std::array<uint32_t, 3> &out) {
    auto value = member(key);
    if (!value)
      return;
    if (!value->isArray() || value->size() != 3)
      return note(value->mismatch("an array of 3 integers"));
    for (size_t i = 0; i != 3; ++i)
      readInteger(value->at(i), out[i], 1, UINT32_MAX);
  }

  /// A nested object.
  template <typename Read> void readObject(std::string_view key, Read read) {
    auto value = member(key);
    if (!value)
      return;
    ObjectReader inner(*value);
    if (inner.status.isOk())
      read(inner);
    note(inner.finish());
  }

  /// The same if there is one.
  template <typename Read>
  void readOptionalObject(std::string_view key, Read read) {
    known.insert(key);
    if (status.isOk() && object.isObject() && object.find(key))
      readObject(key, read);
  }

  /// An array of objects.
  template <typename Read> void readObjects(std::string_view key, Read read) {
    auto value = member(key);
    if (!value)
      return;
    note(value->expectKind(JsonKind::Array));
    if (!status.isOk())
      return;
    for (JsonValue element : value->elements()) {
      ObjectReader inner(element);
      if (inner.status.isOk())
        read(inner);
      note(inner.finish());
    }
  }

  void note(Status found) {
    if (status.isOk())
      status = std::move(found);
  }

  Status finish() {
    if (status.isOk() && object.isObject())
      for (JsonValue value : object.members())
        if (!known.contains(value.key()))
          return corrupt(value.path() + ": unknown member");
    return status;
  }

private:
  std::optional<JsonValue> member(std::string_view key) {
    known.insert(key);
    if (!status.isOk())
      return std::nullopt;
    Result<JsonValue> value = object.get(key);
    if (value.isOk())
      return *value;
    status = value.getStatus();
    return std::nullopt;
  }

  template <typename Integer>
  void readInteger(JsonValue value, Integer &out, int64_t low, int64_t high) {
    Result<int64_t> number = value.asInt64In(low, high);
    if (!number.isOk())
      return note(number.getStatus());
    out = static_cast<Integer>(*number);
  }

  JsonValue object;
  Status status;
  std::set<std::string_view> known;
};

} // namespace quern

#endif // QUERN_CODEGEN_TARGETS_OBJECTREADER_H
