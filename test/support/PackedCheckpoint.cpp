//===- PackedCheckpoint.cpp - Quantised copies of checkpoints -------------===//
#include "test/support/PackedCheckpoint.h"

#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/Numeric.h"
#include "runtime/base/SafetensorsWriter.h"
#include "test/support/Expect.h"
#include "test/support/Golden.h"
#include "test/support/TempDir.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

using namespace quern;
using namespace quern::test;

template <typename T>
static PackedTensor makeTensor(DataType type, std::vector<uint64_t> shape,
                               const std::vector<T> &elements) {
  PackedTensor tensor{type, std::move(shape), {}};
  tensor.bytes.resize(elements.size() * sizeof(T));
  std::memcpy(tensor.bytes.data(), elements.data(), tensor.bytes.size());
  return tensor;
}

/// Rounds scales to a type, in place too.
static PackedTensor makeScales(DataType type, std::vector<uint64_t> shape,
                               std::vector<float> &scales) {
  for (float &scale : scales)
    scale = roundTo(type, scale);
  if (type == DataType::F32)
    return makeTensor(type, std::move(shape), scales);
  std::vector<uint16_t> bits;
  for (float scale : scales)
    bits.push_back(type == DataType::F16 ? floatToF16(scale)
                                         : floatToBf16(scale));
  return makeTensor(type, std::move(shape), bits);
}

//===----------------------------------------------------------------------===//
// FP8
//===----------------------------------------------------------------------===//

/// float8_e4m3fn by its definition: 4 bits of exponent with bias 7, 3 of
/// fraction.
static double decodeFp8(unsigned code) {
  int exponent = static_cast<int>(code >> 3 & 15);
  double fraction = (code & 7) / 8.0;
  double magnitude = exponent == 0 ? std::ldexp(fraction, -6)
                                   : std::ldexp(1 + fraction, exponent - 7);
  return code & 0x80 ? -magnitude : magnitude;
}

static uint8_t encodeFp8(double value) {
  unsigned best = 0;
  for (unsigned code = 0; code != 256; ++code)
    if ((code & 0x7F) != 0x7F &&
        std::fabs(decodeFp8(code) - value) < std::fabs(decodeFp8(best) - value))
      best = code;
  return static_cast<uint8_t>(best);
}

static PackedTensors packFp8(const PackFormat &format,
                             const std::string &module,
                             std::vector<float> &values, uint64_t rows,
                             uint64_t columns) {
  auto blockRows = static_cast<uint64_t>(format.blockRows);
  auto blockColumns = static_cast<uint64_t>(format.blockColumns);
  uint64_t down = (rows + blockRows - 1) / blockRows;
  uint64_t across = (columns + blockColumns - 1) / blockColumns;
  std::vector<float> scales(down * across, 1e-6f);
  auto scaleOf = [&](uint64_t i) -> float & {
    return scales[i / columns / blockRows * across +
                  i % columns / blockColumns];
  };
  for (uint64_t i = 0; i != values.size(); ++i)
    scaleOf(i) = std::max(scaleOf(i), std::fabs(values[i]) / 448);
  PackedTensors tensors;
  tensors.emplace(module + "weight_scale_inv",
                  makeScales(format.scaleType, {down, across}, scales));
  std::vector<uint8_t> codes(values.size());
  for (uint64_t i = 0; i != values.size(); ++i) {
    codes[i] = encodeFp8(double(values[i]) / scaleOf(i));
    values[i] = static_cast<float>(decodeFp8(codes[i]) * double(scaleOf(i)));
  }
  tensors.emplace(module + "weight",
                  makeTensor(DataType::F8E4M3, {rows, columns}, codes));
  return tensors;
}

//===----------------------------------------------------------------------===//
// GPTQ and AWQ
//===----------------------------------------------------------------------===//

namespace {

/// Codes of a matrix with scales and zero points of groups of inputs.
struct Groups {
  uint64_t rows, columns, count;
  std::vector<int32_t> groupOf;
  std::vector<float> scales;   ///< [groups, rows]
  std::vector<unsigned> zeros; ///< [groups, rows]
  std::vector<unsigned> codes; ///< [rows, columns]
  unsigned code(uint64_t row, uint64_t column) const {
    return codes[row * columns + column];
  }
};

} // namespace

