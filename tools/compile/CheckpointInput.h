//===- CheckpointInput.h - All that a checkpoint folder holds ---*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_CHECKPOINTINPUT_H
#define QUERN_TOOLS_COMPILE_CHECKPOINTINPUT_H

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/GenerationConfig.h"
#include "frontend/HuggingFace/ModelDir.h"

#include <string>
#include <vector>

namespace quern {

/// The parts of a Hugging Face folder that end up in a bundle.
struct CheckpointInput {
  std::string name; ///< Last component of the folder's path.
  ModelConfig config;
  GenerationConfig generation;
  Checkpoint checkpoint;
  std::string tokenizer;    ///< Serialised; empty: the folder has none.
  std::string chatTemplate; ///< Jinja text; empty: the folder has none.
  std::vector<std::string> warnings;
};

/// Opens and validates everything. `strictWeights` also reads all weights and
/// refuses NaN and infinite values.
Result<CheckpointInput> readCheckpoint(const ModelDir &directory,
                                       bool strictWeights);

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_CHECKPOINTINPUT_H
