//===- Signature.cpp - Arguments that a kernel family takes ---------------===//
#include "codegen/Kernels/Signature.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

using namespace quern;
using llvm::SmallVector;
using llvm::StringRef;

namespace {

struct Pattern {
  StringRef effect, name, type;
  SmallVector<StringRef, 4> dims;
};

} // namespace

/// "in x f[T,K]"
static Pattern parsePattern(StringRef text) {
  Pattern pattern;
  std::tie(pattern.effect, text) = text.split(' ');
  std::tie(pattern.name, text) = text.split(' ');
  std::tie(pattern.type, text) = text.split('[');
  text.drop_back().split(pattern.dims, ',');
  return pattern;
}

/// Splits at the commas outside of brackets.
static SmallVector<Pattern, 10> parseSignature(StringRef text) {
  SmallVector<Pattern, 10> patterns;
  while (!text.empty()) {
    auto [head, tail] = text.split("], ");
    if (tail.empty())
      patterns.push_back(parsePattern(head));
    else
      patterns.push_back(parsePattern(text.substr(0, head.size() + 1)));
    text = tail;
  }
  return patterns;
}

static std::string describe(const KernelArgument &argument) {
  constexpr const char *effects[] = {"in", "out", "inout"};
  std::string text = effects[static_cast<unsigned>(argument.effect)];
  std::string type = argument.int8Rows ? "int8 rows"
                     : argument.encoding == Encoding::None
                         ? StringRef(dataTypeName(argument.type)).lower()
                         : std::string(getEncodingInfo(argument.encoding).name);
  text += " " + type + "[";
  for (size_t i = 0; i != argument.shape.size(); ++i)
    text += (i ? "," : "") + std::to_string(argument.shape[i]);
  return text + "]";
}

namespace {

class Matcher {
public:
  Matcher(SignatureMatch &match) : match(match) {}

  /// What is wrong with the argument, empty if nothing.
  std::string accept(const Pattern &pattern, const KernelArgument &argument) {
    constexpr const char *effects[] = {"in", "out", "inout"};
    if (pattern.effect != effects[static_cast<unsigned>(argument.effect)])
      return "the effect differs";
    if (std::string reason = acceptType(pattern.type, argument);
        !reason.empty())
      return reason;
    return acceptShape(pattern, argument);
  }

private:
  std::string acceptType(StringRef pattern, const KernelArgument &argument) {
    if (argument.int8Rows)
      return pattern == "c" ? "" : "the argument can't have int8 rows";
    if (argument.encoding != Encoding::None)
      return pattern == "e" ? "" : "the argument can't be encoded";
    DataType type = argument.type;
    bool isFloat = type == DataType::F32 || type == DataType::F16 ||
                   type == DataType::BF16;
    if (pattern == "i32")
      return type == DataType::I32 ? "" : "the element type differs";
    if (pattern == "f32")
      return type == DataType::F32 ? "" : "the element type differs";
    if (!isFloat)
      return "the element type is not f32, f16 or bf16";
    if (pattern == "f" || pattern == "c") {
      if (hasComputeType && computeType != type)
        return "the element type differs from the compute type of earlier "
               "arguments";
      computeType = type;
      hasComputeType = true;
    }
    return "";
  }

  std::string acceptShape(const Pattern &pattern,
                          const KernelArgument &argument) {
    bool hasProduct = llvm::any_of(
        pattern.dims, [](StringRef dim) { return dim.starts_with("*"); });
    size_t wanted = pattern.dims.size(), found = argument.shape.size();
    if (hasProduct ? found < wanted : found != wanted)
      return "the rank differs";
    size_t at = 0;
    for (StringRef dim : pattern.dims) {
      int64_t size = argument.shape[at++];
      if (dim.consume_front("*"))
        for (size_t extra = found - wanted; extra != 0; --extra)
          size *= argument.shape[at++];
      auto [entry, isNew] = match.dims.emplace(dim.str(), size);
      if (!isNew && entry->second != size)
        return (dim + " is " + llvm::Twine(entry->second) +
                " in earlier arguments")
            .str();
    }
    return "";
  }

  SignatureMatch &match;
  // Not std::optional: GCC takes it for uninitialised (bug 80635).
  DataType computeType = DataType::F32;
  bool hasComputeType = false;
};

} // namespace

Result<SignatureMatch> quern::matchSignature(std::string_view signature,
                                             const KernelRequest &request) {
  SmallVector<Pattern, 10> patterns = parseSignature(signature);
  if (patterns.size() != request.arguments.size())
    return invalidArgument("expected " + std::to_string(patterns.size()) +
                           " arguments (" + std::string(signature) +
                           "), found " +
                           std::to_string(request.arguments.size()));
  SignatureMatch match;
  Matcher matcher(match);
  for (unsigned i = 0; i != patterns.size(); ++i) {
    const Pattern &pattern = patterns[i];
    std::string reason = matcher.accept(pattern, request.arguments[i]);
    if (!reason.empty())
      return invalidArgument(("argument " + llvm::Twine(i) + ": expected " +
                              pattern.effect + " " + pattern.name + " " +
                              pattern.type + "[" +
                              llvm::join(pattern.dims, ",") + "], found " +
                              describe(request.arguments[i]) + ": " + reason)
                                 .str());
    match.arguments.emplace(pattern.name.str(), i);
  }
  return match;
}
