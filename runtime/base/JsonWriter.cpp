//===- JsonWriter.cpp - Writing JSON --------------------------------------===//

#include "runtime/base/Escape.h"
#include "runtime/base/Json.h"

#include <charconv>
#include <cmath>

using namespace quern;

void JsonWriter::newLine() {
  if (indent == 0)
    return;
  out += '\n';
  out.append(size_t(indent) * depth, ' ');
}

/// Puts what must stand between the last item and the next one.
void JsonWriter::separate() {
  if (afterKey) {
    afterKey = false;
    return;
  }
  if (needComma)
    out += ',';
  if (depth > 0)
    newLine();
}

JsonWriter &JsonWriter::open(char bracket) {
  separate();
  out += bracket;
  ++depth;
  needComma = false;
  return *this;
}

JsonWriter &JsonWriter::close(char bracket) {
  assert(depth > 0 && !afterKey && "unbalanced JSON");
  --depth;
  if (needComma)
    newLine();
  out += bracket;
  needComma = true;
  return *this;
}

JsonWriter &JsonWriter::raw(std::string_view text) {
  separate();
  out += text;
  needComma = true;
  return *this;
}

JsonWriter &JsonWriter::key(std::string_view key) {
  assert(depth > 0 && !afterKey && "a key outside of an object");
  separate();
  appendString(key);
  out += indent ? ": " : ":";
  afterKey = true;
  return *this;
}

void JsonWriter::appendString(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    Utf8Sequence sequence = decodeUtf8(text);
    unsigned length = sequence.length == 0 ? 1 : sequence.length;
    char32_t c = sequence.codePoint;
    if (sequence.length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < 0x20 || c == 0x7F) {
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

JsonWriter &JsonWriter::value(std::string_view text) {
  separate();
  appendString(text);
  needComma = true;
  return *this;
}

JsonWriter &JsonWriter::value(int64_t number) {
  return raw(std::to_string(number));
}

JsonWriter &JsonWriter::value(uint64_t number) {
  return raw(std::to_string(number));
}

JsonWriter &JsonWriter::value(double number) {
  if (!std::isfinite(number))
    return null();
  char buffer[40];
  char *end = std::to_chars(buffer, buffer + sizeof(buffer), number).ptr;
  std::string text(buffer, end);
  // Keep it a floating-point number for the reader.
  if (text.find_first_of(".e") == std::string::npos)
    text += ".0";
  return raw(text);
}

JsonWriter &JsonWriter::value(bool flag) {
  return raw(flag ? "true" : "false");
}

JsonWriter &JsonWriter::null() { return raw("null"); }

JsonWriter &JsonWriter::value(const JsonValue &json) {
  switch (json.kind()) {
  case JsonKind::Null:
    return null();
  case JsonKind::Bool:
    return value(*json.asBool());
  case JsonKind::Integer:
    if (Result<int64_t> number = json.asInt64(); number.isOk())
      return value(*number);
    return value(*json.asUInt64());
  case JsonKind::Double:
    return value(*json.asDouble());
  case JsonKind::String:
    return value(*json.asString());
  // Depth is bounded by the limit under which the document was parsed.
  case JsonKind::Array:
    beginArray();
    for (JsonValue element : json.elements())
      value(element);
    return endArray();
  case JsonKind::Object:
    beginObject();
    for (JsonValue member : json.members())
      key(member.key()).value(member);
    return endObject();
  }
  return *this;
}
