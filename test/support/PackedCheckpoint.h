//===- PackedCheckpoint.h - Quantised copies of checkpoints -----*- C++ -*-===//
//
// Writes the linear layers of a checkpoint as FP8, GPTQ and AWQ tools do,
// beside a checkpoint of the f32 numbers that they stand for. Shares nothing
// with the readers. Add PackedCheckpoint.cpp and Golden.cpp to the sources.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_SUPPORT_PACKEDCHECKPOINT_H
#define QUERN_TEST_SUPPORT_PACKEDCHECKPOINT_H

#include "runtime/base/DataType.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quern::test {

struct PackFormat {
  std::string method; ///< "fp8", "gptq" or "awq".
  unsigned bits = 4;
  int64_t groupSize = 32; ///< -1: all inputs.
  bool isSymmetric = true;
  bool hasActOrder = false;
  bool isV2 = false; ///< checkpoint_format gptq_v2.
  int64_t blockRows = 128, blockColumns = 128;
  DataType scaleType = DataType::F16; ///< F16, BF16 or F32.
};

/// A tensor to write.
struct PackedTensor {
  DataType type;
  std::vector<uint64_t> shape;
  std::vector<std::byte> bytes;
};
using PackedTensors = std::map<std::string, PackedTensor>;

/// The tensors of module + "weight" [rows, columns], quantised to nearest, and
/// in `values` what they stand for.
PackedTensors packWeight(const PackFormat &format, const std::string &module,
                         std::vector<float> &values, uint64_t rows,
                         uint64_t columns);

/// The text of quantization_config.
std::string describeFormat(const PackFormat &format);

/// Writes a folder with the tensors and the other files of a stored checkpoint.
/// Its config.json has the members `extra` in front of all others ("" or
/// "\"a\": 1,").
void writeCheckpoint(const std::string &folder, const PackedTensors &tensors,
                     const std::string &model, const std::string &extra);

/// Writes the quantised copy of a stored checkpoint, whose layers' projections
/// and experts are quantised, and the f32 one.
void writePackedCheckpoint(const std::string &model, const PackFormat &format,
                           const std::string &packedFolder,
                           const std::string &decodedFolder);

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_PACKEDCHECKPOINT_H
