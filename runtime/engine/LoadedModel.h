//===- LoadedModel.h - A bundle on a device ---------------------*- C++ -*-===//
//
// Everything that is done once: choosing the program set for the device,
// checking that the model fits its memory, allocating the step block, the
// arena and the states, handing the weights over (without a copy where the
// device can), creating the kernels and recording the programs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_LOADEDMODEL_H
#define QUERN_RUNTIME_ENGINE_LOADEDMODEL_H

#include "runtime/bundle/Bundle.h"
#include "runtime/device/Device.h"
#include "runtime/engine/StepBlock.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quern {

struct LoadOptions {
  /// Take this target of the bundle. Empty: the first one that the device runs.
  std::string target;
  /// Follows weights that are copied to the device, in bytes.
  ProgressCallback progress;
};

/// What bounds a step and a sequence.
struct ModelGeometry {
  uint32_t vocabSize = 0;
  uint32_t contextLength = 0;  ///< Longest sequence, tokens.
  uint32_t numSlots = 0;       ///< Sequences at a time.
  uint32_t pageSize = 0;       ///< Tokens per page.
  uint32_t numPages = 0;       ///< Pages of all sequences together.
  uint32_t maxStepTokens = 0;  ///< Of one step.
  uint32_t maxSmallTokens = 0; ///< Of a step without prefill.

  /// Recurrent states: position p of a slot lies in row p mod ring of the keys
  /// and updates that are not folded into its state yet. 0: no such states.
  uint32_t deltaRing = 0;
  /// The same for the inputs of convolutions. Half of the ring can be taken
  /// back, the other half is what the convolutions look back at.
  uint32_t convolutionRing = 0;

  /// Whether states exist that are not indexed by position: a sequence can only
  /// be cut as far as Sequence::getShortestLength.
  bool isRecurrent() const { return deltaRing != 0 || convolutionRing != 0; }
};

/// A recorded program.
struct LoadedProgram {
  ProgramHandle handle{};
  uint32_t maxTokens = 0;
  uint32_t maxRows = 0;
  uint64_t logitsOffset = kAbsentOffset; ///< In the arena.
  const bundle::Program *description = nullptr;
};

/// Not thread-safe. Frees its buffers in the device on destruction.
class LoadedModel {
public:
  /// Unsupported if no target of the bundle runs on the device (with the
  /// reason for each), ResourceExhausted with the numbers if the model does
  /// not fit, before anything is allocated.
  static Result<std::unique_ptr<LoadedModel>>
  load(std::shared_ptr<const Bundle> bundle, std::unique_ptr<Device> device,
       const LoadOptions &options = {});

  LoadedModel(const LoadedModel &) = delete;
  LoadedModel &operator=(const LoadedModel &) = delete;
  ~LoadedModel();

  const Bundle &getBundle() const { return *bundle; }
  const bundle::Model &getModel() const;
  const bundle::TargetPrograms &getTarget() const;
  /// Whose binaries run on the device; null: the target's own code.
  const bundle::Architecture *getArchitecture() const;
  Device &getDevice() const { return *device; }
  const ModelGeometry &getGeometry() const { return geometry; }
  StepBlock &getStepBlock() { return stepBlock; }
  BufferHandle getArena() const { return arena; }
  /// Null if the bundle has no program of this kind.
  const LoadedProgram *getProgram(bundle::ProgramKind kind) const {
    const LoadedProgram &program = programs[size_t(kind)];
    return program.description ? &program : nullptr;
  }
  /// Runs every program on no tokens, for drivers that compile kernels when
  /// they first run. Optional: the first steps are slower without it.
  Status warmUp(std::chrono::nanoseconds timeout);

  bool areWeightsCopied() const { return weightsCopied; }
  /// Bytes of device memory in use, imported weights not counted.
  uint64_t getDeviceBytes() const { return deviceBytes; }

private:
  LoadedModel(std::shared_ptr<const Bundle> bundle,
              std::unique_ptr<Device> device)
      : bundle(std::move(bundle)), device(std::move(device)) {}
  Status initialize(const LoadOptions &options);
  void readGeometry();
  Status allocateBuffers();
  Status importWeights();
  Status copyWeights(const ProgressCallback &progress);
  Status provideWeights(bool import, const ProgressCallback &progress);
  Status createKernels();
  Status recordPrograms();
  ProgramDescription describeProgram(const bundle::Program &program) const;
  BufferRange resolve(const bundle::Binding &binding) const;
  BufferRange resolveWeight(uint64_t offset, uint64_t size) const;
  Result<BufferHandle> allocate(uint64_t size, MemoryKind kind,
                                const std::string &what);

  std::shared_ptr<const Bundle> bundle;
  std::unique_ptr<Device> device;
  uint32_t target = 0;
  std::optional<uint32_t> architecture;
  ModelGeometry geometry;
  StepLayout stepLayout;
  StepBlock stepBlock;
  std::vector<BufferHandle> owned; ///< All buffers, to free them.
  BufferHandle step{}, arena{};
  std::vector<BufferHandle> states;
  /// A part of the weights section in a buffer of its own. Parts are sorted,
  /// and no weight lies in two of them.
  struct WeightPart {
    uint64_t offset = 0, size = 0;
    BufferHandle buffer{};
  };
  std::vector<WeightPart> weightParts;
  std::vector<KernelHandle> kernels; ///< By manifest index.
  std::array<LoadedProgram, size_t(bundle::ProgramKind::MAX) + 1> programs;
  uint64_t deviceBytes = 0;
  bool weightsCopied = false;
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_LOADEDMODEL_H
