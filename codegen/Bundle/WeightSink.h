//===- WeightSink.h - Converts rows of weights on the way ------*- C++ -*-===//
#ifndef QUERN_CODEGEN_BUNDLE_WEIGHTSINK_H
#define QUERN_CODEGEN_BUNDLE_WEIGHTSINK_H

#include "codegen/Bundle/EmitBundle.h"
#include "codegen/Bundle/PanelSink.h"
#include "codegen/Bundle/RowSource.h"
#include "runtime/base/DataType.h"
#include "runtime/base/Encoding.h"

namespace quern {

/// How the rows of a weight are stored.
struct StoredRows {
  uint64_t rows = 0, columns = 0;
  DataType type = DataType::F32; ///< F32, F16 or BF16, without an encoding.
  Encoding encoding = Encoding::None;
};

/// Takes the rows of a weight as the checkpoint has them, in the order of the
/// bundle, and appends them as they are stored: codes that the checkpoint has
/// already are not rounded again. Memory is bounded by a buffer and, of encoded
/// rows, the factors of the weight.
class WeightSink {
public:
  /// `threads` convert; 0: one for each core.
  WeightSink(const StoredRows &stored, unsigned threads, PanelSink &writer);

  /// Rows [first, first + count) of a source. InvalidArgument names the first
  /// element that can't be stored.
  Status append(const RowSource &source, uint64_t first, uint64_t count);
  /// After the last row.
  Status finish();

  /// Whether rows came that are not stored as they were.
  bool hasConverted() const { return converted; }
  double getSignal() const { return signal; }
  double getSquaredError() const { return squaredError; }

private:
  struct RowResult {
    double signal = 0, squaredError = 0;
    int64_t badColumn = -1;
  };

  bool isStoredAs(const RowFormat &format) const;
  Status convert(const RowSource &source, uint64_t first, uint64_t count);
  void convertRow(const RowFormat &format, const std::byte *source,
                  uint64_t row, std::byte *out, RowResult &result);
  void copyCodes(const std::byte *source, uint64_t row, std::byte *out,
                 RowResult &result);
  void storeGroup(const EncodedMatrix &matrix, const EncodedGroup &group,
                  uint64_t row, uint64_t index, std::byte *out);
  void encodeRow(const float *values, uint64_t row, std::byte *out,
                 RowResult &result);
  void roundRow(const float *values, std::byte *out, RowResult &result) const;

  StoredRows stored;
  unsigned threads;
  PanelSink &writer;
  uint64_t rowsDone = 0;
  bool converted = false;
  std::vector<uint16_t> factors;
  double signal = 0, squaredError = 0;
};

} // namespace quern

#endif // QUERN_CODEGEN_BUNDLE_WEIGHTSINK_H
