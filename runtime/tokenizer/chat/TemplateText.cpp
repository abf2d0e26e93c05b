//===- TemplateText.cpp - str() and json.dumps() of template values -------===//
//
// Prints what Python prints, because the models were trained on its output.
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Utf8.h"
#include "runtime/tokenizer/chat/TemplateValue.h"

#include <charconv>
#include <cmath>
#include <utf8proc.h>

namespace quern {

using Kind = TemplateValue::Kind;

/// Python's repr of a float: the shortest digits that read back, fixed for
/// exponents from -4 to 15, else scientific with at least two digits.
static std::string floatText(double value, bool forJson) {
  if (std::isnan(value))
    return forJson ? "NaN" : "nan";
  if (std::isinf(value)) {
    std::string text = forJson ? "Infinity" : "inf";
    return value < 0 ? "-" + text : text;
  }
  char buffer[64];
  char *end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                            std::chars_format::scientific)
                  .ptr;
  std::string text(buffer, end);
  size_t mark = text.find('e');
  int exponent = std::stoi(text.substr(mark + 1));
  if (exponent < -4 || exponent >= 16)
    return text; // to_chars writes two exponent digits as well
  end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                      std::chars_format::fixed)
            .ptr;
  text.assign(buffer, end);
  return text.find('.') == text.npos ? text + ".0" : text;
}

static void appendHex(uint32_t value, int digits, std::string &out) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
    out += "0123456789abcdef"[value >> shift & 15];
}

/// Whether repr() shows the character as it is.
static bool isPrintable(uint32_t codepoint) {
  if (codepoint == ' ')
    return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(codepoint))) {
  case UTF8PROC_CATEGORY_CN:
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CS:
  case UTF8PROC_CATEGORY_CO:
  case UTF8PROC_CATEGORY_ZS:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
    return false;
  default:
    return true;
  }
}

static void appendRepr(std::string_view text, std::string &out) {
  bool useDouble = text.find('\'') != text.npos && text.find('"') == text.npos;
  char quote = useDouble ? '"' : '\'';
  out += quote;
  while (!text.empty()) {
    Utf8Character c = scanUtf8(text);
    if (c.codepoint == static_cast<uint32_t>(quote) || c.codepoint == '\\')
      (out += '\\') += static_cast<char>(c.codepoint);
    else if (c.codepoint == '\n')
      out += "\\n";
    else if (c.codepoint == '\r')
      out += "\\r";
    else if (c.codepoint == '\t')
      out += "\\t";
    else if (isPrintable(c.codepoint))
      appendUtf8(c.codepoint, out);
    else if (c.codepoint < 0x100)
      appendHex(c.codepoint, 2, out += "\\x");
    else if (c.codepoint < 0x10000)
      appendHex(c.codepoint, 4, out += "\\u");
    else
      appendHex(c.codepoint, 8, out += "\\U");
    text.remove_prefix(c.length);
  }
  out += quote;
}

static void appendJsonString(std::string_view text, std::string &out) {
  out += '"';
  for (char c : text) {
    switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    default:
      if (static_cast<unsigned char>(c) < 0x20)
        appendHex(static_cast<unsigned char>(c), 4, out += "\\u");
      else
        out += c;
    }
  }
  out += '"';
}

namespace {
/// Writes a value in Python's or JSON's form. Shared parts of a value are
/// written as often as they occur, so the budget must bound the output.
class ValueWriter {
public:
  ValueWriter(bool asJson, TemplateBudget &budget)
      : asJson(asJson), budget(budget) {}

  Status write(const TemplateValue &value);
  std::string take() { return std::move(out); }

private:
  /// Accounts for `bytes` more of output.
  Status reserve(size_t bytes) {
    if (out.size() + bytes > budget.stringBytes)
      return budget.chargeString(out.size() + bytes);
    return budget.charge(bytes / 8);
  }
  Status writeList(const TemplateValue &value);
  Status writeDict(const TemplateDict &dict);
  void writeString(std::string_view text) {
    asJson ? appendJsonString(text, out) : appendRepr(text, out);
  }
  std::string_view pick(std::string_view json, std::string_view python) {
    return asJson ? json : python;
  }

  bool asJson;
  TemplateBudget &budget;
  std::string out;
};
} // namespace

Status ValueWriter::write(const TemplateValue &value) {
  QUERN_RETURN_IF_ERROR(budget.charge(1));
  QUERN_RETURN_IF_ERROR(
      reserve(value.isString() ? value.asString().size() : 0));
  switch (value.kind()) {
  case Kind::None:
    out += pick("null", "None");
    return Status::ok();
  case Kind::Bool:
    out += value.asBool() ? pick("true", "True") : pick("false", "False");
    return Status::ok();
  case Kind::Int:
    out += std::to_string(value.asInt());
    return Status::ok();
  case Kind::Float:
    out += floatText(value.asFloat(), asJson);
    return Status::ok();
  case Kind::String:
    writeString(value.asString());
    return Status::ok();
  case Kind::List:
    return writeList(value);
  case Kind::Dict:
    return writeDict(value.asDict());
  case Kind::Undefined:
    if (!asJson) {
      out += "Undefined";
      return Status::ok();
    }
    break;
  default:
    break;
  }
  if (asJson && value.isUndefined())
    return invalidArgument(
        "object of type Undefined is not JSON serializable: " +
        value.whyUndefined());
  return unsupported("unsupported: the text of a value of type " +
                     std::string(value.typeName()));
}

Status ValueWriter::writeList(const TemplateValue &value) {
  bool inParentheses = value.isTuple() && !asJson;
  out += inParentheses ? '(' : '[';
  bool first = true;
  for (const TemplateValue &item : value.asList()) {
    if (!first)
      out += ", ";
    first = false;
    QUERN_RETURN_IF_ERROR(write(item));
  }
  if (inParentheses && value.asList().size() == 1)
    out += ',';
  out += inParentheses ? ')' : ']';
  return Status::ok();
}

Status ValueWriter::writeDict(const TemplateDict &dict) {
  out += '{';
  bool first = true;
  for (const auto &[key, value] : dict.getEntries()) {
    if (!first)
      out += ", ";
    first = false;
    QUERN_RETURN_IF_ERROR(reserve(key.size()));
    writeString(key);
    out += ": ";
    QUERN_RETURN_IF_ERROR(write(value));
  }
  out += '}';
  return Status::ok();
}

Result<std::string> templateToString(const TemplateValue &value,
                                     TemplateBudget &budget) {
  if (value.isUndefined())
    return std::string();
  if (value.isString()) {
    QUERN_RETURN_IF_ERROR(budget.chargeString(value.asString().size()));
    return value.asString();
  }
  ValueWriter writer(/*asJson=*/false, budget);
  QUERN_RETURN_IF_ERROR(writer.write(value));
  return writer.take();
}

Result<std::string> templateToJson(const TemplateValue &value,
                                   TemplateBudget &budget) {
  ValueWriter writer(/*asJson=*/true, budget);
  QUERN_RETURN_IF_ERROR(writer.write(value));
  return writer.take();
}

} // namespace quern
