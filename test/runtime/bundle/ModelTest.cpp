//===- ModelTest.cpp - Bad models, states and weights ---------------------===//

#include "test/runtime/bundle/BundleTest.h"

#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {
class ModelTest : public BundleTest {};
} // namespace

/// Makes weights[0], of 1024 bytes, one of this encoding and shape, which the
/// bundle declares.
static void encodeWeight(TinyBundle &tiny, Encoding encoding,
                         std::vector<uint64_t> shape) {
  bundle::WeightT &weight = *tiny.manifest.weights[0];
  weight.encoding = static_cast<bundle::Encoding>(encoding);
  weight.dtype = bundle::DType::F32;
  weight.shape = std::move(shape);
  tiny.manifest.required_features = {getEncodingFeature(encoding)};
}

TEST_F(ModelTest, EncodedWeights) {
  // 24 rows with one group of 32 + 2 bytes, 48 with one of 16 + 2: padded.
  expectAccepted([](TinyBundle &tiny) {
    encodeWeight(tiny, Encoding::Int8, {2, 12, 32});
  });
  expectAccepted(
      [](TinyBundle &tiny) { encodeWeight(tiny, Encoding::Q4, {48, 32}); });
  expectRefused(
      [](TinyBundle &tiny) { encodeWeight(tiny, Encoding::Q4, {16, 48}); },
      "weights[0]: shape [16, 48] can't be encoded as q4: rows of no whole "
      "groups of 32 elements");
  expectRefused(
      [](TinyBundle &tiny) { encodeWeight(tiny, Encoding::Int8, {32, 32}); },
      "weights[0]: size is 1024, but shape [32, 32] encoded as int8 has 1088 "
      "bytes");
  expectRefused(
      [](TinyBundle &tiny) {
        encodeWeight(tiny, Encoding::Q4,
                     {uint64_t(1) << 32, uint64_t(1) << 31, 32});
      },
      "can't be encoded as q4");
  expectRefused(
      [](TinyBundle &tiny) { encodeWeight(tiny, Encoding::Q4, {0, 32}); },
      "weights[0]: shape [0, 32] has a zero dimension");
  expectRefused(
      [](TinyBundle &tiny) {
        encodeWeight(tiny, Encoding::Q4, {48, 32});
        tiny.manifest.weights[0]->dtype = bundle::DType::F16;
      },
      "weights[0]: dtype is F16, expected F32 with an encoding");
  expectRefused(
      [](TinyBundle &tiny) {
        encodeWeight(tiny, Encoding::Q4, {48, 32});
        tiny.manifest.required_features = {"weights-int8"};
      },
      "weights[0]: is encoded as q4, but required_features does not list "
      "weights-q4");
  expectRefused(
      [](TinyBundle &tiny) {
        encodeWeight(tiny, Encoding::Q4, {48, 32});
        tiny.manifest.weights[0]->encoding = bundle::Encoding(5);
      },
      "weights[0]: encoding is 5, expected at most 4");
}

// Group 44.

TEST_F(ModelTest, UnknownRequiredFeature) {
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.required_features = {"time-travel"};
      },
      "needs the feature 'time-travel'", StatusCode::Unsupported);
}

// Group 48.

TEST_F(ModelTest, EmptyFamily) {
  expectRefused([](TinyBundle &tiny) { tiny.manifest.model->family = ""; },
                "manifest: model.family: empty");
}

TEST_F(ModelTest, NamesAreUtf8) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.model->name = "a\xc0\xaf"; },
      "model.name: 'a\\xc0\\xaf' is not UTF-8 text");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.weights[1]->sources = {"ok", "\xff"};
      },
      "weights[1].sources");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.layer_names = {std::string("a\0b", 3)};
      },
      "layer_names");
}

TEST_F(ModelTest, NamesAreBounded) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.model->name.assign(2000, 'x'); },
      "model.name: 2000 bytes, expected at most 1024");
}

TEST_F(ModelTest, SizesAreSane) {
  using Model = bundle::ModelT;
  struct Case {
    const char *name;
    uint32_t Model::*field;
    uint32_t tooLarge;
  };
  const Case cases[] = {
      {"hidden_size", &Model::hidden_size, (1u << 20) + 1},
      {"num_hidden_layers", &Model::num_hidden_layers, 1025},
      {"num_attention_heads", &Model::num_attention_heads, 65537},
      {"num_key_value_heads", &Model::num_key_value_heads, 65537},
      {"head_dim", &Model::head_dim, 65537},
      {"vocab_size", &Model::vocab_size, (4u << 20) + 1},
      {"context_length", &Model::context_length, (16u << 20) + 1},
      {"num_slots", &Model::num_slots, 65537},
      {"page_size", &Model::page_size, 65537},
      {"num_pages", &Model::num_pages, UINT32_MAX},
  };
  for (const Case &test : cases)
    for (uint32_t value : {0u, test.tooLarge})
      expectRefused(
          [&](TinyBundle &tiny) { (*tiny.manifest.model).*test.field = value; },
          std::string("manifest: model: ") + test.name + " is " +
              std::to_string(value) + ", expected 1 to ");
}