static Groups quantizeGroups(const PackFormat &format,
                             std::vector<float> &values, uint64_t rows,
                             uint64_t columns, PackedTensor &scales) {
  uint64_t size =
      format.groupSize < 0 ? columns : static_cast<uint64_t>(format.groupSize);
  Groups groups{rows, columns, columns / size, {}, {}, {}, {}};
  for (uint64_t k = 0; k != columns; ++k)
    groups.groupOf.push_back(
        static_cast<int32_t>(format.hasActOrder ? k % groups.count : k / size));
  int most = (1 << format.bits) - 1, middle = 1 << (format.bits - 1);
  std::vector<float> low(groups.count * rows, 0), high = low;
  auto at = [&](uint64_t i) {
    return static_cast<uint64_t>(groups.groupOf[i % columns]) * rows +
           i / columns;
  };
  for (uint64_t i = 0; i != values.size(); ++i) {
    low[at(i)] = std::min(low[at(i)], values[i]);
    high[at(i)] = std::max(high[at(i)], values[i]);
  }
  for (uint64_t i = 0; i != low.size(); ++i)
    groups.scales.push_back(
        1e-5f + (format.isSymmetric
                     ? std::max(-low[i], high[i]) / float(middle - 1)
                     : (high[i] - low[i]) / float(most)));
  scales = makeScales(format.scaleType, {groups.count, rows}, groups.scales);
  for (uint64_t i = 0; i != low.size(); ++i)
    groups.zeros.push_back(static_cast<unsigned>(
        format.isSymmetric
            ? middle
            : std::clamp<int>(int(std::lround(-low[i] / groups.scales[i])), 0,
                              most)));
  for (uint64_t i = 0; i != values.size(); ++i) {
    float scale = groups.scales[at(i)];
    int zero = static_cast<int>(groups.zeros[at(i)]);
    int code =
        std::clamp<int>(int(std::lround(values[i] / scale)) + zero, 0, most);
    groups.codes.push_back(static_cast<unsigned>(code));
    values[i] = static_cast<float>(double(scale) * (code - zero));
  }
  return groups;
}

static PackedTensors packGptq(const PackFormat &format,
                              const std::string &module,
                              std::vector<float> &values, uint64_t rows,
                              uint64_t columns) {
  PackedTensors tensors;
  Groups groups =
      quantizeGroups(format, values, rows, columns, tensors[module + "scales"]);
  unsigned perWord = 32 / format.bits;
  std::vector<uint32_t> words(columns / perWord * rows);
  for (uint64_t k = 0; k != columns; ++k)
    for (uint64_t n = 0; n != rows; ++n)
      words[k / perWord * rows + n] |= groups.code(n, k)
                                       << (k % perWord * format.bits);
  tensors[module + "qweight"] =
      makeTensor(DataType::I32, {columns / perWord, rows}, words);
  std::vector<uint32_t> zeros(groups.count * rows / perWord);
  unsigned mask = (1u << format.bits) - 1;
  for (uint64_t i = 0; i != groups.zeros.size(); ++i)
    zeros[i / perWord] |= ((groups.zeros[i] - (format.isV2 ? 0 : 1)) & mask)
                          << (i % perWord * format.bits);
  tensors[module + "qzeros"] =
      makeTensor(DataType::I32, {groups.count, rows / perWord}, zeros);
  tensors[module + "g_idx"] =
      makeTensor(DataType::I32, {columns}, groups.groupOf);
  return tensors;
}

static PackedTensors packAwq(const PackFormat &format,
                             const std::string &module,
                             std::vector<float> &values, uint64_t rows,
                             uint64_t columns) {
  PackedTensors tensors;
  Groups groups =
      quantizeGroups(format, values, rows, columns, tensors[module + "scales"]);
  // Where each of eight columns goes: evens first, then odds.
  auto shiftOf = [](uint64_t n) { return 4 * (n % 8 / 2 + n % 2 * 4); };
  std::vector<uint32_t> words(columns * rows / 8);
  for (uint64_t k = 0; k != columns; ++k)
    for (uint64_t n = 0; n != rows; ++n)
      words[(k * rows + n) / 8] |= groups.code(n, k) << shiftOf(n);
  tensors[module + "qweight"] =
      makeTensor(DataType::I32, {columns, rows / 8}, words);
  std::vector<uint32_t> zeros(groups.count * rows / 8);
  for (uint64_t i = 0; i != groups.zeros.size(); ++i)
    zeros[i / 8] |= groups.zeros[i] << shiftOf(i);
  tensors[module + "qzeros"] =
      makeTensor(DataType::I32, {groups.count, rows / 8}, zeros);
  return tensors;
}

