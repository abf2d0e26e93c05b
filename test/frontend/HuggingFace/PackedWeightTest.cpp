//===- PackedWeightTest.cpp - FP8, GPTQ and AWQ weights -------------------===//
//
// Words written by hand, and matrices that test/support/PackedCheckpoint
// packed.
//
//===----------------------------------------------------------------------===//
#include "test/frontend/HuggingFace/PackedWeightFixture.h"

using namespace quern;
using namespace quern::test;

TEST_F(PackedWeightTest, Fp8ByHand) {
  PackedTensors tensors;
  // 1, 2, -1; 448, 2^-9, -0: blocks of one row and two columns.
  tensors[name("weight")] = make<uint8_t>(DataType::F8E4M3, {2, 3},
                                          {0x38, 0x40, 0xB8, 0x7E, 0x01, 0x80});
  tensors[name("weight_scale_inv")] =
      make<float>(DataType::F32, {2, 2}, {0.5f, 2, 1, 0.25f});
  EXPECT_EQ(read(tensors, "{\"quant_method\": \"fp8\", "
                          "\"weight_block_size\": [1, 2]}"),
            (std::vector<float>{0.5f, 1, -2, 448, 0x1p-9f, 0}));
}

TEST_F(PackedWeightTest, Fp8ExpertsInOneTensor) {
  PackedTensors tensors;
  tensors["mlp.experts.down_proj"] = make<uint8_t>(
      DataType::F8E4M3, {2, 3, 1}, {0x38, 0x38, 0x38, 0x38, 0x38, 0x38});
  tensors["mlp.experts.down_proj_scale_inv"] =
      make<float>(DataType::F32, {2, 2, 1}, {1, 2, 3, 4});
  Result<Checkpoint> checkpoint =
      open(tensors, "{\"quant_method\": \"fp8\", "
                    "\"weight_block_size\": [2, 2]}");
  ASSERT_TRUE(succeeds(checkpoint));
  const StoredTensor *tensor = checkpoint->find("mlp.experts.down_proj");
  ASSERT_TRUE(tensor && tensor->packed);
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 3, 1}));
  // The rows of an expert begin a block of their own.
  EXPECT_EQ(*readFloats(*tensor), (std::vector<float>{1, 1, 2, 3, 3, 4}));
}

TEST_F(PackedWeightTest, GptqByHand) {
  // Two rows of words of eight inputs, of eight outputs each.
  PackedTensors tensors;
  tensors[name("qweight")] =
      make<uint32_t>(DataType::I32, {1, 8},
                     {0x76543210, 0xFEDCBA98, 0, 0, 0, 0, 0, 0xFFFFFFFF});
  // Stored less one; the last is 0 by wrapping around.
  tensors[name("qzeros")] = make<uint32_t>(DataType::I32, {1, 1}, {0xF7777757});
  tensors[name("scales")] =
      make<float>(DataType::F32, {1, 8}, {0.5f, 2, 1, 1, 1, 1, 1, 3});
  std::vector<float> values =
      read(tensors, "{\"quant_method\": \"gptq\", \"bits\": 4, "
                    "\"group_size\": 8, \"sym\": false}");
  ASSERT_EQ(values.size(), 64u);
  for (int k = 0; k != 8; ++k) {
    EXPECT_EQ(values[k], 0.5f * float(k - 8));
    EXPECT_EQ(values[8 + k], 2 * float(8 + k - 6));
    EXPECT_EQ(values[16 + k], -8);
    EXPECT_EQ(values[56 + k], 3 * 15);
  }
}

TEST_F(PackedWeightTest, AwqByHand) {
  PackedTensors tensors;
  tensors[name("qweight")] =
      make<uint32_t>(DataType::I32, {2, 1}, {0x76543210, 0});
  tensors[name("qzeros")] = make<uint32_t>(DataType::I32, {1, 1}, {0x00010000});
  tensors[name("scales")] =
      make<float>(DataType::F32, {1, 8}, {1, 1, 1, 1, 1, 1, 1, 1});
  std::vector<float> values =
      read(tensors, "{\"quant_method\": \"awq\", \"bits\": 4, "
                    "\"group_size\": 2, \"version\": \"GEMM\"}");
  ASSERT_EQ(values.size(), 16u);
  // The fifth place is column 1.
  float first[] = {0, 4 - 1, 1, 5, 2, 6, 3, 7};
  for (int n = 0; n != 8; ++n) {
    EXPECT_EQ(values[2 * n], first[n]);
    EXPECT_EQ(values[2 * n + 1], n == 1 ? -1 : 0);
  }
}