TEST_F(ModelTest, HeadsAreAMultipleOfKeyValueHeads) {
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.model->num_attention_heads = 3;
        tiny.manifest.model->num_key_value_heads = 2;
      },
      "num_attention_heads is 3, expected a multiple of");
}

TEST_F(ModelTest, ComputeType) {
  for (auto type : {bundle::DType::I32, bundle::DType(9)})
    expectRefused(
        [=](TinyBundle &tiny) { tiny.manifest.model->compute = type; },
        "compute is type");
}

TEST_F(ModelTest, SpecialTokensAreInTheVocabulary) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.model->bos_token_id = 32; },
      "model.bos_token_id: token 32, expected -1 to");
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.model->pad_token_id = -2; },
      "model.pad_token_id: token -2");
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.model->eos_token_ids = {1, -1}; },
      "model.eos_token_ids[1]: token -1, expected 0 to");
}

TEST_F(ModelTest, SamplingDefaults) {
  auto set = [](float bundle::SamplingDefaultsT::*field, float value) {
    return [=](TinyBundle &tiny) { (*tiny.manifest.sampling).*field = value; };
  };
  using Sampling = bundle::SamplingDefaultsT;
  for (float value : {-1.0f, NAN, INFINITY})
    expectRefused(set(&Sampling::temperature, value), "temperature is");
  for (float value : {0.0f, 1.5f, NAN})
    expectRefused(set(&Sampling::top_p, value), "top_p is");
  for (float value : {-0.5f, 1.5f, NAN})
    expectRefused(set(&Sampling::min_p, value), "min_p is");
  for (float value : {0.0f, -1.0f, NAN, INFINITY})
    expectRefused(set(&Sampling::repetition_penalty, value),
                  "repetition_penalty is");
  expectRefused([](TinyBundle &tiny) { tiny.manifest.sampling->top_k = -1; },
                "top_k is -1");
  expectAccepted([](TinyBundle &tiny) { tiny.manifest.sampling.reset(); });
}

// Group 49.

TEST_F(ModelTest, WeightOutsideOfItsSection) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.weights[1]->offset = 1280; },
      "weights[1]: 32 bytes at offset 1280 are outside of the weights section "
      "of 1280 bytes");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.weights[1]->offset = ~uint64_t(0) - 255;
      },
      "are outside of the weights section");
}

TEST_F(ModelTest, WeightUnaligned) {
  expectRefused([](TinyBundle &tiny) { tiny.manifest.weights[1]->offset = 64; },
                "weights[1]: offset is 64, expected a multiple of 256");
}

TEST_F(ModelTest, WeightsOverlap) {
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.weights[1]->offset = 512; },
      "weights[1]: offset 512 is inside weights[0], which has 1024 bytes at "
      "offset 0");
}

TEST_F(ModelTest, WeightSizeIsNotShapeTimesType) {
  for (uint64_t size : {uint64_t(0), uint64_t(31), uint64_t(257)})
    expectRefused(
        [=](TinyBundle &tiny) { tiny.manifest.weights[1]->size = size; },
        "size is " + std::to_string(size) +
            ", but shape [8] of F32 has 32 bytes");
  // Padding to the alignment is fine.
  expectAccepted(
      [](TinyBundle &tiny) { tiny.manifest.weights[1]->size = 256; });
}

TEST_F(ModelTest, WeightShape) {
  expectRefused([](TinyBundle &tiny) { tiny.manifest.weights[0]->shape = {}; },
                "weights[0]: rank is 0, expected 1 to 8");
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.weights[0]->shape.assign(9, 1); },
      "rank is 9");
  expectRefused(
      [](TinyBundle &tiny) { tiny.manifest.weights[0]->shape = {32, 0}; },
      "shape [32, 0] has a zero dimension");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.weights[0]->shape = {uint64_t(1) << 32, uint64_t(1)
                                                                  << 32};
      },
      "shape [4294967296, 4294967296] has too many elements");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.weights[0]->dtype = bundle::DType(6);
      },
      "weights[0]: dtype is 6, expected at most 5");
}

TEST_F(ModelTest, WeightNames) {
  expectRefused([](TinyBundle &tiny) { tiny.manifest.weights[0]->name = ""; },
                "weights[0].name: empty");
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.weights[1]->name = tiny.manifest.weights[0]->name;
      },
      "weights[1].name: 'model.embed_tokens.weight' is the name of another");
}

TEST_F(ModelTest, States) {
  auto change = [](auto edit) {
    return [=](TinyBundle &tiny) { edit(*tiny.manifest.states[1]); };
  };
  expectRefused(change([](bundle::StateT &state) { state.name = ""; }),
                "states[1].name: empty");
  expectRefused(change([](bundle::StateT &state) {
                  state.name = "layers.0.self_attn.k_cache";
                }),
                "states[1].name: 'layers.0.self_attn.k_cache' is the name");
  expectRefused(
      change([](bundle::StateT &state) { state.kind = bundle::StateKind(7); }),
      "states[1]: kind is 7");
  expectRefused(change([](bundle::StateT &state) { state.size = 4; }),
                "states[1]: size is 4, but shape [8, 1, 16, 4] of F32 has "
                "2048 bytes");
}

