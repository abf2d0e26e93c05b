//===- PtxHeader.cpp - What a PTX text says of itself ---------------------===//

#include "runtime/device/cuda/PtxHeader.h"

#include <charconv>

using namespace quern;
using namespace quern::cuda;

static bool isSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static std::string_view skipSpace(std::string_view text) {
  while (!text.empty() && isSpace(text[0]))
    text.remove_prefix(1);
  return text;
}

static bool isNamePart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '%';
}

static std::string_view takeName(std::string_view &text) {
  text = skipSpace(text);
  size_t end = 0;
  while (end != text.size() && isNamePart(text[end]))
    ++end;
  std::string_view name = text.substr(0, end);
  text.remove_prefix(end);
  return name;
}

/// What follows `.entry NAME`, or nothing.
static std::string_view findEntry(std::string_view text,
                                  std::string_view entryPoint) {
  constexpr std::string_view directive = ".entry";
  for (size_t at = text.find(directive); at != std::string_view::npos;
       at = text.find(directive, at + 1)) {
    std::string_view rest = text.substr(at + directive.size());
    if (takeName(rest) == entryPoint)
      return rest;
  }
  return {};
}

static size_t countWords(std::string_view text, std::string_view word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1))
    count += at + word.size() == text.size() || isSpace(text[at + word.size()]);
  return count;
}

static Status readTarget(std::string_view text, PtxHeader &header) {
  constexpr std::string_view directive = ".target";
  size_t at = text.find(directive);
  if (at == std::string_view::npos)
    return corrupt("the code is no PTX: it has no .target");
  std::string_view rest = text.substr(at + directive.size());
  std::string_view target = takeName(rest);
  header.target = target;
  if (!target.starts_with("sm_"))
    return corrupt("the code is for an unknown .target");
  target.remove_prefix(3);
  header.isExact = target.ends_with('a');
  if (header.isExact)
    target.remove_suffix(1);
  auto [end, error] = std::from_chars(
      target.data(), target.data() + target.size(), header.architecture);
  if (error != std::errc() || end != target.data() + target.size())
    return corrupt("the code is for an unknown .target");
  return Status::ok();
}

Result<PtxHeader> cuda::readPtxHeader(std::string_view text,
                                      std::string_view entryPoint) {
  PtxHeader header;
  QUERN_RETURN_IF_ERROR(readTarget(text, header));
  std::string_view entry = skipSpace(findEntry(text, entryPoint));
  if (entry.empty())
    return corrupt("the code has no .entry '" + std::string(entryPoint) + "'");
  if (entry[0] != '(') {
    header.onlyAddresses = true;
    return header;
  }
  std::string_view parameters = entry.substr(0, entry.find(')'));
  header.numParameters = countWords(parameters, ".param");
  header.onlyAddresses =
      header.numParameters ==
      countWords(parameters, ".u64") + countWords(parameters, ".b64");
  return header;
}