PackedTensors quern::test::packWeight(const PackFormat &format,
                                      const std::string &module,
                                      std::vector<float> &values, uint64_t rows,
                                      uint64_t columns) {
  auto *pack = format.method == "fp8"    ? packFp8
               : format.method == "gptq" ? packGptq
                                         : packAwq;
  return pack(format, module, values, rows, columns);
}

std::string quern::test::describeFormat(const PackFormat &format) {
  auto number = [](int64_t value) { return std::to_string(value); };
  std::string text = "{\"quant_method\": \"" + format.method + "\", ";
  if (format.method == "fp8")
    return text +
           "\"activation_scheme\": \"dynamic\", \"fmt\": \"e4m3\", "
           "\"weight_block_size\": [" +
           number(format.blockRows) + ", " + number(format.blockColumns) + "]}";
  text += "\"bits\": " + number(format.bits) +
          ", \"group_size\": " + number(format.groupSize);
  if (format.method == "awq")
    return text + ", \"version\": \"gemm\", \"zero_point\": true, "
                  "\"modules_to_not_convert\": null}";
  auto flag = [](bool value) { return value ? "true" : "false"; };
  return text +
         ", \"damp_percent\": 0.01, \"desc_act\": " + flag(format.hasActOrder) +
         ", \"lm_head\": false, \"sym\": " + flag(format.isSymmetric) +
         ", \"true_sequential\": true, " + "\"checkpoint_format\": \"" +
         (format.isV2 ? "gptq_v2" : "gptq") + "\"}";
}

//===----------------------------------------------------------------------===//
// Whole checkpoints
//===----------------------------------------------------------------------===//

void quern::test::writeCheckpoint(const std::string &folder,
                                  const PackedTensors &tensors,
                                  const std::string &model,
                                  const std::string &extra) {
  namespace fs = std::filesystem;
  fs::path source = storedGoldens() + "/checkpoints/" + model;
  for (const auto &entry : fs::directory_iterator(source))
    if (entry.path().filename().string().find("safetensors") ==
        std::string::npos)
      fs::copy_file(entry.path(), folder / entry.path().filename());
  std::string config = readBytes(folder + "/config.json");
  config.insert(config.find('{') + 1, extra);
  std::ofstream(folder + "/config.json") << config;
  std::vector<SafetensorsTensor> list;
  for (const auto &[name, tensor] : tensors)
    list.push_back({name, tensor.type, tensor.shape, tensor.bytes});
  std::ranges::stable_sort(list, std::greater(), [](const auto &tensor) {
    return dataTypeBits(tensor.type);
  });
  EXPECT_TRUE(succeeds(writeSafetensors(folder + "/model.safetensors", list)));
}

void quern::test::writePackedCheckpoint(const std::string &model,
                                        const PackFormat &format,
                                        const std::string &packedFolder,
                                        const std::string &decodedFolder) {
  std::unique_ptr<TestModel> from = TestModel::openGolden(model);
  ASSERT_TRUE(from);
  PackedTensors packed, decoded;
  for (const auto &[name, tensor] : from->checkpoint.getTensors()) {
    Result<std::vector<float>> values = readFloats(tensor);
    ASSERT_TRUE(succeeds(values));
    std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    if (name.ends_with("_proj.weight"))
      packed.merge(packWeight(format, name.substr(0, name.size() - 6), *values,
                              shape[0], shape[1]));
    else
      packed[name] = {
          tensor.type, shape, {tensor.bytes.begin(), tensor.bytes.end()}};
    decoded[name] = makeTensor(DataType::F32, shape, *values);
  }
  writeCheckpoint(packedFolder, packed, model,
                  "\"quantization_config\": " + describeFormat(format) + ",");
  writeCheckpoint(decodedFolder, decoded, model, "");
}
