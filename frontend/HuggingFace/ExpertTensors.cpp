//===- ExpertTensors.cpp - how a checkpoint stores experts ----------------===//
#include "frontend/HuggingFace/ExpertTensors.h"

#include "runtime/base/Allocation.h"
#include "runtime/base/Escape.h"

#include <charconv>

using namespace quern;

namespace {

/// How the matrices of a fused tensor lie.
enum class Order { RowsFirst, ColumnsFirst, Square };

/// Reads the experts of one layer.
class ExpertFinder {
public:
  ExpertFinder(const Checkpoint &checkpoint, const std::string &place,
               const MoeConfig &moe, int64_t hiddenSize)
      : checkpoint(checkpoint), place(place), prefix(place + ".experts."),
        moe(moe), hiddenSize(hiddenSize) {}

  Result<ExpertTensors> run();

private:
  Status checkRouter() const;
  Status checkSharedExpert() const;
  Status checkNumbers() const;
  Result<Order> findOrder(const std::string &name, int64_t rows,
                          int64_t columns) const;
  Status checkOneType(const ExpertTensors &tensors) const;
  Result<ExpertTensors> findFused() const;
  Result<ExpertTensors> findSeparate() const;
  /// No layout that is known: says which tensors there are instead.
  Status explainUnknownLayout() const;
  std::string expert(int64_t number, const char *matrix) const {
    return prefix + std::to_string(number) + "." + matrix + ".weight";
  }
  std::string configCount() const {
    return "num_experts " + std::to_string(moe.numExperts) + " of the config";
  }

  const Checkpoint &checkpoint;
  const std::string &place;
  std::string prefix;
  const MoeConfig &moe;
  int64_t hiddenSize;
};

} // namespace

Status ExpertFinder::checkRouter() const {
  const StoredTensor *router = checkpoint.find(place + ".gate.weight");
  if (!router || router->shape.empty() || router->shape[0] == moe.numExperts)
    return Status::ok();
  return corrupt(checkpoint.describe(*router) + ": routes to " +
                 std::to_string(router->shape[0]) + " experts, expected " +
                 configCount());
}

/// An expert that config.json does not know would change every output.
Status ExpertFinder::checkSharedExpert() const {
  const StoredTensor *gate =
      checkpoint.find(place + ".shared_expert_gate.weight");
  if (!gate || moe.sharedExpertIntermediateSize)
    return Status::ok();
  return corrupt(checkpoint.describe(*gate) +
                 ": a shared expert, but the config has no "
                 "shared_expert_intermediate_size");
}

/// Refuses experts beyond num_experts.
Status ExpertFinder::checkNumbers() const {
  const Checkpoint::TensorMap &all = checkpoint.getTensors();
  for (auto it = all.lower_bound(prefix);
       it != all.end() && it->first.starts_with(prefix); ++it) {
    const char *first = it->first.data() + prefix.size();
    const char *last = it->first.data() + it->first.size();
    uint64_t number = 0;
    auto [end, error] = std::from_chars(first, last, number);
    bool isNumber = end != first && end != last && *end == '.';
    bool isBeyond = error == std::errc::result_out_of_range ||
                    number >= static_cast<uint64_t>(moe.numExperts);
    if (isNumber && isBeyond)
      return corrupt(checkpoint.describe(it->second) +
                     ": the number of the expert is not below " +
                     configCount());
  }
  return Status::ok();
}

Result<Order> ExpertFinder::findOrder(const std::string &name, int64_t rows,
                                      int64_t columns) const {
  const StoredTensor *tensor = checkpoint.find(name);
  if (!tensor)
    return corrupt("tensor " + quoteName(name) +
                   " is missing from the checkpoint, which has the experts of "
                   "the layer in one tensor");
  if (tensor->shape.size() == 3 && tensor->shape[0] != moe.numExperts)
    return corrupt(checkpoint.describe(*tensor) + ": has " +
                   std::to_string(tensor->shape[0]) + " experts, expected " +
                   configCount());
  if (rows == columns)
    return Order::Square;
  return tensor->shape == std::vector<int64_t>{moe.numExperts, columns, rows}
             ? Order::ColumnsFirst
             : Order::RowsFirst;
}

