//===- JsonSyntax.h - Where JSON text is wrong -------------------*- C++
//-*-===//
//
// simdjson says that a document is wrong, not where. This scanner runs only on
// rejected documents and finds the place.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_JSONSYNTAX_H
#define QUERN_RUNTIME_BASE_JSONSYNTAX_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quern {

struct JsonSyntaxError {
  uint64_t offset;
  std::string message;
};

/// The first place at which `bytes` are not one JSON document of at most
/// `maxDepth` levels; nothing if they are one.
std::optional<JsonSyntaxError> findJsonSyntaxError(std::string_view bytes,
                                                   unsigned maxDepth);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_JSONSYNTAX_H
