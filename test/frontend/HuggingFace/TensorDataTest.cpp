//===- TensorDataTest.cpp - Elements: groups 21 and 27 --------------------===//

#include "frontend/HuggingFace/TensorData.h"
#include "test/support/Expect.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

using namespace quern;
using namespace quern::test;

/// A tensor over the bytes of `values`, placed `shift` bytes into `buffer`.
template <typename T>
static StoredTensor makeTensor(std::vector<std::byte> &buffer, DataType type,
                               std::vector<T> values, size_t shift = 0) {
  size_t size = values.size() * sizeof(T);
  buffer.assign(shift + size, std::byte{0});
  std::memcpy(buffer.data() + shift, values.data(), size);
  StoredTensor tensor;
  tensor.type = type;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.bytes = std::span<const std::byte>(buffer).subspan(shift);
  return tensor;
}

TEST(TensorData, Group21MisalignedDataAreRead) {
  std::vector<std::byte> buffer;
  for (size_t shift = 0; shift < 8; ++shift) {
    EXPECT_EQ(*readFloats(makeTensor<float>(buffer, DataType::F32,
                                            {1.5f, -2.0f}, shift)),
              (std::vector<float>{1.5f, -2.0f}));
    EXPECT_EQ(*readFloats(makeTensor<uint16_t>(buffer, DataType::BF16,
                                               {0x3FC0, 0xC000}, shift)),
              (std::vector<float>{1.5f, -2.0f}));
    EXPECT_EQ(findNonFinite(makeTensor<uint16_t>(buffer, DataType::BF16,
                                                 {0, 0x7F80}, shift)),
              1u);
    EXPECT_EQ(*readIntegers(makeTensor<int64_t>(buffer, DataType::I64,
                                                {INT64_MIN, 3}, shift)),
              (std::vector<int64_t>{INT64_MIN, 3}));
  }
}

TEST(TensorData, HalfPrecision) {
  std::vector<std::byte> buffer;
  Result<std::vector<float>> values = readFloats(
      makeTensor<uint16_t>(buffer, DataType::F16,
                           {0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x83FF,
                            0x8000, 0x7C00, 0xFC00, 0x7E00}));
  ASSERT_TRUE(succeeds(values));
  const float expected[] = {1,        -2,       65504,
                            0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f,
                            -0.0f,    INFINITY, -INFINITY};
  for (size_t i = 0; i < std::size(expected); ++i)
    EXPECT_EQ(std::bit_cast<uint32_t>((*values)[i]),
              std::bit_cast<uint32_t>(expected[i]))
        << i;
  EXPECT_TRUE(std::isnan((*values)[9]));
}

TEST(TensorData, UnsupportedTypes) {
  std::vector<std::byte> buffer;
  EXPECT_TRUE(
      failsWith(readFloats(makeTensor<uint8_t>(buffer, DataType::F8E4M3, {1})),
                StatusCode::Unsupported, "F8_E4M3"));
  EXPECT_TRUE(
      failsWith(readIntegers(makeTensor<float>(buffer, DataType::F32, {1})),
                StatusCode::Unsupported, "F32"));
}

TEST(TensorDataBad, Group27NonFiniteAnywhere) {
  std::vector<std::byte> buffer;
  for (size_t position : {0, 1, 1023, 1024, 2999}) {
    for (float bad : {INFINITY, -INFINITY, NAN}) {
      std::vector<float> values(3000, 3e38f);
      values[position] = bad;
      EXPECT_EQ(findNonFinite(makeTensor(buffer, DataType::F32, values)),
                position);
    }
    for (uint16_t bad : {0x7F80, 0xFF80, 0x7F81, 0xFFFF}) {
      std::vector<uint16_t> values(3000, 0x7F7F);
      values[position] = bad;
      EXPECT_EQ(findNonFinite(makeTensor(buffer, DataType::BF16, values)),
                position);
    }
    for (uint16_t bad : {0x7C00, 0xFC00, 0x7C01}) {
      std::vector<uint16_t> values(3000, 0x7BFF);
      values[position] = bad;
      EXPECT_EQ(findNonFinite(makeTensor(buffer, DataType::F16, values)),
                position);
    }
    std::vector<double> values(3000, 1e300);
    values[position] = NAN;
    EXPECT_EQ(findNonFinite(makeTensor(buffer, DataType::F64, values)),
              position);
  }
  EXPECT_FALSE(findNonFinite(
      makeTensor<float>(buffer, DataType::F32, {3e38f, -0.0f, 1e-45f})));
  EXPECT_FALSE(findNonFinite(
      makeTensor<uint16_t>(buffer, DataType::I16, {0x7FFF, 0xFFFF})));
}
