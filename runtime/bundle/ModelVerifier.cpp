//===- ModelVerifier.cpp - Checks on model and sampling defaults ----------===//

#include "runtime/bundle/ManifestCheck.h"

#include <cmath>

using namespace quern;
using namespace quern::manifestcheck;

namespace {

/// A number of the model and its sane range.
struct Bound {
  const char *name;
  uint32_t value;
  uint64_t maximum;
};

} // namespace

/// The cache's geometry: rows are counted by int32 in kernels, and a slot can
/// grow to the full context.
static Status checkPages(const bundle::Model &model, uint64_t &pagesPerSlot) {
  uint64_t pageSize = model.page_size();
  pagesPerSlot = (model.context_length() + pageSize - 1) / pageSize;
  if (model.num_pages() < pagesPerSlot)
    return broken("model", "num_pages is " + std::to_string(model.num_pages()) +
                               ", but context_length " +
                               std::to_string(model.context_length()) +
                               " takes " + std::to_string(pagesPerSlot) +
                               " pages of " + std::to_string(pageSize));
  uint64_t rows = model.num_pages() * pageSize;
  if (rows > INT32_MAX)
    return broken("model", std::to_string(model.num_pages()) + " pages of " +
                               std::to_string(pageSize) +
                               " tokens are more than " +
                               std::to_string(INT32_MAX) + " rows");
  return Status::ok();
}

/// A token id, or -1 where it may be absent.
static Status checkTokenId(const bundle::Model &model, const std::string &place,
                           int64_t id, int64_t minimum) {
  if (id >= minimum && id < int64_t(model.vocab_size()))
    return Status::ok();
  return broken(place, "token " + std::to_string(id) + ", expected " +
                           std::to_string(minimum) + " to vocab_size - 1 = " +
                           std::to_string(model.vocab_size() - 1));
}

Status Checker::checkModel() {
  QUERN_RETURN_IF_ERROR(
      checkText("model.family", model.family(), Presence::Required));
  QUERN_RETURN_IF_ERROR(
      checkText("model.name", model.name(), Presence::Optional));
  const Bound bounds[] = {
      {"hidden_size", model.hidden_size(), 1u << 20},
      {"num_hidden_layers", model.num_hidden_layers(), 1024},
      {"num_attention_heads", model.num_attention_heads(), 1u << 16},
      {"num_key_value_heads", model.num_key_value_heads(), 1u << 16},
      {"head_dim", model.head_dim(), 1u << 16},
      {"vocab_size", model.vocab_size(), 4u << 20},
      {"context_length", model.context_length(), 16u << 20},
      {"num_slots", model.num_slots(), 1u << 16},
      {"page_size", model.page_size(), 1u << 16},
      {"num_pages", model.num_pages(), INT32_MAX},
  };
  for (const Bound &bound : bounds)
    QUERN_RETURN_IF_ERROR(
        checkBetween("model", bound.name, bound.value, 1, bound.maximum));
  if (model.num_attention_heads() % model.num_key_value_heads() != 0)
    return broken("model",
                  "num_attention_heads is " +
                      std::to_string(model.num_attention_heads()) +
                      ", expected a multiple of num_key_value_heads = " +
                      std::to_string(model.num_key_value_heads()));
  if (model.compute() != bundle::DType::F32 &&
      model.compute() != bundle::DType::F16 &&
      model.compute() != bundle::DType::BF16)
    return broken("model",
                  "compute is type " +
                      std::to_string(static_cast<unsigned>(model.compute())) +
                      ", expected F32, F16 or BF16");
  QUERN_RETURN_IF_ERROR(checkPages(model, pagesPerSlot));
  QUERN_RETURN_IF_ERROR(
      checkTokenId(model, "model.bos_token_id", model.bos_token_id(), -1));
  QUERN_RETURN_IF_ERROR(
      checkTokenId(model, "model.pad_token_id", model.pad_token_id(), -1));
  QUERN_RETURN_IF_ERROR(checkBetween("model.eos_token_ids", "length",
                                     sizeOf(model.eos_token_ids()), 0, 256));
  for (uint32_t i = 0; i < sizeOf(model.eos_token_ids()); ++i)
    QUERN_RETURN_IF_ERROR(checkTokenId(model,
                                       element("model", "eos_token_ids", i),
                                       model.eos_token_ids()->Get(i), 0));
  return Status::ok();
}

Status Checker::checkSampling() {
  const bundle::SamplingDefaults *sampling = manifest.sampling();
  if (!sampling)
    return Status::ok();
  auto check = [](const char *name, float value, float minimum,
                  bool isMinimumAllowed, float maximum) -> Status {
    if (std::isfinite(value) && value <= maximum &&
        (isMinimumAllowed ? value >= minimum : value > minimum))
      return Status::ok();
    return broken("sampling", std::string(name) + " is " +
                                  std::to_string(value) + ", expected " +
                                  (isMinimumAllowed ? "" : "more than ") +
                                  std::to_string(minimum) + " to " +
                                  std::to_string(maximum));
  };
  QUERN_RETURN_IF_ERROR(
      check("temperature", sampling->temperature(), 0, true, 1e6f));
  QUERN_RETURN_IF_ERROR(check("top_p", sampling->top_p(), 0, false, 1));
  QUERN_RETURN_IF_ERROR(check("min_p", sampling->min_p(), 0, true, 1));
  QUERN_RETURN_IF_ERROR(check("repetition_penalty",
                              sampling->repetition_penalty(), 0, false, 1e6f));
  if (sampling->top_k() < 0)
    return broken("sampling", "top_k is " + std::to_string(sampling->top_k()) +
                                  ", expected 0 or more");
  return Status::ok();
}
