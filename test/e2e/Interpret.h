//===- Interpret.h - Logits by the interpreter ------------------*- C++ -*-===//
#ifndef QUERN_TEST_E2E_INTERPRET_H
#define QUERN_TEST_E2E_INTERPRET_H

#include "mlir/Pass/PassManager.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quern::test {

/// The logits of every position of each prompt, a sequence of its own: up to
/// four. By the interpreter, on the function of a model of test/data behind the
/// graph phase and the passes that `addPasses` adds. Empty after a test
/// failure.
std::vector<std::vector<float>>
interpretPrompts(const std::string &model,
                 const std::vector<std::vector<int32_t>> &prompts,
                 llvm::function_ref<void(mlir::PassManager &)> addPasses);

} // namespace quern::test

#endif // QUERN_TEST_E2E_INTERPRET_H
