//===- CompareHidden.h - which layer differs first --------------*- C++ -*-===//
#ifndef QUERN_TOOLS_INTERPRETER_COMPAREHIDDEN_H
#define QUERN_TOOLS_INTERPRETER_COMPAREHIDDEN_H

#include "tools/interpreter/Interpreter.h"

#include <optional>
#include <string>

namespace quern {

/// The greatest absolute difference of two tensors of one size; infinite if a
/// value is NaN or the sizes differ. `index` is set to where it is.
double maxDifference(const std::vector<float> &found,
                     const std::vector<float> &expected,
                     size_t *index = nullptr);

/// Collects the residual stream after the embedding and after every decoder
/// layer, found by the labels "embed_tokens" and "layers.N.mlp.residual".
class HiddenStates {
public:
  /// Pass it to the interpreter; the collector must outlive the run.
  OpObserver observer();

  /// The stream after `layer` layers; null if it was not seen.
  const HostTensor *find(int64_t layer) const;

  /// Compares with the states expected after 0, 1, ... layers. Nothing if all
  /// agree within the tolerance; else one line that names the first layer that
  /// differs, where, by how much.
  std::optional<std::string>
  compare(const std::vector<std::vector<float>> &expected,
          double tolerance) const;

private:
  std::vector<std::optional<HostTensor>> states;
};

} // namespace quern

#endif // QUERN_TOOLS_INTERPRETER_COMPAREHIDDEN_H
