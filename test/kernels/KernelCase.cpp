//===- KernelCase.cpp - A kernel request with data and answer -------------===//
#include "test/kernels/KernelCase.h"

#include "runtime/base/Numeric.h"

#include <algorithm>
#include <cstring>
#include <ostream>
#include <random>

using namespace quern;
using namespace quern::test;

static size_t countElements(const std::vector<int64_t> &shape) {
  size_t count = 1;
  for (int64_t size : shape)
    count *= static_cast<size_t>(size);
  return count;
}

template <typename T>
static std::vector<std::byte> toBytes(const std::vector<T> &values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

static EncodedMatrix describeMatrix(const Tensor &tensor) {
  auto columns = static_cast<uint64_t>(tensor.shape.back());
  return {tensor.encoding, countElements(tensor.shape) / columns, columns};
}

static Int8Rows describeRows(const Tensor &tensor) {
  auto rows = static_cast<uint64_t>(tensor.shape[tensor.shape.size() - 2]);
  auto columns = static_cast<uint64_t>(tensor.shape.back());
  return {countElements(tensor.shape) / (rows * columns), rows, columns};
}

/// The words of the first matrixBytes bytes, which are rows, in panels.
static std::vector<std::byte> packPanels(const std::vector<std::byte> &bytes,
                                         size_t matrixBytes, size_t rowBytes,
                                         size_t rows) {
  std::vector<std::byte> packed = bytes;
  size_t to = 0;
  for (size_t panel = 0; panel != matrixBytes; panel += rows * rowBytes)
    for (size_t word = 0; word != rowBytes; word += 4)
      for (size_t row = 0; row != rows; ++row, to += 4)
        std::memcpy(&packed[to], &bytes[panel + row * rowBytes + word], 4);
  return packed;
}

std::vector<std::byte> Tensor::encode() const {
  std::vector<std::byte> bytes = encodeRows();
  if (panelRows == 0)
    return bytes;
  size_t matrixBytes = encoding != Encoding::None
                           ? describeMatrix(*this).wordBytes()
                           : bytes.size();
  size_t rows = countElements(shape) / shape.back();
  return packPanels(bytes, matrixBytes, matrixBytes / rows, panelRows);
}

std::vector<std::byte> Tensor::encodeRows() const {
  if (encoding != Encoding::None)
    return describeMatrix(*this).encode(unrounded);
  if (int8Rows)
    return describeRows(*this).encode(unrounded);
  if (type == DataType::I32)
    return toBytes(integers);
  if (type == DataType::F32)
    return toBytes(values);
  std::vector<uint16_t> halves;
  for (float value : values)
    halves.push_back(type == DataType::F16 ? floatToF16(value)
                                           : floatToBf16(value));
  return toBytes(halves);
}

void Tensor::decode(const std::vector<std::byte> &bytes) {
  size_t count = countElements(shape);
  if (encoding != Encoding::None) {
    values = describeMatrix(*this).decode(bytes);
    return;
  }
  if (int8Rows) {
    values = describeRows(*this).decode(bytes);
    return;
  }
  if (type == DataType::I32) {
    integers.resize(count);
    std::memcpy(integers.data(), bytes.data(), count * 4);
    return;
  }
  values.resize(count);
  for (size_t i = 0; i != count; ++i) {
    if (type == DataType::F32) {
      std::memcpy(&values[i], bytes.data() + i * 4, 4);
      continue;
    }
    uint16_t half;
    std::memcpy(&half, bytes.data() + i * 2, 2);
    values[i] = type == DataType::F16 ? f16ToFloat(half) : bf16ToFloat(half);
  }
}

Tensor test::makeRandom(DataType type, std::vector<int64_t> shape, double scale,
                        unsigned seed) {
  std::mt19937 engine(seed);
  Tensor tensor{type, std::move(shape)};
  tensor.values.resize(countElements(tensor.shape));
  for (float &value : tensor.values)
    value = roundTo(
        type, static_cast<float>((engine() / 2147483648.0 - 1.0) * scale));
  return tensor;
}

Tensor test::makeRandomWeight(DataType type, Encoding encoding,
                              std::vector<int64_t> shape, double scale,
                              unsigned seed) {
  if (encoding == Encoding::None)
    return makeRandom(type, std::move(shape), scale, seed);
  Tensor tensor = makeRandom(DataType::F32, std::move(shape), scale, seed);
  tensor.encoding = encoding;
  tensor.unrounded = tensor.values;
  tensor.decode(tensor.encode());
  return tensor;
}

Tensor test::makeRandomInt8Rows(std::vector<int64_t> shape, double scale,
                                unsigned seed) {
  Tensor tensor = makeRandom(DataType::F32, std::move(shape), scale, seed);
  tensor.int8Rows = true;
  tensor.unrounded = tensor.values;
  tensor.decode(tensor.encode());
  return tensor;
}

Tensor test::makeZeros(DataType type, std::vector<int64_t> shape) {
  Tensor tensor{type, std::move(shape)};
  size_t count = countElements(tensor.shape);
  if (type == DataType::I32)
    tensor.integers.resize(count);
  else
    tensor.values.resize(count);
  return tensor;
}

Tensor test::makeIntegers(std::vector<int64_t> shape,
                          std::vector<int32_t> values) {
  return {DataType::I32, std::move(shape), {}, std::move(values)};
}

unsigned KernelCase::addInput(Tensor tensor) {
  request.arguments.push_back({ArgumentEffect::Read, tensor.type, tensor.shape,
                               tensor.encoding, tensor.int8Rows});
  arguments.push_back(std::move(tensor));
  return static_cast<unsigned>(arguments.size() - 1);
}

unsigned KernelCase::addOutput(Expectation expectation) {
  unsigned index =
      addInput(makeZeros(expectation.tensor.type, expectation.tensor.shape));
  request.arguments[index].effect = ArgumentEffect::Write;
  expected.emplace(index, std::move(expectation));
  return index;
}

unsigned KernelCase::addState(Tensor before, Expectation after) {
  unsigned index = addInput(std::move(before));
  request.arguments[index].effect = ArgumentEffect::ReadWrite;
  expected.emplace(index, std::move(after));
  return index;
}

unsigned KernelCase::addStateView(unsigned input, Expectation after) {
  unsigned index = addState(arguments[input], std::move(after));
  views.emplace(index, input);
  return index;
}

bool KernelCase::fit(const TargetDescription &target) {
  if (onMatrixUnits && target.mmaTokens == 0)
    return false;
  if (panelWeights.empty())
    return true;
  int64_t rows = target.getPanelRows();
  request.config["weight_panels"] = rows;
  return rows != 0 && std::ranges::all_of(panelWeights, [&](unsigned weight) {
           Tensor &tensor = arguments[weight];
           tensor.panelRows = rows;
           return tensor.shape[tensor.shape.size() - 2] % rows == 0;
         });
}

double test::relativeTolerance(DataType type) {
  return type == DataType::F16    ? 0x1p-10
         : type == DataType::BF16 ? 0x1p-7
                                  : 4e-6;
}

std::string test::typeName(DataType type) {
  std::string name(dataTypeName(type));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string test::weightName(DataType type, Encoding encoding) {
  if (encoding == Encoding::None)
    return typeName(type);
  std::string name(getEncodingInfo(encoding).name);
  std::erase(name, '-');
  return name;
}

void test::PrintTo(const NamedCase &entry, std::ostream *stream) {
  *stream << entry.name;
}

const std::vector<NamedCase> &test::getKernelCases() {
  static const std::vector<NamedCase> cases = [] {
    std::vector<NamedCase> all;
    addDenseCases(all);
    addLinearCases(all);
    addEncodedCases(all);
    addIntegerCases(all);
    addAttentionCases(all);
    addAttentionSplitCases(all);
    addDeltaChunkCases(all);
    addMoeCases(all);
    addExpertCases(all);
    addDeltaCases(all);
    addDeltaRuleCases(all);
    addSampleCases(all);
    return all;
  }();
  return cases;
}
