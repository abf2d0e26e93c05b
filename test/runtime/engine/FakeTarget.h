//===- FakeTarget.h - Programs and states of the fake model -----*- C++ -*-===//
#ifndef QUERN_TEST_RUNTIME_ENGINE_FAKETARGET_H
#define QUERN_TEST_RUNTIME_ENGINE_FAKETARGET_H

#include "runtime/bundle/Manifest.h"
#include "test/runtime/engine/FakeModel.h"

#include <memory>
#include <vector>

namespace quern::test {

/// Indices of the states. The draft layer's caches are the last two.
inline constexpr uint32_t kFakeCache = 0;
inline constexpr uint32_t kFakeRecurrent = 2;
inline constexpr uint32_t kFakeConvolution = 3;
inline constexpr uint32_t kFakeDeltaKeys = 4;

/// Key and value caches; of a hybrid, the states of a gated delta net with one
/// head; with drafts, another pair of caches.
std::vector<std::unique_ptr<bundle::StateT>>
makeFakeStates(const FakeModelOptions &options);

/// The one target of the bundle. Its kernels are called <kernel>_<program>.
std::unique_ptr<bundle::TargetProgramsT>
makeFakeTarget(const FakeModelOptions &options, uint32_t kernelsSection);

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_ENGINE_FAKETARGET_H
