//===- Json.h - Strict JSON reader and writer --------------------*- C++
//-*-===//
//
// The one reader through which all JSON from outside passes: strict (RFC 8259,
// UTF-8 without BOM, no duplicate keys, no number that overflows) and limited.
// Parsing is simdjson's; the document is a flat tree that keeps member order
// and knows the path of every value, so that errors read
// "$.text_config.hidden_size: expected an integer, found a string".
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_JSON_H
#define QUERN_RUNTIME_BASE_JSON_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace quern {

/// What a document may hold; exceeding one is an error of code Corrupt.
struct JsonLimits {
  uint64_t maxBytes = 8u << 20;
  /// Nesting of arrays and objects; a scalar document has depth 0.
  unsigned maxDepth = 64;
  /// Of one string value or key, unescaped.
  uint64_t maxStringBytes = 1u << 20;
  /// Members of one object, elements of one array.
  uint64_t maxMembers = 1u << 20;
  /// Values in the whole document; each takes about 80 bytes of memory.
  uint64_t maxValues = 4u << 20;
};

enum class JsonKind : uint8_t {
  Null,
  Bool,
  /// Written without fraction and exponent, fits int64 or uint64.
  Integer,
  /// Any other finite number.
  Double,
  String,
  Array,
  Object,
};

/// "null", "a boolean", "an integer", ...
std::string_view jsonKindName(JsonKind kind);

struct JsonTree;

/// A handle to one value; valid as long as its JsonDocument lives (moving the
/// document is fine). Const, cheap to copy, thread-safe.
class JsonValue {
public:
  JsonKind kind() const;
  bool isNull() const { return kind() == JsonKind::Null; }
  bool isString() const { return kind() == JsonKind::String; }
  bool isArray() const { return kind() == JsonKind::Array; }
  bool isObject() const { return kind() == JsonKind::Object; }

  /// "$.layers[3]['odd.name']". Only error paths build it.
  std::string path() const;
  /// The key under which an object holds this value; empty otherwise.
  std::string_view key() const;

  /// Typed getters. A value of another type is an error with its path; nothing
  /// is converted, but asDouble also takes integers.
  Result<int64_t> asInt64() const;
  Result<uint64_t> asUInt64() const;
  Result<double> asDouble() const;
  Result<bool> asBool() const;
  Result<std::string_view> asString() const;
  /// An integer of the closed range [minimum, maximum].
  Result<int64_t> asInt64In(int64_t minimum, int64_t maximum) const;

  /// Error unless the value has this kind.
  Status expectKind(JsonKind expected) const;
  /// "path: expected <expected>, found <this value>", of code Corrupt.
  Status mismatch(std::string_view expected) const;
  /// This scalar or the kind of this container, escaped, for a message.
  std::string describe() const;

  /// Number of members or elements; 0 for scalars.
  size_t size() const;
  /// Child number `index` in document order; index < size().
  JsonValue at(size_t index) const;
  /// The member called `key`, in O(log size); nothing if absent or no object.
  std::optional<JsonValue> find(std::string_view key) const;
  /// Like find, but absence (or no object) is an error.
  Result<JsonValue> get(std::string_view key) const;

  class Iterator;
  class Range;
  /// Children in document order; empty unless the value is an object
  /// (members) or an array (elements).
  Range members() const;
  Range elements() const;

private:
  friend class JsonDocument;
  JsonValue(const JsonTree *tree, uint32_t index) : tree(tree), index(index) {}
  const JsonTree *tree;
  uint32_t index;
};

class JsonValue::Iterator {
public:
  Iterator(const JsonTree *tree, uint32_t index) : tree(tree), index(index) {}
  JsonValue operator*() const { return JsonValue(tree, index); }
  Iterator &operator++() {
    ++index;
    return *this;
  }
  bool operator==(const Iterator &other) const { return index == other.index; }

private:
  const JsonTree *tree;
  uint32_t index;
};

class JsonValue::Range {
public:
  Range(Iterator first, Iterator last) : first(first), last(last) {}
  Iterator begin() const { return first; }
  Iterator end() const { return last; }

private:
  Iterator first, last;
};

/// A parsed document; owns all strings that its values hand out.
class JsonDocument {
public:
  JsonDocument(JsonDocument &&) noexcept;
  JsonDocument &operator=(JsonDocument &&) noexcept;
  ~JsonDocument();

  JsonValue root() const { return JsonValue(tree.get(), 0); }

private:
  friend Result<JsonDocument> parseJson(std::string_view, const JsonLimits &);
  explicit JsonDocument(std::unique_ptr<JsonTree> tree);
  std::unique_ptr<JsonTree> tree;
};

/// Parses `bytes`, which are not needed afterwards. Syntax errors name the
/// byte offset. Code Corrupt for bad input, ResourceExhausted without memory.
Result<JsonDocument> parseJson(std::string_view bytes,
                               const JsonLimits &limits = {});

/// Writes JSON piece by piece. The caller keeps the order right: key, value,
/// key, value inside an object; this is asserted, not reported.
class JsonWriter {
public:
  /// With indent > 0 members are put on lines of their own.
  explicit JsonWriter(unsigned indent = 0) : indent(indent) {}

  JsonWriter &beginObject() { return open('{'); }
  JsonWriter &endObject() { return close('}'); }
  JsonWriter &beginArray() { return open('['); }
  JsonWriter &endArray() { return close(']'); }
  /// `key` and string values must be UTF-8; ill-formed bytes become U+FFFD.
  JsonWriter &key(std::string_view key);
  JsonWriter &value(std::string_view text);
  JsonWriter &value(const char *text) { return value(std::string_view(text)); }
  JsonWriter &value(const std::string &text) {
    return value(std::string_view(text));
  }
  JsonWriter &value(int64_t number);
  JsonWriter &value(uint64_t number);
  JsonWriter &value(int number) { return value(int64_t(number)); }
  JsonWriter &value(unsigned number) { return value(uint64_t(number)); }
  /// Shortest text that reads back as the same double; null if not finite.
  JsonWriter &value(double number);
  JsonWriter &value(bool flag);
  JsonWriter &null();
  /// A parsed value with all its children.
  JsonWriter &value(const JsonValue &json);

  const std::string &getText() const { return out; }
  std::string take() { return std::move(out); }

private:
  JsonWriter &open(char bracket);
  JsonWriter &close(char bracket);
  JsonWriter &raw(std::string_view text);
  void separate();
  void newLine();
  void appendString(std::string_view text);

  std::string out;
  unsigned indent;
  unsigned depth = 0;
  /// Whether the next item of the current container needs a comma.
  bool needComma = false;
  bool afterKey = false;
};

} // namespace quern

#endif // QUERN_RUNTIME_BASE_JSON_H
