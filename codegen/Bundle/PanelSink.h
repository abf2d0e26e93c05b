//===- PanelSink.h - Rows of words to panels --------------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_BUNDLE_PANELSINK_H
#define QUERN_CODEGEN_BUNDLE_PANELSINK_H

#include "runtime/bundle/BundleWriter.h"

#include <span>
#include <vector>

namespace quern {

/// Takes the bytes of a matrix row by row and writes them on, in panels of
/// `rows` rows if that is not 0: of each row in turn the first 32-bit word,
/// then the second ones, ... (exec.weight). Keeps two panels in memory.
class PanelSink {
public:
  /// The matrix has `matrixBytes` bytes, a multiple of rows * rowBytes.
  PanelSink(BundleWriter &writer, size_t rows, size_t rowBytes,
            uint64_t matrixBytes);

  /// The next bytes, which need not be whole rows. What follows the matrix,
  /// such as the factors of an encoded one, is written on as it is.
  Status append(std::span<const std::byte> bytes);

private:
  Status writePanel();

  BundleWriter &writer;
  size_t rows, rowBytes;
  uint64_t bytesLeft; ///< Of the matrix, not yet written.
  size_t filled = 0;  ///< Bytes of the panel.
  std::vector<std::byte> panel, words;
};

} // namespace quern

#endif // QUERN_CODEGEN_BUNDLE_PANELSINK_H
