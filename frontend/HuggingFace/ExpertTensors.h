//===- ExpertTensors.h - how a checkpoint stores experts --------*- C++ -*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_EXPERTTENSORS_H
#define QUERN_FRONTEND_HUGGINGFACE_EXPERTTENSORS_H

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/Config.h"

#include <string>
#include <vector>

namespace quern {

/// Names of the experts' tensors of one layer, as qwen.experts wants them.
struct ExpertTensors {
  /// One tensor [E, 2I, H] and one [E, H, I], or matrices of each expert.
  bool isFused = false;
  /// Fused tensors with the last two dimensions in the other order.
  bool isGateUpTransposed = false, isDownTransposed = false;
  /// gate_up_proj, the gate rows of an expert in front of its up rows; or
  /// gate_proj and up_proj of expert 0, of expert 1, ..., each [I, H].
  std::vector<std::string> gateUp;
  /// down_proj, or that of each expert, [H, I].
  std::vector<std::string> down;
};

/// Looks which layout the tensors place + ".experts.…" have, where place ends
/// in ".mlp". Both layouts exist in one checkpoint: Qwen3.5-MoE has fused main
/// layers and a draft layer with matrices of each expert. Shapes tell which
/// fused tensors are transposed; one of square matrices lies as the other one
/// of its layer. Errors name the tensor: no experts, both layouts, an expert
/// that is missing or beyond num_experts, different element types; also a
/// router (place + ".gate.weight") or shared expert against config.json. Shapes
/// that this does not check are left to checkTensors.
Result<ExpertTensors> findExperts(const Checkpoint &checkpoint,
                                  const std::string &place,
                                  const MoeConfig &moe, int64_t hiddenSize);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_EXPERTTENSORS_H
