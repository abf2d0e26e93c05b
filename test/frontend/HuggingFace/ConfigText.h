//===- ConfigText.h - Config texts with one thing changed --------*- C++
//-*-===//
#ifndef QUERN_TEST_FRONTEND_HUGGINGFACE_CONFIGTEXT_H
#define QUERN_TEST_FRONTEND_HUGGINGFACE_CONFIGTEXT_H

#include <map>
#include <string>

namespace quern::test {

/// Key to JSON text of its value; an empty text removes the key.
using ConfigFields = std::map<std::string, std::string>;

/// A small valid config of a dense Qwen3 with `changes` on top.
inline std::string denseConfig(const ConfigFields &changes = {}) {
  ConfigFields fields = {{"model_type", "\"qwen3\""},
                         {"architectures", "[\"Qwen3ForCausalLM\"]"},
                         {"hidden_size", "64"},
                         {"intermediate_size", "192"},
                         {"num_hidden_layers", "4"},
                         {"num_attention_heads", "4"},
                         {"num_key_value_heads", "2"},
                         {"head_dim", "32"},
                         {"vocab_size", "512"},
                         {"max_position_embeddings", "40960"},
                         {"rms_norm_eps", "1e-6"},
                         {"rope_theta", "1000000"},
                         {"tie_word_embeddings", "true"},
                         {"eos_token_id", "458"},
                         {"torch_dtype", "\"bfloat16\""}};
  for (const auto &[key, value] : changes)
    fields[key] = value;
  std::string text = "{";
  for (const auto &[key, value] : fields)
    if (!value.empty())
      text += (text.size() > 1 ? ",\"" : "\"") + key + "\":" + value;
  return text + "}";
}

} // namespace quern::test

#endif // QUERN_TEST_FRONTEND_HUGGINGFACE_CONFIGTEXT_H
