//===- DeltaBenchmark.h - CPU time of the gated delta rule ------*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_DELTABENCHMARK_H
#define QUERN_TEST_KERNELS_DELTABENCHMARK_H

#include "codegen/Targets/TargetDescription.h"
#include "runtime/device/Device.h"

namespace quern::test {

/// Prints, for the heads of real models and several numbers of tokens, the CPU
/// time of a step of each form of the gated delta rule, and which of the forms
/// that fold --qwen-specialize-delta-rule takes. `only` names one model; empty:
/// all.
Status runDeltaBenchmark(Device &device, const TargetDescription &target,
                         int repetitions, std::string_view only);

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_DELTABENCHMARK_H
