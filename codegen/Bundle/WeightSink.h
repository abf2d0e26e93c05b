//===- WeightSink.h - Converts rows of weights on the way ------*- C++ -*-===//
#ifndef QUERN_CODEGEN_BUNDLE_WEIGHTSINK_H
#define QUERN_CODEGEN_BUNDLE_WEIGHTSINK_H

#include "codegen/Bundle/EmitBundle.h"
#include "codegen/Bundle/PanelSink.h"
#include "runtime/base/DataType.h"
#include "runtime/base/Encoding.h"

namespace quern {

/// How the rows of a weight are stored.
struct StoredRows {
  uint64_t rows = 0, columns = 0;
  DataType source = DataType::F32; ///< F32, F16 or BF16.
  DataType type = DataType::F32;   ///< Likewise, without an encoding.
  Encoding encoding = Encoding::None;
};

/// Takes the rows of a weight as the checkpoint has them, in the order of the
/// bundle, and appends them as they are stored. Memory is bounded by a buffer
/// and, of encoded rows, the factors of the weight.
class WeightSink {
public:
  /// `threads` convert; 0: one for each core.
  WeightSink(const StoredRows &stored, unsigned threads, PanelSink &writer);

  /// Whole rows. InvalidArgument names the first element that can't be stored.
  Status append(std::span<const std::byte> rows);
  /// After the last row.
  Status finish();

  bool converts() const {
    return stored.encoding != Encoding::None || stored.type != stored.source;
  }
  double getSignal() const { return signal; }
  double getSquaredError() const { return squaredError; }

private:
  struct RowResult {
    double signal = 0, squaredError = 0;
    int64_t badColumn = -1;
  };

  Status convert(std::span<const std::byte> rows);
  void convertRow(const std::byte *source, uint64_t row, std::byte *out,
                  RowResult &result);
  void encodeRow(const float *values, uint64_t row, std::byte *out,
                 RowResult &result);
  void roundRow(const float *values, std::byte *out, RowResult &result) const;

  StoredRows stored;
  unsigned threads;
  PanelSink &writer;
  uint64_t rowsDone = 0;
  std::vector<uint16_t> factors;
  double signal = 0, squaredError = 0;
};

} // namespace quern

#endif // QUERN_CODEGEN_BUNDLE_WEIGHTSINK_H
