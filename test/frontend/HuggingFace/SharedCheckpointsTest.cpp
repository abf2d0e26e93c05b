//===- SharedCheckpointsTest.cpp - All families, where they are at hand ---===//
//
// Reads the checkpoints of ../shared; skipped when the folder is absent.
//
//===----------------------------------------------------------------------===//

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/GenerationConfig.h"
#include "frontend/HuggingFace/TensorData.h"
#include "test/support/Expect.h"

#include <filesystem>

using namespace quern;
using namespace quern::test;

TEST(SharedCheckpoints, AllLoad) {
  std::filesystem::path root =
      std::string(QUERN_SHARED_DIR) + "/goldens/checkpoints";
  if (!std::filesystem::is_directory(root))
    GTEST_SKIP() << root << " is absent";
  unsigned count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(root)) {
    SCOPED_TRACE(entry.path().filename().string());
    ++count;
    Result<ModelDir> folder = ModelDir::open(entry.path().string());
    ASSERT_TRUE(succeeds(folder));
    Result<Checkpoint> checkpoint = Checkpoint::open(*folder);
    ASSERT_TRUE(succeeds(checkpoint));
    EXPECT_TRUE(succeeds(checkFiniteWeights(*checkpoint)));
    ConfigOptions options;
    options.onlySupportedFamilies = false;
    Result<ModelConfig> config = loadModelConfig(*folder, options);
    ASSERT_TRUE(succeeds(config));
    EXPECT_TRUE(succeeds(loadGenerationConfig(*folder, *config)));
    // What is not supported yet is refused as such, never as corrupt.
    if (!getFamilyInfo(config->family).isSupported) {
      EXPECT_TRUE(failsWith(loadModelConfig(*folder), StatusCode::Unsupported,
                            "is not supported yet; supported: qwen3"));
    }
  }
  EXPECT_GE(count, 10u);
}