struct FormatCase {
  const char *name;
  PackFormat format;
  Encoding encoding;
};

class PackedFormatTest : public PackedWeightTest,
                         public testing::WithParamInterface<FormatCase> {};

TEST_P(PackedFormatTest, StandsForTheNumbersThatWerePacked) {
  constexpr uint64_t rows = 200, columns = 192;
  std::vector<float> values = makeValues(rows * columns);
  PackedTensors tensors =
      packWeight(GetParam().format, packedModule, values, rows, columns);
  Result<Checkpoint> checkpoint =
      open(tensors, describeFormat(GetParam().format));
  ASSERT_TRUE(succeeds(checkpoint));
  EXPECT_TRUE(succeeds(checkFiniteWeights(*checkpoint)));
  const StoredTensor *tensor = checkpoint->find(name("weight"));
  ASSERT_TRUE(tensor && tensor->packed);
  const PackedWeight &packed = *tensor->packed;
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{rows, columns}));
  EXPECT_EQ(packed.getParts().size(), tensors.size());
  // Any range of rows, across the borders of tiles and words.
  for (auto [first, count] :
       {std::pair<uint64_t, uint64_t>{0, rows}, {5, 70}, {rows - 1, 1}}) {
    std::vector<float> decoded(count * columns);
    ASSERT_TRUE(succeeds(packed.decodeRows(first, count, decoded.data())));
    EXPECT_EQ(std::memcmp(decoded.data(), &values[first * columns],
                          decoded.size() * sizeof(float)),
              0);
  }
  EXPECT_EQ(packed.getEncoding(), GetParam().encoding);
  if (packed.getEncoding() == Encoding::None) {
    EXPECT_EQ(packed.getReason().empty(), GetParam().format.method == "fp8");
    return;
  }
  std::vector<EncodedGroup> groups(70 * columns / kGroupSize);
  packed.encodeRows(5, 70, groups.data());
  for (size_t g = 0; g != groups.size(); ++g) {
    float decoded[kGroupSize];
    decodeGroup(getEncodingInfo(packed.getEncoding()), groups[g], decoded);
    for (size_t i = 0; i != kGroupSize; ++i)
      ASSERT_EQ(decoded[i], values[5 * columns + g * kGroupSize + i]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats, PackedFormatTest,
    testing::Values(
        FormatCase{"Fp8",
                   {.method = "fp8", .scaleType = DataType::BF16},
                   Encoding::None},
        FormatCase{"Fp8SmallBlocks",
                   {.method = "fp8",
                    .blockRows = 24,
                    .blockColumns = 64,
                    .scaleType = DataType::BF16},
                   Encoding::None},
        FormatCase{"Gptq", {.method = "gptq"}, Encoding::Q4},
        FormatCase{
            "GptqOneGroup", {.method = "gptq", .groupSize = -1}, Encoding::Q4},
        FormatCase{"GptqGroupsOf64",
                   {.method = "gptq", .groupSize = 64},
                   Encoding::Q4},
        FormatCase{"GptqV2", {.method = "gptq", .isV2 = true}, Encoding::Q4},
        FormatCase{"GptqAsymmetric",
                   {.method = "gptq", .isSymmetric = false},
                   Encoding::Q4ZeroPoint},
        FormatCase{"GptqAsymmetricV2",
                   {.method = "gptq", .isSymmetric = false, .isV2 = true},
                   Encoding::Q4ZeroPoint},
        FormatCase{"Gptq8", {.method = "gptq", .bits = 8}, Encoding::Int8},
        FormatCase{"Gptq8Asymmetric",
                   {.method = "gptq", .bits = 8, .isSymmetric = false},
                   Encoding::None},
        FormatCase{"GptqActOrder",
                   {.method = "gptq", .hasActOrder = true},
                   Encoding::None},
        FormatCase{"GptqActOrderOfOneGroup",
                   {.method = "gptq", .groupSize = -1, .hasActOrder = true},
                   Encoding::Q4},
        FormatCase{"GptqGroupsOf24",
                   {.method = "gptq", .groupSize = 24},
                   Encoding::None},
        FormatCase{"GptqF32Scales",
                   {.method = "gptq", .scaleType = DataType::F32},
                   Encoding::None},
        FormatCase{"Awq",
                   {.method = "awq", .isSymmetric = false},
                   Encoding::Q4ZeroPoint},
        FormatCase{"AwqGroupsOf64",
                   {.method = "awq", .groupSize = 64, .isSymmetric = false},
                   Encoding::Q4ZeroPoint}),
    [](const auto &info) { return info.param.name; });
