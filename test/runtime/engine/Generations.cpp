//===- Generations.cpp - What tests of generations share ------------------===//

#include "test/runtime/engine/Generations.h"

#include <gtest/gtest.h>

using namespace quern;

void test::runAll(Scheduler &scheduler) {
  while (!scheduler.isIdle()) {
    Status status = scheduler.step();
    ASSERT_TRUE(status.isOk()) << status.getMessage();
  }
}

GenerateResult test::generateIds(Engine &engine, Sequence &sequence,
                                 const std::vector<int32_t> &prompt,
                                 const GenerationOptions &options,
                                 std::vector<int32_t> &ids) {
  Result<GenerateResult> result =
      generate(engine, sequence, nullptr, prompt, options,
               [&](int32_t token, std::string_view) {
                 ids.push_back(token);
                 return true;
               });
  if (result.isOk())
    return *result;
  ADD_FAILURE() << result.getStatus().getMessage();
  return {};
}
