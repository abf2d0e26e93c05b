//===- LoadedModel.cpp - A bundle on a device -----------------------------===//

#include "runtime/engine/LoadedModel.h"

#include "runtime/base/Escape.h"
#include "runtime/engine/TargetSelection.h"

#include <algorithm>

using namespace quern;
using bundle::ProgramKind;

/// Weights are copied in parts of so many bytes, each a step of the progress.
static constexpr uint64_t maxUploadBytes = uint64_t(64) << 20;

static ArgumentAccess convert(bundle::Access access) {
  switch (access) {
  case bundle::Access::StorageBuffer:
    return ArgumentAccess::StorageBuffer;
  case bundle::Access::TexelUint4:
    return ArgumentAccess::TexelUint4;
  case bundle::Access::TexelFloat4:
    return ArgumentAccess::TexelFloat4;
  case bundle::Access::TexelUint1:
    return ArgumentAccess::TexelUint1;
  case bundle::Access::TexelFloat1:
    return ArgumentAccess::TexelFloat1;
  }
  return ArgumentAccess::StorageBuffer;
}

static GridCount convert(bundle::GridCount count) {
  switch (count) {
  case bundle::GridCount::None:
    return GridCount::None;
  case bundle::GridCount::Tokens:
    return GridCount::Tokens;
  case bundle::GridCount::Rows:
    return GridCount::Rows;
  }
  return GridCount::None;
}

static std::array<uint32_t, 3>
convert(const flatbuffers::Vector<uint32_t> *values) {
  std::array<uint32_t, 3> result = {1, 1, 1};
  std::copy(values->begin(), values->end(), result.begin()); // Verified: 3.
  return result;
}

Result<std::unique_ptr<LoadedModel>>
LoadedModel::load(std::shared_ptr<const Bundle> bundle,
                  std::unique_ptr<Device> device, const LoadOptions &options) {
  std::unique_ptr<LoadedModel> model(
      new LoadedModel(std::move(bundle), std::move(device)));
  if (Status status = model->initialize(options); !status.isOk())
    return std::move(status).withContext(model->bundle->getName());
  return model;
}

LoadedModel::~LoadedModel() {
  for (BufferHandle buffer : owned)
    device->free(buffer);
}

const bundle::Model &LoadedModel::getModel() const {
  return *bundle->getManifest().model();
}

const bundle::TargetPrograms &LoadedModel::getTarget() const {
  return bundle->getTarget(target);
}

const bundle::Architecture *LoadedModel::getArchitecture() const {
  return architecture ? getTarget().architectures()->Get(*architecture)
                      : nullptr;
}

Status LoadedModel::initialize(const LoadOptions &options) {
  QUERN_ASSIGN_OR_RETURN(
      target,
      selectTarget(bundle->getManifest(), device->getInfo(), options.target));
  readGeometry();
  // Imported weights of a device with memory of its own would cross the bus in
  // every step: copy them if they fit.
  const DeviceInfo &info = device->getInfo();
  const bundle::Manifest &manifest = bundle->getManifest();
  bool canImport = info.limits.importAlignment != 0;
  MemoryNeed copying =
      computeMemoryNeed(manifest, getTarget(), bundle->getWeights().size());
  bool import = canImport && (info.sharesHostMemory ||
                              !checkMemory(copying, manifest, info).isOk());
  QUERN_RETURN_IF_ERROR(checkMemory(
      import ? computeMemoryNeed(manifest, getTarget(), 0) : copying, manifest,
      info));
  QUERN_RETURN_IF_ERROR(allocateBuffers());
  QUERN_RETURN_IF_ERROR(provideWeights(import, options.progress));
  QUERN_RETURN_IF_ERROR(createKernels());
  return recordPrograms();
}

