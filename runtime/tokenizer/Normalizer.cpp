//===- Normalizer.cpp - NFC in linear memory and time ---------------------===//

#include "runtime/tokenizer/Normalizer.h"

#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <utf8proc.h>

namespace quern {

/// Characters from U+0000 to U+02FF are in NFC and combine with nothing before
/// them; only those from U+0300 on can combine with what precedes. The lead
/// byte tells: U+0300 is CC 80.
static bool mayCombine(char byte) {
  return static_cast<unsigned char>(byte) >= 0xCC;
}

static int combiningClass(int32_t codepoint) {
  return utf8proc_get_property(codepoint)->combining_class;
}

Result<std::string_view> Normalizer::normalize(std::string_view text) {
  if (std::none_of(text.begin(), text.end(), mayCombine))
    return text;

  output.clear();
  output.reserve(text.size());
  size_t position = 0;
  while (position != text.size()) {
    // Copy the plain run, but keep its last character: a mark may follow.
    size_t high = position;
    while (high != text.size() && !mayCombine(text[high]))
      ++high;
    size_t begin = high;
    if (high != text.size() && high != position)
      do
        --begin;
      while ((static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80);
    output += text.substr(position, begin - position);
    // Then all that may combine, up to the next plain character.
    size_t end = high;
    while (end != text.size() && mayCombine(text[end]))
      end += scanValidUtf8(text.substr(end)).length;
    QUERN_RETURN_IF_ERROR(appendNormalized(text.substr(begin, end - begin)));
    position = end;
  }
  return std::string_view(output);
}

Status Normalizer::appendNormalized(std::string_view segment) {
  if (segment.empty())
    return Status::ok();
  QUERN_RETURN_IF_ERROR(decompose(segment));
  sortMarks();
  utf8proc_ssize_t length = utf8proc_normalize_utf32(
      codepoints.data(), static_cast<utf8proc_ssize_t>(codepoints.size()),
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0)
    return internalError(std::string("utf8proc: ") + utf8proc_errmsg(length));
  steps += codepoints.size();
  for (utf8proc_ssize_t i = 0; i != length; ++i)
    appendUtf8(static_cast<uint32_t>(codepoints[i]), output);
  return Status::ok();
}

Status Normalizer::decompose(std::string_view segment) {
  codepoints.clear();
  while (!segment.empty()) {
    Utf8Character c = scanValidUtf8(segment);
    segment.remove_prefix(c.length);
    ++steps;
    // No canonical decomposition is longer than four characters.
    int32_t parts[8];
    int boundClass = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c.codepoint), parts, 8,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE),
        &boundClass);
    if (count < 0 || count > 8)
      return internalError("utf8proc: no decomposition of a character");
    codepoints.insert(codepoints.end(), parts, parts + count);
  }
  return Status::ok();
}

/// Canonical ordering: each run of marks by combining class, stably.
void Normalizer::sortMarks() {
  auto byClass = [](int32_t a, int32_t b) {
    return combiningClass(a) < combiningClass(b);
  };
  auto isMark = [](int32_t c) { return combiningClass(c) != 0; };
  auto begin = codepoints.begin();
  while (true) {
    begin = std::find_if(begin, codepoints.end(), isMark);
    if (begin == codepoints.end())
      return;
    auto end = std::find_if_not(begin, codepoints.end(), isMark);
    if (!std::is_sorted(begin, end, byClass))
      std::stable_sort(begin, end, byClass);
    begin = end;
  }
}

} // namespace quern
