//===- TemplateLexer.cpp - tokens of a chat template ----------------------===//

#include "runtime/tokenizer/chat/TemplateLexer.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <array>

namespace quern {

using Kind = TemplateToken::Kind;

std::string atTemplateLine(unsigned line, std::string_view message) {
  return "chat template line " + std::to_string(line) + ": " +
         std::string(message);
}

/// str.isspace: White_Space and the four separators of ASCII.
static bool isPythonSpace(uint32_t c) {
  return isWhiteSpace(c) || (c >= 0x1C && c <= 0x1F);
}

std::string_view stripTemplateSpace(std::string_view text, bool left,
                                    bool right) {
  while (left && !text.empty()) {
    Utf8Character c = scanUtf8(text);
    if (!isPythonSpace(c.codepoint))
      break;
    text.remove_prefix(c.length);
  }
  while (right && !text.empty()) {
    size_t begin = text.size() - 1;
    while (begin != 0 && text.size() - begin < 4 &&
           (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
      --begin;
    if (!isPythonSpace(scanUtf8(text.substr(begin)).codepoint))
      break;
    text = text.substr(0, begin);
  }
  return text;
}

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool isNamePart(char c) { return isNameStart(c) || isDigit(c); }

namespace {
class Lexer {
public:
  explicit Lexer(std::string_view source) : source(source) {}
  Status run();
  std::vector<TemplateToken> take() { return std::move(tokens); }

private:
  Status lexTag(Kind end);
  Status lexItem();
  Status lexString();
  Status unescape(std::string_view body, std::string &out);
  void lexNumber();
  void addText(std::string_view text, char tag, char sign);
  Status skipComment();
  bool endTag(Kind end);
  /// Where the next output, block or comment begins, or npos.
  size_t findTag(size_t from) const;

  void add(Kind kind, std::string text = {}) {
    tokens.push_back({kind, line, std::move(text)});
  }
  void advance(size_t count) {
    std::string_view skipped = source.substr(position, count);
    line +=
        static_cast<unsigned>(std::count(skipped.begin(), skipped.end(), '\n'));
    position += count;
  }
  bool startsWith(std::string_view text) const {
    return source.substr(position).starts_with(text);
  }
  char at(size_t index) const {
    return index < source.size() ? source[index] : '\0';
  }
  Status wrong(std::string_view message) const {
    return corrupt(atTemplateLine(line, message));
  }
  /// Skips white space after a closing tag, as -%} and -}} ask.
  void skipSpace() {
    std::string_view rest = source.substr(position);
    advance(rest.size() - stripTemplateSpace(rest, true, false).size());
  }

  std::string_view source;
  size_t position = 0;
  unsigned line = 1;
  std::vector<TemplateToken> tokens;
  std::vector<char> brackets;
};
} // namespace

/// Adds the text in front of a tag, trimmed as the tag demands.
void Lexer::addText(std::string_view text, char tag, char sign) {
  bool atLineStart = position == 0 || source[position - 1] == '\n';
  unsigned textLine = line;
  advance(text.size());
  if (sign == '-') {
    text = stripTemplateSpace(text, false, true);
  } else if (sign != '+' && tag != '{') {
    // lstrip_blocks: a block's own indentation is not text.
    size_t lineBegin = text.rfind('\n') + 1;
    if ((lineBegin != 0 || atLineStart) &&
        stripTemplateSpace(text.substr(lineBegin), true, false).empty())
      text = text.substr(0, lineBegin);
  }
  if (!text.empty())
    tokens.push_back({Kind::Text, textLine, std::string(text)});
}

Status Lexer::skipComment() {
  size_t close = source.find("#}", position + 2);
  if (close == source.npos)
    return wrong("a comment without its end, expected '#}'");
  char sign = close > position + 2 ? source[close - 1] : '\0';
  advance(close + 2 - position);
  if (sign == '-')
    skipSpace();
  else if (sign != '+' && at(position) == '\n')
    advance(1);
  return Status::ok();
}

size_t Lexer::findTag(size_t from) const {
  size_t open = source.find('{', from);
  while (open != source.npos && at(open + 1) != '{' && at(open + 1) != '%' &&
         at(open + 1) != '#')
    open = source.find('{', open + 1);
  return open;
}

Status Lexer::run() {
  while (position != source.size()) {
    size_t open = findTag(position);
    if (open == source.npos) {
      add(Kind::Text, std::string(source.substr(position)));
      advance(source.size() - position);
      break;
    }
    char tag = source[open + 1], sign = at(open + 2);
    addText(source.substr(position, open - position), tag, sign);
    if (tag == '#') {
      QUERN_RETURN_IF_ERROR(skipComment());
      continue;
    }
    add(tag == '{' ? Kind::OutputBegin : Kind::BlockBegin);
    advance(sign == '-' || (sign == '+' && tag == '%') ? 3 : 2);
    QUERN_RETURN_IF_ERROR(
        lexTag(tag == '{' ? Kind::OutputEnd : Kind::BlockEnd));
  }
  add(Kind::End);
  return Status::ok();
}

/// Consumes the end of a tag with the white space that it swallows.
bool Lexer::endTag(Kind end) {
  std::string_view close = end == Kind::OutputEnd ? "}}" : "%}";
  bool trims =
      startsWith("-") && source.substr(position + 1).starts_with(close);
  bool keeps = end == Kind::BlockEnd && startsWith("+%}");
  if (!trims && !keeps && !startsWith(close))
    return false;
  add(end);
  advance(trims || keeps ? 3 : 2);
  if (trims)
    skipSpace();
  else if (!keeps && end == Kind::BlockEnd && at(position) == '\n')
    advance(1); // trim_blocks
  return true;
}

Status Lexer::lexTag(Kind end) {
  unsigned opened = line;
  brackets.clear();
  while (true) {
    while (position != source.size() &&
           isPythonSpace(static_cast<unsigned char>(source[position])))
      advance(1);
    if (position == source.size())
      return corrupt(atTemplateLine(
          opened, end == Kind::OutputEnd
                      ? "an output tag without its end, expected '}}'"
                      : "a block tag without its end, expected '%}'"));
    if (brackets.empty() && endTag(end))
      return Status::ok();
    QUERN_RETURN_IF_ERROR(lexItem());
  }
}

Status Lexer::lexItem() {
  char c = source[position];
  if (isNameStart(c)) {
    size_t length = 1;
    while (isNamePart(at(position + length)))
      ++length;
    add(Kind::Name, std::string(source.substr(position, length)));
    advance(length);
    return Status::ok();
  }
  if (isDigit(c)) {
    lexNumber();
    return Status::ok();
  }
  if (c == '\'' || c == '"')
    return lexString();

  static constexpr std::array<std::string_view, 27> operators = {
      "//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
      "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
      ">",  "<",  "=",  ".",  ":",  "|",  ",", ";", "!"};
  for (std::string_view op : operators) {
    if (!startsWith(op))
      continue;
    if (op == "(" || op == "[" || op == "{")
      brackets.push_back(op == "(" ? ')' : op == "[" ? ']' : '}');
    if (op == ")" || op == "]" || op == "}") {
      if (brackets.empty() || brackets.back() != op[0])
        return wrong("unexpected '" + std::string(op) + "'");
      brackets.pop_back();
    }
    add(Kind::Operator, std::string(op));
    advance(op.size());
    return Status::ok();
  }
  size_t length = scanUtf8(source.substr(position)).length;
  return wrong("unexpected character " +
               quoteName(source.substr(position, length)));
}

/// An integer, or a float with a fraction or an exponent.
void Lexer::lexNumber() {
  std::string digits;
  size_t end = position;
  auto takeDigits = [&] {
    while (isDigit(at(end)) ||
           (at(end) == '_' && isDigit(at(end + 1)) && isDigit(at(end - 1))))
      if (char c = source[end++]; c != '_')
        digits += c;
  };
  bool afterDot = position != 0 && source[position - 1] == '.';
  bool isFloat = false;
  takeDigits();
  if (!afterDot && at(end) == '.' && isDigit(at(end + 1))) {
    isFloat = true;
    digits += source[end++];
    takeDigits();
  }
  size_t signLength = at(end + 1) == '+' || at(end + 1) == '-' ? 1 : 0;
  if (!afterDot && (at(end) == 'e' || at(end) == 'E') &&
      isDigit(at(end + 1 + signLength))) {
    isFloat = true;
    digits += source.substr(end, 1 + signLength);
    end += 1 + signLength;
    takeDigits();
  }
  add(isFloat ? Kind::Float : Kind::Integer, std::move(digits));
  advance(end - position);
}

Status Lexer::lexString() {
  char quote = source[position];
  size_t end = position + 1;
  while (end < source.size() && source[end] != quote)
    end += source[end] == '\\' ? 2 : 1;
  if (end >= source.size())
    return wrong("a string without its end");
  std::string text;
  QUERN_RETURN_IF_ERROR(
      unescape(source.substr(position + 1, end - position - 1), text));
  add(Kind::String, std::move(text));
  advance(end + 1 - position);
  return Status::ok();
}

/// Python's escapes; an unknown one stays as it is.
Status Lexer::unescape(std::string_view body, std::string &out) {
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      out += body[i];
      continue;
    }
    char c = body[++i]; // lexString saw a character after each backslash
    static constexpr std::string_view names = "abfnrtv\\'\"";
    static constexpr std::string_view values = "\a\b\f\n\r\t\v\\'\"";
    if (size_t known = names.find(c); known != names.npos) {
      out += values[known];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      uint32_t codepoint = 0;
      for (size_t k = 1; k <= count; ++k) {
        char h = i + k < body.size() ? body[i + k] : '\0';
        size_t digit = std::string_view("0123456789abcdef")
                           .find(h >= 'A' && h <= 'F' ? h + 32 : h);
        if (h == '\0' || digit == std::string_view::npos)
          return wrong("a string escape needs " + std::to_string(count) +
                       " hexadecimal digits");
        codepoint = codepoint << 4 | static_cast<uint32_t>(digit);
      }
      if (codepoint > 0x10FFFF || (codepoint >= 0xD800 && codepoint < 0xE000))
        return wrong("a string escape of no Unicode character");
      appendUtf8(codepoint, out);
      i += count;
    } else if (isDigit(c) || c == 'N') {
      return unsupported(atTemplateLine(
          line, "unsupported: the string escape \\" + std::string(1, c)));
    } else if (c != '\n') {
      (out += '\\') += c;
    }
  }
  return Status::ok();
}

Result<std::vector<TemplateToken>> lexTemplate(std::string_view source) {
  // Jinja reads \r\n and \r as \n, and drops one newline at the end.
  std::string text;
  for (size_t i = 0; i != source.size(); ++i)
    if (source[i] != '\r')
      text += source[i];
    else if (i + 1 == source.size() || source[i + 1] != '\n')
      text += '\n';
  if (text.ends_with('\n'))
    text.pop_back();
  Lexer lexer(text);
  QUERN_RETURN_IF_ERROR(lexer.run());
  return lexer.take();
}

} // namespace quern
