//===- AttentionBenchmark.h - CPU time of attention -------------*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_ATTENTIONBENCHMARK_H
#define QUERN_TEST_KERNELS_ATTENTIONBENCHMARK_H

#include "codegen/Targets/TargetDescription.h"
#include "runtime/device/Device.h"

namespace quern::test {

/// Prints, for the heads of real models, the CPU time of attention of steps at
/// several positions: per pair of query row and position, and that of the first
/// run, in which drivers may compile.
Status runAttentionBenchmark(Device &device, const TargetDescription &target,
                             int repetitions);

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_ATTENTIONBENCHMARK_H
