//===- PackedWeightBadTest.cpp - Quantised weights that are refused -------===//
#include "test/frontend/HuggingFace/PackedWeightFixture.h"

#include <functional>

using namespace quern;
using namespace quern::test;

namespace {

using enum StatusCode;

const std::string fp8Config = describeFormat({.method = "fp8"});
const std::string gptqConfig =
    describeFormat({.method = "gptq", .groupSize = -1});

struct BadCase {
  std::function<void(PackedTensors &)> spoil;
  StatusCode code;
  const char *message;
};

/// Sets element `index` of a tensor.
template <typename T>
std::function<void(PackedTensors &)> set(const char *part, size_t index,
                                         T value) {
  return [=](PackedTensors &tensors) {
    std::memcpy(tensors[std::string(packedModule) + part].bytes.data() +
                    index * sizeof(T),
                &value, sizeof(T));
  };
}
std::function<void(PackedTensors &)> drop(const char *part) {
  return [=](PackedTensors &t) { t.erase(std::string(packedModule) + part); };
}
std::function<void(PackedTensors &)> reshape(const char *part,
                                             std::vector<uint64_t> shape) {
  return [=](PackedTensors &t) {
    t[std::string(packedModule) + part].shape = shape;
  };
}
std::function<void(PackedTensors &)> retype(const char *part, DataType type) {
  return [=](PackedTensors &t) {
    t[std::string(packedModule) + part].type = type;
  };
}

} // namespace

class BadPackedWeightTest : public PackedWeightTest {
protected:
  void expectRefused(const PackFormat &format, uint64_t rows, uint64_t columns,
                     std::initializer_list<BadCase> cases) {
    std::vector<float> values = makeValues(rows * columns);
    PackedTensors good =
        packWeight(format, packedModule, values, rows, columns);
    EXPECT_TRUE(succeeds(open(good, describeFormat(format))));
    for (const BadCase &bad : cases) {
      PackedTensors tensors = good;
      bad.spoil(tensors);
      EXPECT_TRUE(failsWith(open(tensors, describeFormat(format)), bad.code,
                            bad.message));
    }
  }
};

TEST_F(BadPackedWeightTest, Fp8) {
  expectRefused(
      {.method = "fp8", .scaleType = DataType::BF16}, 130, 256,
      {{drop("weight_scale_inv"), Corrupt,
        "tensor 'layers.0.q_proj.weight': "
        "'layers.0.q_proj.weight_scale_inv' is missing"},
       {drop("weight"), Corrupt, "'layers.0.q_proj.weight' is missing"},
       {reshape("weight_scale_inv", {1, 4}), Corrupt,
        "tensor 'layers.0.q_proj.weight_scale_inv': expected shape [2, 2], "
        "found [1, 4]"},
       {reshape("weight", {65, 512}), Corrupt,
        "expected shape [1, 4], found [2, 2]"},
       {retype("weight_scale_inv", DataType::I16), Unsupported,
        "expected element type F32, F16 or BF16, found I16"},
       {retype("weight", DataType::F8E5M2), Unsupported,
        "its element type is F8_E5M2, expected F8_E4M3"},
       {set<uint16_t>("weight_scale_inv", 3, 0), Corrupt,
        "element 3 is 0, expected a finite scale above 0"},
       {set<uint16_t>("weight_scale_inv", 0, 0xBF80), Corrupt,
        "element 0 is -1"},
       {set<uint16_t>("weight_scale_inv", 1, 0x7FC0), Corrupt,
        "element 1 is nan"},
       {set<uint16_t>("weight_scale_inv", 1, 0x7F00), Corrupt, "element 1"},
       {[](PackedTensors &tensors) {
          tensors[std::string(packedModule) + "bias"] =
              make<float>(DataType::F32, {2}, {0, 1});
        },
        Unsupported, "q_proj.bias': the model has no bias, expected zeros"}});
}

TEST_F(BadPackedWeightTest, Fp8CodeIsNaN) {
  std::vector<float> values = makeValues(4 * 8);
  PackFormat format{.method = "fp8"};
  PackedTensors tensors = packWeight(format, packedModule, values, 4, 8);
  tensors[name("weight")].bytes[19] = std::byte(0xFF);
  Result<Checkpoint> checkpoint = open(tensors, fp8Config);
  ASSERT_TRUE(succeeds(checkpoint));
  EXPECT_TRUE(failsWith(readFloats(*checkpoint->find(name("weight"))), Corrupt,
                        "'layers.0.q_proj.weight': element 19 at byte"));
  EXPECT_TRUE(failsWith(checkFiniteWeights(*checkpoint), Corrupt,
                        "element 19 at byte"));
}

