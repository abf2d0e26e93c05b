//===- CompareHidden.cpp - which layer differs first ----------------------===//
#include "tools/interpreter/CompareHidden.h"

#include <cmath>
#include <limits>
#include <sstream>

using namespace quern;

double quern::maxDifference(const std::vector<float> &found,
                            const std::vector<float> &expected, size_t *index) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (found.size() != expected.size())
    return infinity;
  double greatest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i] == expected[i])
      continue;
    double difference = std::abs(static_cast<double>(found[i]) - expected[i]);
    if (std::isnan(difference))
      difference = infinity;
    if (difference > greatest) {
      greatest = difference;
      if (index)
        *index = i;
    }
  }
  return greatest;
}

/// The number of layers before the residual stream with this label; nothing
/// for other labels.
static std::optional<int64_t> layerOf(llvm::StringRef label) {
  if (label == "embed_tokens")
    return 0;
  int64_t layer;
  if (label.consume_front("layers.") && !label.consumeInteger(10, layer) &&
      label == ".mlp.residual")
    return layer + 1;
  return std::nullopt;
}

OpObserver HiddenStates::observer() {
  return [this](mlir::Operation *op, llvm::ArrayRef<HostTensor> results) {
    if (results.empty())
      return;
    for (llvm::StringRef label : labelsOf(op->getLoc()))
      if (std::optional<int64_t> layer = layerOf(label)) {
        if (states.size() <= static_cast<size_t>(*layer))
          states.resize(*layer + 1);
        states[*layer] = results.front();
      }
  };
}

const HostTensor *HiddenStates::find(int64_t layer) const {
  bool seen =
      layer >= 0 && static_cast<size_t>(layer) < states.size() && states[layer];
  return seen ? &*states[layer] : nullptr;
}

std::optional<std::string>
HiddenStates::compare(const std::vector<std::vector<float>> &expected,
                      double tolerance) const {
  for (size_t layer = 0; layer < expected.size(); ++layer) {
    std::ostringstream line;
    if (layer == 0)
      line << "embed_tokens: ";
    else
      line << "layers." << layer - 1 << ": ";
    const HostTensor *found = find(layer);
    if (!found) {
      line << "no op has this label";
      return line.str();
    }
    size_t index = 0;
    double difference = maxDifference(found->floats, expected[layer], &index);
    if (difference <= tolerance)
      continue;
    line << "hidden state differs by " << difference;
    if (found->floats.size() == expected[layer].size())
      line << " at token " << index / found->shape.back() << ", feature "
           << index % found->shape.back() << ": found " << found->floats[index]
           << ", expected " << expected[layer][index];
    else
      line << ": found " << found->floats.size() << " values, expected "
           << expected[layer].size();
    line << "; tolerance " << tolerance;
    return line.str();
  }
  return std::nullopt;
}