Result<ExpertTensors> ExpertFinder::findFused() const {
  std::string gateUp = prefix + "gate_up_proj", down = prefix + "down_proj";
  int64_t size = moe.moeIntermediateSize;
  QUERN_ASSIGN_OR_RETURN(Order gateUpOrder,
                         findOrder(gateUp, 2 * size, hiddenSize));
  QUERN_ASSIGN_OR_RETURN(Order downOrder, findOrder(down, hiddenSize, size));
  // Whoever wrote one of them so has written the other one so.
  if (gateUpOrder == Order::Square)
    gateUpOrder = downOrder;
  else if (downOrder == Order::Square)
    downOrder = gateUpOrder;
  return ExpertTensors{.isFused = true,
                       .isGateUpTransposed = gateUpOrder == Order::ColumnsFirst,
                       .isDownTransposed = downOrder == Order::ColumnsFirst,
                       .gateUp = {gateUp},
                       .down = {down}};
}

Result<ExpertTensors> ExpertFinder::findSeparate() const {
  ExpertTensors tensors;
  for (int64_t i = 0; i < moe.numExperts; ++i) {
    tensors.gateUp.push_back(expert(i, "gate_proj"));
    tensors.gateUp.push_back(expert(i, "up_proj"));
    tensors.down.push_back(expert(i, "down_proj"));
  }
  for (const auto *names : {&tensors.gateUp, &tensors.down})
    for (const std::string &name : *names)
      if (!checkpoint.find(name))
        return corrupt("tensor " + quoteName(name) +
                       " is missing from the checkpoint, expected " +
                       configCount());
  return tensors;
}

Status ExpertFinder::checkOneType(const ExpertTensors &tensors) const {
  const StoredTensor *first = checkpoint.find(tensors.gateUp.front());
  for (const auto *names : {&tensors.gateUp, &tensors.down})
    for (const std::string &name : *names) {
      const StoredTensor *tensor = checkpoint.find(name);
      if (tensor->type != first->type)
        return unsupported(checkpoint.describe(*tensor) + ": element type " +
                           std::string(dataTypeName(tensor->type)) + ", but " +
                           quoteName(first->name) + " has " +
                           std::string(dataTypeName(first->type)) +
                           "; expected one type for the experts of a layer");
    }
  return Status::ok();
}

Status ExpertFinder::explainUnknownLayout() const {
  std::string message = "found no experts " + quoteName(prefix) +
                        ", expected " + quoteName(prefix + "gate_up_proj") +
                        " or " + quoteName(expert(0, "gate_proj"));
  const Checkpoint::TensorMap &all = checkpoint.getTensors();
  auto other = all.lower_bound(prefix);
  if (other == all.end() || !other->first.starts_with(prefix))
    return corrupt(std::move(message));
  return unsupported(checkpoint.describe(other->second) +
                     ": unknown layout of experts: " + message);
}

Result<ExpertTensors> ExpertFinder::run() {
  QUERN_RETURN_IF_ERROR(checkRouter());
  QUERN_RETURN_IF_ERROR(checkSharedExpert());
  QUERN_RETURN_IF_ERROR(checkNumbers());
  const StoredTensor *fused = nullptr, *separate = nullptr;
  for (const char *matrix : {"down_proj", "gate_up_proj"})
    if (const StoredTensor *tensor = checkpoint.find(prefix + matrix))
      fused = tensor;
  for (const char *matrix : {"gate_proj", "up_proj", "down_proj"})
    for (int64_t i = 0; i < moe.numExperts && !separate; ++i)
      separate = checkpoint.find(expert(i, matrix));
  if (fused && separate)
    return corrupt(checkpoint.describe(*fused) +
                   ": the experts of this layer are in the checkpoint twice, "
                   "also as " +
                   quoteName(separate->name));
  if (!fused && !separate)
    return explainUnknownLayout();
  QUERN_ASSIGN_OR_RETURN(ExpertTensors tensors,
                         fused ? findFused() : findSeparate());
  QUERN_RETURN_IF_ERROR(checkOneType(tensors));
  return tensors;
}

Result<ExpertTensors> quern::findExperts(const Checkpoint &checkpoint,
                                         const std::string &place,
                                         const MoeConfig &moe,
                                         int64_t hiddenSize) {
  return guardAllocation("finding the experts of a layer", [&] {
    return ExpertFinder(checkpoint, place, moe, hiddenSize).run();
  });
}
