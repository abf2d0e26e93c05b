//===- Normalizer.h - NFC in linear memory and time -------------*- C++ -*-===//
//
// Unicode normalisation form C. The character data and the composition are
// utf8proc's; the canonical ordering is ours, because utf8proc sorts combining
// marks by exchanging neighbours, which is quadratic on hostile text.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_NORMALIZER_H
#define QUERN_RUNTIME_TOKENIZER_NORMALIZER_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Normalises one text after the other, keeping its buffers. Not thread-safe.
class Normalizer {
public:
  /// `text`, which must be valid UTF-8, in NFC: either `text` itself or a
  /// buffer that lives until the next call. Fails only if utf8proc does.
  Result<std::string_view> normalize(std::string_view text);

  /// Code points decomposed, sorted and composed so far. Text that is NFC by
  /// its range alone (below U+0300) costs none.
  uint64_t getSteps() const { return steps; }

private:
  Status appendNormalized(std::string_view segment);
  Status decompose(std::string_view segment);
  void sortMarks();

  std::string output;
  std::vector<int32_t> codepoints;
  uint64_t steps = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_NORMALIZER_H