TEST_F(BadPackedWeightTest, Gptq) {
  expectRefused(
      {.method = "gptq", .groupSize = 32}, 16, 64,
      {{drop("qzeros"), Corrupt,
        "tensor 'layers.0.q_proj.qweight': 'layers.0.q_proj.qzeros' is "
        "missing"},
       {drop("scales"), Corrupt, "'layers.0.q_proj.scales' is missing"},
       {drop("qweight"), Corrupt, "'layers.0.q_proj.qweight' is missing"},
       {reshape("scales", {16, 2}), Corrupt,
        "q_proj.scales': expected shape [2, 16], found [16, 2]"},
       {reshape("qzeros", {4, 1}), Corrupt, "expected shape [2, 2]"},
       {reshape("g_idx", {8, 8}), Corrupt, "expected shape [64]"},
       {reshape("qweight", {128}), Corrupt, "expected 2 dimensions"},
       {reshape("qweight", {32, 4}), Corrupt,
        "has 4 outputs, expected a multiple of 8"},
       {reshape("qweight", {4, 32}), Corrupt,
        "expected shape [1, 32], found [2, 16]"},
       {retype("qweight", DataType::F32), Unsupported,
        "expected element type I32, found F32"},
       {retype("qzeros", DataType::U32), Unsupported, "found U32"},
       {retype("g_idx", DataType::F32), Unsupported, "found F32"},
       {set<uint16_t>("scales", 5, 0), Corrupt, "element 5 is 0"},
       {set<uint16_t>("scales", 5, 0x7C00), Corrupt, "element 5 is inf"},
       {set<uint32_t>("qzeros", 2, 0x77777767), Corrupt,
        "zero point 7 of group 1, output 1, but the config says sym, "
        "expected 8"},
       {set<int32_t>("g_idx", 3, 2), Corrupt, "input 3 is in group 2 of 2"},
       {set<int32_t>("g_idx", 3, -1), Corrupt, "input 3 is in group -1"},
       {set<int32_t>("g_idx", 3, 1), Corrupt,
        "permutes the groups, but the config says no desc_act"},
       {[](PackedTensors &tensors) {
          tensors[std::string(packedModule) + "weight"] =
              make<float>(DataType::F32, {1}, {1});
        },
        Corrupt, "is in the checkpoint twice"}});
  PackFormat ordered{.method = "gptq", .groupSize = 32, .hasActOrder = true};
  expectRefused(ordered, 16, 64,
                {{drop("g_idx"), Corrupt, "desc_act, but g_idx is missing"}});
}

TEST_F(BadPackedWeightTest, SizesThatDoNotDivide) {
  std::vector<float> values = makeValues(16 * 96);
  PackedTensors tensors = packWeight({.method = "awq", .groupSize = 32},
                                     packedModule, values, 16, 96);
  PackFormat other{.method = "awq", .groupSize = 64};
  EXPECT_TRUE(failsWith(open(tensors, describeFormat(other)), Corrupt,
                        "'layers.0.q_proj.qweight': group_size 64 of the "
                        "config does not divide its 96 inputs"));
}

TEST_F(BadPackedWeightTest, ConfigAndTensorsDisagree) {
  PackedTensors plain;
  plain[name("weight")] = make<float>(DataType::F32, {1, 1}, {1});
  EXPECT_TRUE(failsWith(open(plain, fp8Config), Corrupt,
                        "$.quantization_config says fp8, but the checkpoint "
                        "has no tensor '*_scale_inv'"));
  EXPECT_TRUE(failsWith(open(plain, gptqConfig), Corrupt, "'*.qweight'"));
  std::vector<float> values = makeValues(8 * 8);
  PackedTensors packed =
      packWeight({.method = "fp8"}, packedModule, values, 8, 8);
  EXPECT_TRUE(failsWith(
      open(packed, "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, "
                   "128], \"modules_to_not_convert\": "
                   "[\"lm_head\", \"layers.0.q_proj\"]}"),
      Corrupt, "is quantised, but modules_to_not_convert"));
  // A name without a module.
  PackedTensors nameless;
  nameless["qweight"] =
      make<uint32_t>(DataType::I32, {1, 8}, std::vector<uint32_t>(8));
  EXPECT_TRUE(
      failsWith(open(nameless, gptqConfig), Corrupt, "no tensor '*.qweight'"));
}