// Group 58.

TEST_F(ModelTest, CacheGeometry) {
  auto change = [](auto edit) {
    return [=](TinyBundle &tiny) { edit(*tiny.manifest.states[0]); };
  };
  expectRefused(
      change([](bundle::StateT &state) { state.shape = {8, 2, 8, 4}; }),
      "states[0]: shape is [8, 2, 8, 4], expected [num_pages, "
      "num_key_value_heads, page_size, head_dim] = [8, 1, 16, 4]");
  expectRefused(
      change([](bundle::StateT &state) { state.dtype = bundle::DType::I32; }),
      "states[0]: dtype is I32");
  expectRefused(change([](bundle::StateT &state) {
                  state.kind = bundle::StateKind::Recurrent;
                  state.shape[0] = 2;
                  state.size /= 4;
                }),
                "0 key and 1 value caches");
}

/// Makes both caches int8 rows, which the bundle declares. Rows of 16 codes: a
/// block of 16 has 256 + 64 bytes.
static void encodeCaches(TinyBundle &tiny, uint32_t headDim = 16) {
  tiny.manifest.model->head_dim = headDim;
  for (auto &state : tiny.manifest.states) {
    state->encoding = bundle::StateEncoding::Int8Rows;
    state->shape[3] = headDim;
    state->size = 8 * 320;
  }
  tiny.manifest.required_features = {std::string(kInt8RowsFeature)};
}

TEST_F(ModelTest, Int8Caches) {
  auto change = [](auto edit) {
    return [=](TinyBundle &tiny) {
      encodeCaches(tiny);
      edit(*tiny.manifest.states[0]);
    };
  };
  expectAccepted([](TinyBundle &tiny) { encodeCaches(tiny); });
  expectRefused([](TinyBundle &tiny) { encodeCaches(tiny, 12); },
                "states[0]: shape [8, 1, 16, 12] can't have int8 rows: rows of "
                "no multiple of 16 elements");
  expectRefused(change([](bundle::StateT &state) { --state.size; }),
                "states[0]: size is 2559, but shape [8, 1, 16, 16] of int8 "
                "rows has 2560 bytes");
  expectRefused(change([](bundle::StateT &state) { state.shape = {16}; }),
                "states[0]: shape [16] can't have int8 rows");
  expectRefused(change([](bundle::StateT &state) {
                  state.shape = {uint64_t(1) << 32, uint64_t(1) << 31, 1, 16};
                }),
                "or too many elements");
  expectRefused(change([](bundle::StateT &state) {
                  state.kind = bundle::StateKind::Recurrent;
                }),
                "states[0]: encoding of Recurrent is Int8Rows, which only "
                "caches have");
  expectRefused(
      change([](bundle::StateT &state) { state.dtype = bundle::DType::I8; }),
      "states[0]: dtype is I8, expected F32 with an encoding");
  expectRefused(change([](bundle::StateT &state) {
                  state.encoding = bundle::StateEncoding(2);
                }),
                "states[0]: encoding is 2, expected at most 1");
  expectRefused(
      [](TinyBundle &tiny) {
        encodeCaches(tiny);
        tiny.manifest.required_features.clear();
      },
      "states[0]: has int8 rows, but required_features does not list "
      "states-int8-rows");
}

TEST_F(ModelTest, MoreCachesThanLayers) {
  expectRefused(
      [](TinyBundle &tiny) {
        for (int i = 0; i < 2; ++i) {
          auto copy =
              std::make_unique<bundle::StateT>(*tiny.manifest.states[i]);
          copy->name += ".copy";
          tiny.manifest.states.push_back(std::move(copy));
        }
      },
      "2 key and 2 value caches, expected as many of each, for at most 1");
}

TEST_F(ModelTest, FewerPagesThanTheContextTakes) {
  expectRefused([](TinyBundle &tiny) { tiny.manifest.model->num_pages = 3; },
                "num_pages is 3, but context_length 64 takes 4 pages of 16");
}

TEST_F(ModelTest, CacheRowsOverflow) {
  expectRefused(
      [](TinyBundle &tiny) {
        tiny.manifest.model->num_pages = 1u << 20;
        tiny.manifest.model->page_size = 1u << 12;
      },
      "1048576 pages of 4096 tokens are more than 2147483647 rows");
}

TEST_F(ModelTest, StateSizesOverflow) {
  expectRefused(
      [](TinyBundle &tiny) {
        for (int i = 0; i < 2; ++i) {
          auto state = std::make_unique<bundle::StateT>();
          state->name = "huge" + std::to_string(i);
          state->kind = bundle::StateKind::Recurrent;
          state->shape = {2, 1 << 20, 1 << 20, 1 << 20};
          state->size = uint64_t(1) << 63;
          tiny.manifest.states.push_back(std::move(state));
        }
      },
      "states: their sizes add up to more than 2^64 bytes");
}