void LoadedModel::readGeometry() {
  const bundle::Model &model = getModel();
  stepLayout = readStepLayout(getTarget(), model);
  geometry.vocabSize = model.vocab_size();
  geometry.contextLength = model.context_length();
  geometry.numSlots = model.num_slots();
  geometry.pageSize = model.page_size();
  geometry.numPages = model.num_pages();
  geometry.maxStepTokens = stepLayout.maxTokens;
  for (const bundle::Program *program : *getTarget().programs())
    if (program->kind() == ProgramKind::Decode ||
        program->kind() == ProgramKind::Verify)
      geometry.maxSmallTokens =
          std::max(geometry.maxSmallTokens, program->max_tokens());
  // Verified: all rings of a kind are equally long.
  if (const auto *states = bundle->getManifest().states())
    for (const bundle::State *state : *states) {
      if (state->kind() == bundle::StateKind::DeltaKeys)
        geometry.deltaRing = uint32_t(state->shape()->Get(1));
      if (state->kind() == bundle::StateKind::Convolution)
        geometry.convolutionRing = uint32_t(state->shape()->Get(1));
    }
}

Result<BufferHandle> LoadedModel::allocate(uint64_t size, MemoryKind kind,
                                           const std::string &what) {
  Result<BufferHandle> buffer = device->allocate(size, kind);
  if (!buffer.isOk())
    return std::move(buffer).takeStatus().withContext(what);
  owned.push_back(*buffer);
  deviceBytes += size;
  return buffer;
}

Status LoadedModel::allocateBuffers() {
  owned.reserve(bundle->getManifest().states()
                    ? bundle->getManifest().states()->size() + 3
                    : 3);
  QUERN_ASSIGN_OR_RETURN(
      step, allocate(stepLayout.size, MemoryKind::HostVisible, "step block"));
  void *memory = device->getHostPointer(step);
  if (!memory)
    return deviceError("the device does not map the step block");
  stepBlock = StepBlock(stepLayout, memory);
  stepBlock.setSequences({}); // Programs that run on no tokens read them too.
  QUERN_ASSIGN_OR_RETURN(arena, allocate(getTarget().arena_size(),
                                         MemoryKind::DeviceLocal, "arena"));
  if (const auto *list = bundle->getManifest().states())
    for (const bundle::State *state : *list) {
      QUERN_ASSIGN_OR_RETURN(
          BufferHandle buffer,
          allocate(state->size(), MemoryKind::DeviceLocal,
                   "state " + quoteName(toView(state->name()))));
      states.push_back(buffer);
    }
  return Status::ok();
}

Status LoadedModel::provideWeights(bool import,
                                   const ProgressCallback &progress) {
  if (bundle->getWeights().empty())
    return Status::ok();
  if (import) {
    Status status = importWeights();
    if (status.getCode() != StatusCode::Unsupported)
      return status;
  }
  return copyWeights(progress);
}

Status LoadedModel::importWeights() {
  std::span<const std::byte> bytes = bundle->getWeights();
  Result<BufferHandle> imported =
      device->importHostMemory(bytes.data(), bytes.size());
  if (!imported.isOk())
    return std::move(imported).takeStatus().withContext("weights");
  weightParts = {{0, bytes.size(), *imported}};
  owned.push_back(*imported);
  return Status::ok();
}

/// Whole weights per buffer, as many as one allocation holds.
Status LoadedModel::copyWeights(const ProgressCallback &progress) {
  std::span<const std::byte> bytes = bundle->getWeights();
  uint64_t limit = device->getInfo().limits.maxAllocationBytes;
  if (limit == 0)
    limit = UINT64_MAX;
  const auto &list = *bundle->getManifest().weights();
  std::vector<const bundle::Weight *> sorted(list.begin(), list.end());
  std::ranges::sort(sorted, {}, &bundle::Weight::offset);
  for (const bundle::Weight *weight : sorted) {
    uint64_t end = weight->offset() + weight->size();
    if (weight->size() > limit)
      return resourceExhausted("weight " + quoteName(toView(weight->name())) +
                               " has " + std::to_string(weight->size()) +
                               " bytes, the device allows buffers of " +
                               std::to_string(limit));
    if (weightParts.empty() || end - weightParts.back().offset > limit)
      weightParts.push_back({weight->offset(), 0, BufferHandle{}});
    weightParts.back().size = end - weightParts.back().offset;
  }
  for (WeightPart &part : weightParts) {
    QUERN_ASSIGN_OR_RETURN(
        part.buffer, allocate(part.size, MemoryKind::DeviceLocal, "weights"));
    for (uint64_t at = 0; at < part.size; at += maxUploadBytes) {
      uint64_t size = std::min(part.size - at, maxUploadBytes);
      QUERN_RETURN_IF_ERROR(
          device->upload(part.buffer, at, bytes.subspan(part.offset + at, size))
              .withContext("weights"));
      if (progress)
        progress(part.offset + at + size, bytes.size());
    }
  }
  weightsCopied = true;
  return Status::ok();
}

