//===- PackedWeight.h - Weights that a checkpoint quantised -----*- C++ -*-===//
//
// A weight x.weight [outputs N, inputs K] that is stored as codes and scales in
// several tensors. What they stand for, with g = k / group, or g_idx[k]:
//
//   FP8   x.weight F8_E4M3 [N, K], x.weight_scale_inv [N / rows, K / columns],
//         rounded up; experts [E, N, K] are x.down_proj, x.down_proj_scale_inv
//         w[n][k] = weight[n][k] * scale[n / rows][k / columns]
//   GPTQ  x.qweight I32 [K * bits / 32, N], x.qzeros I32 [G, N * bits / 32],
//         x.scales [G, N], x.g_idx I32 [K]; packed from the low bits on
//         w[n][k] = scale[g][n] * (code - ((zero + offset) mod 2^bits))
//   AWQ   x.qweight I32 [K, N / 8], x.qzeros I32 [G, N / 8], x.scales [G, N];
//         the eight codes of a word are columns 0, 2, 4, 6, 1, 3, 5, 7
//         w[n][k] = scale[g][n] * (code - zero)
//
// All products are exact in f32 if scales are F16 or BF16.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_PACKEDWEIGHT_H
#define QUERN_FRONTEND_HUGGINGFACE_PACKEDWEIGHT_H

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/QuantizationConfig.h"
#include "runtime/base/Encoding.h"

#include <memory>
#include <string>
#include <vector>

namespace quern {

/// Const methods are thread-safe. Lives no longer than the mapped files.
class PackedWeight {
public:
  virtual ~PackedWeight();

  /// Rows of all matrices, one after the other, of getColumns() numbers.
  uint64_t getRows() const { return rows; }
  uint64_t getColumns() const { return columns; }
  const std::vector<StoredTensor> &getParts() const { return parts; }
  /// Bytes of all parts.
  uint64_t countStoredBytes() const;

  /// The encoding that holds the very numbers of this weight, or None.
  Encoding getEncoding() const { return encoding; }
  /// Why there is none; empty for floats, which no encoding is meant for.
  const std::string &getReason() const { return reason; }

  /// The numbers of rows [first, first + count), row by row. Corrupt names the
  /// first element that is no number.
  virtual Status decodeRows(uint64_t first, uint64_t count,
                            float *values) const = 0;
  /// The groups of these rows in getEncoding(), row by row.
  virtual void encodeRows(uint64_t first, uint64_t count,
                          EncodedGroup *groups) const;

protected:
  PackedWeight(std::vector<StoredTensor> parts, uint64_t rows, uint64_t columns)
      : parts(std::move(parts)), rows(rows), columns(columns) {}

  std::vector<StoredTensor> parts;
  uint64_t rows, columns;
  Encoding encoding = Encoding::None;
  std::string reason;
};

/// What makes a packed weight: the parts of one module and how messages name
/// one.
struct PackedParts {
  const QuantizationConfig &config;
  std::function<std::string(const StoredTensor &)> describe;
  /// Null where the checkpoint has none.
  const StoredTensor *weight = nullptr, *qweight = nullptr, *qzeros = nullptr,
                     *scales = nullptr, *groupIndex = nullptr;
  std::vector<int64_t> shape{}; ///< Out: that of the weight.
};

/// Checks types, shapes and every scale. Errors name the tensor.
Result<std::shared_ptr<const PackedWeight>> makeFp8Weight(PackedParts &parts);
/// GPTQ and AWQ. Also checks every zero point and group index.
Result<std::shared_ptr<const PackedWeight>>
makeIntegerWeight(PackedParts &parts);

/// Replaces the parts of each quantised weight by one tensor of its name, of
/// type F32 with `packed` set and no bytes. Corrupt if parts are missing, or
/// nothing is quantised.
Status assemblePackedWeights(Checkpoint &checkpoint,
                             const QuantizationConfig &config);

/// Corrupt unless scales are F32, F16 or BF16 of this shape, each above zero
/// and finite, also if multiplied by the largest code.
Status checkScales(const PackedParts &parts, const StoredTensor &scales,
                   const std::vector<int64_t> &shape, float largestCode);

/// Element of an F32, F16 or BF16 tensor.
float readScale(const StoredTensor &scales, uint64_t index);

/// "[2, 3]".
std::string formatShape(std::span<const int64_t> shape);

/// Corrupt unless the tensor has this shape.
Status checkShape(const PackedParts &parts, const StoredTensor &tensor,
                  const std::vector<int64_t> &shape);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_PACKEDWEIGHT_H
