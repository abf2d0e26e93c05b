//===- TensorData.h - Elements of stored tensors -----------------*- C++
//-*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_TENSORDATA_H
#define QUERN_FRONTEND_HUGGINGFACE_TENSORDATA_H

#include "frontend/HuggingFace/Checkpoint.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace quern {

/// All elements as float; exact for F32, F16 and BF16, rounded for F64; what a
/// packed one stands for.
/// Unsupported for other types. Data need not be aligned.
Result<std::vector<float>> readFloats(const StoredTensor &tensor);

/// All elements of an I64, I32 or U8 tensor.
Result<std::vector<int64_t>> readIntegers(const StoredTensor &tensor);

/// Index of the first NaN or infinity of an F32, F16, BF16, F64 or F8_E4M3
/// tensor, or among the codes of a packed one;
/// nothing if all are finite or the type has no such values.
std::optional<uint64_t> findNonFinite(const StoredTensor &tensor);

/// Error naming the first NaN or infinity of any tensor: --strict-weights.
Status checkFiniteWeights(const Checkpoint &checkpoint);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_TENSORDATA_H