/// The device refuses a range that a hostile bundle lets begin in one part and
/// end in another.
BufferRange LoadedModel::resolveWeight(uint64_t offset, uint64_t size) const {
  size_t part = weightParts.size() - 1;
  while (part > 0 && weightParts[part].offset > offset)
    --part;
  return {weightParts[part].buffer, offset - weightParts[part].offset, size};
}

Status LoadedModel::createKernels() {
  const auto *list = getTarget().kernels();
  architecture = selectArchitecture(getTarget(), device->getInfo());
  for (uint32_t i = 0; i != list->size(); ++i) {
    const bundle::Kernel &kernel = *list->Get(i);
    KernelDescription description;
    description.name = toView(kernel.name());
    description.entryPoint = toView(kernel.entry_point());
    description.code = architecture
                           ? bundle->getBinaryCode(target, i, *architecture)
                           : bundle->getKernelCode(target, i);
    description.workgroupSize = convert(kernel.workgroup_size());
    description.subgroupSize = kernel.subgroup_size();
    description.workgroupMemory = kernel.workgroup_memory();
    for (auto access : *kernel.accesses())
      description.arguments.push_back(convert(bundle::Access(access)));
    Result<KernelHandle> handle = device->createKernel(description);
    if (!handle.isOk())
      return std::move(handle).takeStatus();
    kernels.push_back(*handle);
  }
  return Status::ok();
}

BufferRange LoadedModel::resolve(const bundle::Binding &binding) const {
  switch (binding.space()) {
  case bundle::Space::Step:
    return {step, binding.offset(), binding.size()};
  case bundle::Space::Arena:
    return {arena, binding.offset(), binding.size()};
  case bundle::Space::State:
    return {states[binding.index()], binding.offset(), binding.size()};
  case bundle::Space::Weights:
    break;
  }
  return resolveWeight(binding.offset(), binding.size());
}

ProgramDescription
LoadedModel::describeProgram(const bundle::Program &program) const {
  ProgramDescription description;
  description.name = toView(program.name());
  for (const bundle::Dispatch *from : *program.dispatches()) {
    const bundle::Kernel &kernel = *getTarget().kernels()->Get(from->kernel());
    DispatchDescription to;
    to.kernel = kernels[from->kernel()];
    to.barrierBefore = from->barrier_before();
    to.label = toView(from->label());
    to.grid = {convert(kernel.grid()), convert(kernel.grid_count()),
               kernel.grid_axis(), kernel.grid_tile(), kernel.grid_scale()};
    for (const bundle::Binding *binding : *from->bindings())
      to.arguments.push_back(resolve(*binding));
    description.dispatches.push_back(std::move(to));
  }
  return description;
}

Status LoadedModel::recordPrograms() {
  for (const bundle::Program *program : *getTarget().programs()) {
    ProgramDescription description = describeProgram(*program);
    Result<ProgramHandle> handle = device->record(description);
    if (!handle.isOk())
      return std::move(handle).takeStatus();
    programs[size_t(program->kind())] = {*handle, program->max_tokens(),
                                         program->max_rows(),
                                         program->logits_offset(), program};
  }
  return Status::ok();
}

Status LoadedModel::warmUp(std::chrono::nanoseconds timeout) {
  for (const LoadedProgram &program : programs) {
    if (!program.description)
      continue;
    QUERN_RETURN_IF_ERROR(device->submit(program.handle, 0, 0));
    QUERN_RETURN_IF_ERROR(device->wait(uint64_t(timeout.count())));
  }
  return Status::ok();
}
