//===- CheckpointChecks.cpp - Weights against what a model needs ----------===//

#include "frontend/HuggingFace/Checkpoint.h"

#include "frontend/HuggingFace/PackedWeight.h"
#include "runtime/base/Allocation.h"
#include "runtime/base/Escape.h"

#include <algorithm>
#include <cstring>
#include <set>

using namespace quern;

static Status checkTensor(const Checkpoint &checkpoint,
                          const StoredTensor &tensor,
                          const ExpectedTensor &expected) {
  if (tensor.shape != expected.shape)
    return corrupt(checkpoint.describe(tensor) + ": expected shape " +
                   formatShape(expected.shape) + ", found " +
                   formatShape(tensor.shape));
  if (tensor.type != DataType::F32 && tensor.type != DataType::F16 &&
      tensor.type != DataType::BF16)
    return unsupported(checkpoint.describe(tensor) +
                       ": expected element type F32, F16 or BF16, found " +
                       std::string(dataTypeName(tensor.type)));
  return Status::ok();
}

static Result<std::vector<std::string>>
compareTensors(const Checkpoint &checkpoint,
               std::span<const ExpectedTensor> expected,
               const TensorCheckOptions &options) {
  std::set<std::string_view> known;
  std::vector<std::string_view> missing;
  for (const ExpectedTensor &wanted : expected) {
    known.insert(wanted.name);
    const StoredTensor *tensor = checkpoint.find(wanted.name);
    if (tensor)
      QUERN_RETURN_IF_ERROR(checkTensor(checkpoint, *tensor, wanted));
    else if (!wanted.isOptional)
      missing.push_back(wanted.name);
  }
  if (!missing.empty())
    return corrupt(
        "tensor " + quoteName(missing.front()) +
        " is missing from the checkpoint" +
        (missing.size() == 1
             ? std::string()
             : ", and " + std::to_string(missing.size() - 1) + " more"));
  std::vector<std::string> extra;
  for (const auto &[name, tensor] : checkpoint.getTensors()) {
    if (known.contains(name))
      continue;
    if (options.refuseExtra)
      return corrupt(checkpoint.describe(tensor) +
                     ": the model has no such tensor");
    extra.push_back(name);
  }
  return extra;
}

Result<std::vector<std::string>>
quern::checkTensors(const Checkpoint &checkpoint,
                    std::span<const ExpectedTensor> expected,
                    const TensorCheckOptions &options) {
  return guardAllocation("checking the tensors of a checkpoint", [&] {
    return compareTensors(checkpoint, expected, options);
  });
}

static bool isFloat(DataType type) {
  return type == DataType::F32 || type == DataType::F16 ||
         type == DataType::BF16 || type == DataType::F64;
}

Status quern::checkUniformWeightType(const Checkpoint &checkpoint) {
  const StoredTensor *first = nullptr;
  for (const auto &[name, tensor] : checkpoint.getTensors()) {
    if (tensor.shape.size() < 2 || !isFloat(tensor.type) || tensor.packed)
      continue;
    if (!first)
      first = &tensor;
    if (tensor.type != first->type)
      return unsupported(checkpoint.describe(tensor) + " has element type " +
                         std::string(dataTypeName(tensor.type)) + ", but " +
                         checkpoint.describe(*first) + " has " +
                         std::string(dataTypeName(first->type)) +
                         "; expected one type for all matrices");
  }
  return Status::ok();
}

Status quern::checkTiedEmbeddings(const Checkpoint &checkpoint,
                                  std::string_view embedding,
                                  std::string_view outputHead) {
  const StoredTensor *input = checkpoint.find(embedding);
  const StoredTensor *output = checkpoint.find(outputHead);
  if (!input || !output)
    return Status::ok();
  bool equal = !input->packed && !output->packed &&
               input->type == output->type && input->shape == output->shape &&
               input->bytes.size() == output->bytes.size() &&
               std::memcmp(input->bytes.data(), output->bytes.data(),
                           input->bytes.size()) == 0;
  if (equal)
    return Status::ok();
  return corrupt(checkpoint.describe(*output) + ": differs from " +
                 quoteName(embedding) +
                 ", although tie_word_embeddings is true");
}
