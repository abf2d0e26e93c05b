//===- ExpertsBenchmark.h - CPU time of mixtures of experts -----*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_EXPERTSBENCHMARK_H
#define QUERN_TEST_KERNELS_EXPERTSBENCHMARK_H

#include "codegen/Targets/TargetDescription.h"
#include "runtime/device/Device.h"

namespace quern::test {

/// Prints, for the mixtures of real models and several numbers of tokens, the
/// CPU time of each form of qwen.experts against a plain loop over the chosen
/// experts, and which form --qwen-specialize-experts takes. `only` is empty
/// or names a model, a number of tokens or both: "Next", "/64", "Next/64".
Status runExpertsBenchmark(Device &device, const TargetDescription &target,
                           int repetitions, std::string_view only);

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_EXPERTSBENCHMARK_H
