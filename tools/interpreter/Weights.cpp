//===- Weights.cpp - where the interpreter's weights come from ------------===//
#include "frontend/HuggingFace/PackedWeight.h"
#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/Numeric.h"
#include "tools/interpreter/Interpreter.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace quern;

/// Exchanges the last two dimensions of three.
static std::vector<float> turn(const std::vector<float> &values,
                               ArrayRef<int64_t> shape) {
  std::vector<float> turned(values.size());
  for (int64_t e = 0; e < shape[0]; ++e)
    for (int64_t i = 0; i < shape[1]; ++i)
      for (int64_t j = 0; j < shape[2]; ++j)
        turned[(e * shape[2] + j) * shape[1] + i] =
            values[(e * shape[1] + i) * shape[2] + j];
  return turned;
}

WeightSource quern::checkpointWeights(const Checkpoint &checkpoint) {
  return [&](qwen::WeightOp weight) -> FailureOr<std::vector<float>> {
    const StoredTensor *tensor =
        checkpoint.find(std::string_view(weight.getSymName()));
    if (!tensor) {
      weight.emitError("the checkpoint has no such tensor");
      return failure();
    }
    if (ArrayRef<int64_t>(weight.getFileShape()) != ArrayRef(tensor->shape)) {
      weight.emitError("the checkpoint's tensor has another shape");
      return failure();
    }
    Result<std::vector<float>> values = readFloats(*tensor);
    if (values.isOk() && weight.getTransposed())
      *values = turn(*values, tensor->shape);
    if (values.isOk()) {
      // The very codes that the weight is stored with are not rounded again.
      Encoding encoding = qwen::getEncoding(weight.getStoredElementType());
      bool isExact = tensor->packed && encoding != Encoding::None &&
                     tensor->packed->getEncoding() == encoding;
      return isExact ? std::move(*values)
                     : roundToStored(weight, std::move(*values));
    }
    weight.emitError(values.getStatus().getMessage());
    return failure();
  };
}

std::vector<float> quern::roundToStored(qwen::WeightOp weight,
                                        std::vector<float> values) {
  Type stored = weight.getStoredElementType();
  Encoding encoding = qwen::getEncoding(stored);
  if (encoding != Encoding::None) {
    auto columns =
        static_cast<uint64_t>(weight.getTensorType().getShape().back());
    EncodedMatrix matrix(encoding, values.size() / columns, columns);
    return matrix.decode(matrix.encode(values));
  }
  DataType type = stored.isBF16()  ? DataType::BF16
                  : stored.isF16() ? DataType::F16
                                   : DataType::F32;
  for (float &value : values)
    value = roundTo(type, value);
  return values;
}

/// FNV-1a: the same on every machine, unlike std::hash.
static uint64_t hashName(StringRef name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : name)
    hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

WeightSource quern::randomWeights(uint64_t seed) {
  return [seed](qwen::WeightOp weight) -> FailureOr<std::vector<float>> {
    RankedTensorType type = weight.getTensorType();
    DataType stored = type.getElementType().isBF16()  ? DataType::BF16
                      : type.getElementType().isF16() ? DataType::F16
                                                      : DataType::F32;
    std::mt19937_64 engine(hashName(weight.getSymName()) ^ seed);
    bool isVector = type.getRank() == 1;
    // A_log near -2 is a decay near exp(-0.2): near 1 a delta net would forget
    // at once what it is to be tested on.
    double mean = !isVector                                ? 0
                  : weight.getSymName().ends_with("A_log") ? -2
                                                           : 1;
    double scale = isVector ? 0.25 : std::sqrt(3.0 / type.getShape().back());
    std::vector<float> values(type.getNumElements());
    for (float &value : values) {
      // Uniform in [-1, 1) by hand: distributions differ between libraries.
      double uniform = static_cast<double>(engine() >> 11) * 0x1p-52 - 1;
      value = roundTo(stored, static_cast<float>(mean + scale * uniform));
    }
    return roundToStored(weight, std::move(values));
  };
}
