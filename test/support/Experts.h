//===- Experts.h - other layouts of a checkpoint's experts ------*- C++ -*-===//
#ifndef QUERN_TEST_SUPPORT_EXPERTS_H
#define QUERN_TEST_SUPPORT_EXPERTS_H

#include "runtime/base/SafetensorsWriter.h"

#include <deque>
#include <string>
#include <vector>

namespace quern::test {

/// Exchanges the last two dimensions of fused experts, as some checkpoints have
/// them: place + ".experts.gate_up_proj" [E, H, 2I] and ".experts.down_proj"
/// [E, I, H].
void transposeExperts(std::vector<SafetensorsTensor> &tensors,
                      const std::string &place,
                      std::deque<std::vector<std::byte>> &storage);

/// Replaces the matrices place + ".experts.<e>.{gate,up,down}_proj.weight" by
/// place + ".experts.gate_up_proj" [E, 2I, H] and ".experts.down_proj"
/// [E, H, I]. `storage` keeps the bytes of the new tensors.
void fuseExperts(std::vector<SafetensorsTensor> &tensors,
                 const std::string &place, size_t numExperts,
                 std::deque<std::vector<std::byte>> &storage);

/// Copies a checkpoint of test/data/checkpoints into `folder` with the experts
/// of all layers fused, or fused and transposed.
void writeFusedCheckpoint(const std::string &model, const std::string &folder,
                          bool isTransposed = false);

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_EXPERTS_H
