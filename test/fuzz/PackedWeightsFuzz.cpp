//===- PackedWeightsFuzz.cpp - Quantised checkpoints ----------------------===//
//
// Attacks what assembles FP8, GPTQ and AWQ weights with whole weight files,
// under several configs. Accepted means: every weight can be read in full, or
// is refused by name, and an encoding holds the very numbers.
//
//===----------------------------------------------------------------------===//

#include "frontend/HuggingFace/PackedWeight.h"
#include "test/fuzz/Fuzz.h"
#include "test/support/TempDir.h"

#include <cmath>
#include <cstring>

using namespace quern;

static QuantizationConfig makeConfig(QuantMethod method, unsigned bits,
                                     int64_t group, bool isSymmetric,
                                     bool hasActOrder) {
  QuantizationConfig config;
  config.method = method;
  config.bits = bits;
  config.groupSize = group;
  config.isSymmetric = isSymmetric;
  config.hasActOrder = hasActOrder;
  config.zeroOffset = method == QuantMethod::Gptq;
  config.blockRows = 2;
  config.blockColumns = 3;
  return config;
}

static void readAll(const PackedWeight &packed) {
  FUZZ_CHECK(packed.getColumns() != 0);
  uint64_t rows = packed.getRows(), columns = packed.getColumns();
  std::vector<float> values(rows * columns);
  Status status = packed.decodeRows(0, rows, values.data());
  if (!status.isOk())
    return fuzz::checkRefusal(status);
  for (float value : values)
    FUZZ_CHECK(std::isfinite(value));
  if (rows > 1) {
    std::vector<float> last(columns);
    FUZZ_CHECK(packed.decodeRows(rows - 1, 1, last.data()).isOk());
    FUZZ_CHECK(std::memcmp(last.data(), &values[(rows - 1) * columns],
                           columns * sizeof(float)) == 0);
  }
  if (packed.getEncoding() == Encoding::None)
    return;
  FUZZ_CHECK(columns % kGroupSize == 0 && rows % kScaleRows == 0);
  std::vector<EncodedGroup> groups(values.size() / kGroupSize);
  packed.encodeRows(0, rows, groups.data());
  for (size_t g = 0; g != groups.size(); ++g) {
    float decoded[kGroupSize];
    decodeGroup(getEncodingInfo(packed.getEncoding()), groups[g], decoded);
    for (size_t i = 0; i != kGroupSize; ++i)
      FUZZ_CHECK(decoded[i] == values[g * kGroupSize + i]);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const quern::test::TempDir folder;
  folder.write("model.safetensors", fuzz::asText(data, size));
  static const QuantizationConfig configs[] = {
      makeConfig(QuantMethod::Fp8, 0, 0, false, false),
      makeConfig(QuantMethod::Gptq, 4, 32, true, false),
      makeConfig(QuantMethod::Gptq, 4, 0, false, true),
      makeConfig(QuantMethod::Gptq, 8, 16, true, true),
      makeConfig(QuantMethod::Awq, 4, 32, false, false)};
  Result<ModelDir> directory = ModelDir::open(folder.str());
  FUZZ_CHECK(directory.isOk());
  for (const QuantizationConfig &config : configs) {
    Result<Checkpoint> checkpoint =
        Checkpoint::open(*directory, {.quantization = &config});
    if (!checkpoint.isOk()) {
      fuzz::checkRefusal(checkpoint.getStatus());
      continue;
    }
    bool isPacked = false;
    for (const auto &[name, tensor] : checkpoint->getTensors())
      if (tensor.packed) {
        isPacked = true;
        readAll(*tensor.packed);
      }
    FUZZ_CHECK(isPacked);
  }
  return 0;
}
