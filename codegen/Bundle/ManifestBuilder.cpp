//===- ManifestBuilder.cpp - The manifest of a planned module -------------===//
#include "codegen/Bundle/EmitBundle.h"
#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Qwen/IR/QwenOps.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace quern {
namespace {

/// Walks the module once and fills the object form of the manifest. The enums
/// of the exec dialect have the values of manifest.fbs.
class ManifestBuilder {
public:
  ManifestBuilder(ModuleOp module, const BundleContents &contents)
      : module(module), contents(contents) {}

  FailureOr<bundle::ManifestT> build();

private:
  LogicalResult addStates();
  LogicalResult addWeights();
  LogicalResult addKernels();
  LogicalResult addMemoryPlan();
  LogicalResult addProgram(exec::ProgramOp program);
  FailureOr<std::unique_ptr<bundle::DispatchT>>
  buildDispatch(exec::DispatchOp dispatch);
  FailureOr<std::unique_ptr<bundle::BindingT>> buildBinding(Value buffer);
  void addArenaBuffers(exec::ProgramOp program, uint32_t index);
  void addFeature(std::string feature);

  struct WeightRange {
    uint64_t offset, size;
  };

  ModuleOp module;
  const BundleContents &contents;
  bundle::ManifestT manifest;
  bundle::TargetProgramsT *target = nullptr;
  llvm::StringMap<uint32_t> states, kernels;
  llvm::StringMap<WeightRange> weights;
  llvm::StringMap<exec::KernelOp> requests;
  llvm::DenseMap<int32_t, uint64_t> stepOffsets;
};

} // namespace

static FailureOr<bundle::DType> convertType(Operation *op, Type type) {
  if (type.isF32())
    return bundle::DType::F32;
  if (type.isF16())
    return bundle::DType::F16;
  if (type.isBF16())
    return bundle::DType::BF16;
  if (type.isInteger(32))
    return bundle::DType::I32;
  if (type.isInteger(8))
    return bundle::DType::I8;
  return op->emitOpError("has the element type ")
         << type << ", which a bundle can't hold";
}

static std::vector<uint64_t> convertShape(RankedTensorType type) {
  return {type.getShape().begin(), type.getShape().end()};
}

template <typename Range> static std::vector<uint32_t> toU32(Range &&values) {
  return {values.begin(), values.end()};
}

static std::string print(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

LogicalResult ManifestBuilder::addStates() {
  for (auto op : module.getOps<qwen::StateOp>()) {
    auto state = std::make_unique<bundle::StateT>();
    RankedTensorType type = op.getTensorType();
    bool int8Rows = isa<qwen::Int8RowsType>(type.getElementType());
    FailureOr<bundle::DType> dtype =
        int8Rows ? bundle::DType::F32 : convertType(op, type.getElementType());
    if (failed(dtype))
      return failure();
    if (int8Rows) {
      state->encoding = bundle::StateEncoding::Int8Rows;
      addFeature(std::string(kInt8RowsFeature));
    }
    state->name = op.getSymName();
    state->kind = static_cast<bundle::StateKind>(op.getKind());
    state->dtype = *dtype;
    state->shape = convertShape(type);
    state->size = exec::getSizeInBytes(type);
    states[op.getSymName()] = manifest.states.size();
    manifest.states.push_back(std::move(state));
  }
  return success();
}

/// Adds what a reader has to know, once.
void ManifestBuilder::addFeature(std::string feature) {
  if (!llvm::is_contained(manifest.required_features, feature))
    manifest.required_features.push_back(std::move(feature));
}

LogicalResult ManifestBuilder::addWeights() {
  uint64_t offset = 0;
  auto add = [&](Operation *op, StringRef name, RankedTensorType type,
                 StringRef packing,
                 std::vector<std::string> sources) -> LogicalResult {
    Encoding encoding = qwen::getEncoding(type.getElementType());
    FailureOr<bundle::DType> dtype =
        encoding == Encoding::None ? convertType(op, type.getElementType())
                                   : bundle::DType::F32;
    if (failed(dtype))
      return failure();
    if (encoding != Encoding::None)
      addFeature(getEncodingFeature(encoding));
    auto weight = std::make_unique<bundle::WeightT>();
    weight->name = name.str();
    weight->dtype = *dtype;
    weight->encoding = static_cast<bundle::Encoding>(encoding);
    weight->shape = convertShape(type);
    weight->offset = offset;
    weight->size = exec::padToAlignment(exec::getSizeInBytes(type));
    weight->sources = std::move(sources);
    weight->packing = packing.str();
    weights[name] = {offset, weight->size};
    offset += weight->size;
    manifest.weights.push_back(std::move(weight));
    return success();
  };
  for (Operation &op : module.getOps()) {
    if (auto weight = dyn_cast<exec::WeightOp>(op)) {
      std::vector<std::string> sources;
      for (Attribute source : weight.getSources())
        sources.push_back(cast<FlatSymbolRefAttr>(source).getValue().str());
      if (failed(add(&op, weight.getSymName(), weight.getTensorType(),
                     exec::stringifyPacking(weight.getPacking()),
                     std::move(sources))))
        return failure();
    } else if (auto constant = dyn_cast<exec::ConstantOp>(op)) {
      if (failed(add(&op, constant.getSymName(), constant.getTensorType(),
                     exec::stringifyPacking(exec::Packing::Plain), {})))
        return failure();
    }
  }
  return success();
}

/// Plans the places of a kernel's binaries from `offset` on, which moves.
static void addBinaries(const KernelBinary &from, bundle::KernelT &kernel,
                        uint64_t &offset) {
  constexpr uint64_t alignment = 16;
  for (auto [index, code] : llvm::enumerate(from.binaries)) {
    auto binary = std::make_unique<bundle::BinaryT>();
    binary->architecture = index;
    binary->code_offset = llvm::alignTo(offset, alignment);
    binary->code_size = code.code.size();
    binary->registers = code.resources.registers;
    binary->spill_stores = code.resources.spillStores;
    binary->spill_loads = code.resources.spillLoads;
    binary->local_memory = code.resources.localMemory;
    binary->workgroup_memory = code.resources.workgroupMemory;
    offset = llvm::alignTo(binary->code_offset + binary->code_size, 4);
    kernel.binaries.push_back(std::move(binary));
  }
}

LogicalResult ManifestBuilder::addKernels() {
  uint64_t offset = 0;
  for (auto op : module.getOps<exec::KernelOp>()) {
    std::optional<exec::LaunchAttr> launch = op.getLaunch();
    auto binary = contents.kernels.find(op.getSymName());
    if (!launch || binary == contents.kernels.end())
      return op.emitOpError("was not answered by codegen");
    auto kernel = std::make_unique<bundle::KernelT>();
    kernel->name = op.getSymName();
    kernel->entry_point = launch->getEntryPoint().getValue();
    kernel->request = op.getFamily().str() + " " + print(op.getArguments()) +
                      " " + print(op.getConfig());
    kernel->code_offset = offset;
    kernel->code_size = binary->second.code.size() * sizeof(uint32_t);
    kernel->workgroup_size = toU32(launch->getWorkgroupSize());
    kernel->grid = toU32(launch->getGrid());
    kernel->grid_count = static_cast<bundle::GridCount>(launch->getGridCount());
    kernel->grid_axis = launch->getGridAxis();
    kernel->grid_tile = launch->getGridTile();
    kernel->grid_scale = launch->getGridScale();
    kernel->subgroup_size = launch->getSubgroupSize();
    kernel->workgroup_memory = launch->getWorkgroupMemory();
    for (exec::Access access : launch->getAccesses())
      kernel->accesses.push_back(static_cast<bundle::Access>(access));
    offset += kernel->code_size;
    addBinaries(binary->second, *kernel, offset);
    kernels[op.getSymName()] = target->kernels.size();
    requests[op.getSymName()] = op;
    target->kernels.push_back(std::move(kernel));
  }
  return success();
}

LogicalResult ManifestBuilder::addMemoryPlan() {
  auto plans = module.getOps<exec::MemoryPlanOp>();
  if (plans.empty())
    return module.emitError("module has no exec.memory_plan");
  exec::MemoryPlanOp plan = *plans.begin();
  target->arena_size = plan.getArenaSize();
  target->step_size = plan.getStepSize();
  for (Attribute attribute : plan.getStepBuffers()) {
    auto planned = cast<exec::StepBufferAttr>(attribute);
    FailureOr<bundle::DType> dtype =
        convertType(plan, planned.getTensor().getElementType());
    if (failed(dtype))
      return failure();
    auto buffer = std::make_unique<bundle::StepBufferT>();
    buffer->role = static_cast<bundle::StepRole>(planned.getRole());
    buffer->dtype = *dtype;
    buffer->shape = convertShape(planned.getTensor());
    buffer->offset = planned.getOffset();
    buffer->size = exec::getSizeInBytes(planned.getTensor());
    stepOffsets[static_cast<int32_t>(planned.getRole())] = buffer->offset;
    target->step_buffers.push_back(std::move(buffer));
  }
  return success();
}

FailureOr<std::unique_ptr<bundle::BindingT>>
ManifestBuilder::buildBinding(Value buffer) {
  auto binding = std::make_unique<bundle::BindingT>();
  auto type = cast<exec::BufferType>(buffer.getType());
  binding->size = type.getSizeInBytes();
  Operation *op = buffer.getDefiningOp();
  if (auto step = dyn_cast<exec::StepOp>(op)) {
    binding->space = bundle::Space::Step;
    binding->offset = stepOffsets.lookup(static_cast<int32_t>(step.getRole()));
  } else if (auto alloc = dyn_cast<exec::AllocOp>(op)) {
    if (!alloc.getOffset())
      return alloc.emitOpError("has no place in the arena");
    binding->space = bundle::Space::Arena;
    binding->offset = *alloc.getOffset();
  } else if (auto state = dyn_cast<exec::StateRefOp>(op)) {
    binding->space = bundle::Space::State;
    binding->index = states.lookup(state.getState());
  } else if (auto weight = dyn_cast<exec::WeightRefOp>(op)) {
    binding->space = bundle::Space::Weights;
    binding->offset = weights.lookup(weight.getWeight()).offset;
  } else if (auto constant = dyn_cast<exec::ConstantRefOp>(op)) {
    binding->space = bundle::Space::Weights;
    binding->offset = weights.lookup(constant.getConstant()).offset;
  } else {
    return op->emitOpError("is no buffer that a bundle can name");
  }
  return binding;
}

FailureOr<std::unique_ptr<bundle::DispatchT>>
ManifestBuilder::buildDispatch(exec::DispatchOp op) {
  auto dispatch = std::make_unique<bundle::DispatchT>();
  StringRef kernelName = op.getKernel();
  exec::KernelOp request = requests.lookup(kernelName);
  if (!request)
    return op.emitOpError("names the unknown kernel ") << kernelName;
  const KernelBinary &binary = contents.kernels.find(kernelName)->second;
  dispatch->kernel = kernels.lookup(kernelName);
  dispatch->label = op.getLabel().value_or("").str();
  dispatch->bytes = binary.idealBytes;
  dispatch->flops = binary.flops;
  ArrayRef<exec::Access> accesses = request.getLaunch()->getAccesses();
  for (auto [index, operand] : llvm::enumerate(op.getOperands())) {
    auto binding = buildBinding(operand);
    if (failed(binding))
      return failure();
    (*binding)->access = static_cast<bundle::Access>(accesses[index]);
    (*binding)->written = request.getArgument(index).isWritten();
    dispatch->bindings.push_back(std::move(*binding));
  }
  return dispatch;
}

LogicalResult ManifestBuilder::addProgram(exec::ProgramOp op) {
  auto program = std::make_unique<bundle::ProgramT>();
  program->kind = static_cast<bundle::ProgramKind>(op.getKind());
  program->name = op.getSymName();
  program->max_tokens = op.getTokens();
  program->max_rows = op.getRows();
  program->arena_peak = op.getArenaPeak().value_or(0);
  program->logits_offset = program->hidden_offset =
      program->draft_hidden_offset = kAbsentOffset;
  bool barrier = false;
  for (Operation &nested : op.getBody().front()) {
    if (isa<exec::BarrierOp>(nested)) {
      barrier = true;
    } else if (auto alloc = dyn_cast<exec::AllocOp>(nested)) {
      if (alloc.getRole() == exec::BufferRole::Logits)
        program->logits_offset = alloc.getOffset().value_or(kAbsentOffset);
      if (alloc.getRole() == exec::BufferRole::Hidden)
        program->hidden_offset = alloc.getOffset().value_or(kAbsentOffset);
      if (alloc.getRole() == exec::BufferRole::DraftHidden)
        program->draft_hidden_offset =
            alloc.getOffset().value_or(kAbsentOffset);
    } else if (auto dispatchOp = dyn_cast<exec::DispatchOp>(nested)) {
      auto dispatch = buildDispatch(dispatchOp);
      if (failed(dispatch))
        return failure();
      (*dispatch)->barrier_before = barrier;
      barrier = false;
      program->dispatches.push_back(std::move(*dispatch));
    }
  }
  addArenaBuffers(op, target->programs.size());
  target->programs.push_back(std::move(program));
  return success();
}

/// Whether hidden states come from the programs before it.
static bool readsOtherPrograms(exec::ProgramKind kind) {
  return kind != exec::ProgramKind::Decode &&
         kind != exec::ProgramKind::Verify &&
         kind != exec::ProgramKind::Prefill;
}

void ManifestBuilder::addArenaBuffers(exec::ProgramOp program, uint32_t index) {
  llvm::DenseMap<Operation *, uint32_t> position;
  for (auto dispatch : program.getBody().front().getOps<exec::DispatchOp>())
    position.try_emplace(dispatch, position.size());
  for (auto alloc : program.getBody().front().getOps<exec::AllocOp>()) {
    auto buffer = std::make_unique<bundle::ArenaBufferT>();
    uint32_t first = ~0u, last = 0;
    StringRef name;
    for (Operation *user : alloc.getBuffer().getUsers()) {
      auto dispatch = dyn_cast<exec::DispatchOp>(user);
      if (!dispatch)
        continue;
      uint32_t at = position.lookup(dispatch);
      if (at <= first) {
        first = at;
        name = dispatch.getLabel().value_or("");
      }
      last = std::max(last, at);
    }
    if (first == ~0u)
      continue;
    // What lives beyond the program is busy all through it.
    if (alloc.getRole()) {
      last = position.size() - 1;
      if (alloc.getRole() != exec::BufferRole::Logits &&
          readsOtherPrograms(program.getKind()))
        first = 0;
    }
    buffer->program = index;
    buffer->name = name.str();
    buffer->offset = alloc.getOffset().value_or(0);
    buffer->size = exec::getSizeInBytes(
        cast<exec::BufferType>(alloc.getBuffer().getType()).getTensor());
    buffer->first_dispatch = first;
    buffer->last_dispatch = last;
    target->arena_buffers.push_back(std::move(buffer));
  }
}

FailureOr<bundle::ManifestT> ManifestBuilder::build() {
  manifest.compiler_version = contents.compilerVersion;
  manifest.compile_options = contents.compileOptions;
  manifest.model = std::make_unique<bundle::ModelT>(contents.model);
  manifest.sampling =
      std::make_unique<bundle::SamplingDefaultsT>(contents.sampling);
  manifest.targets.push_back(std::make_unique<bundle::TargetProgramsT>());
  target = manifest.targets.back().get();
  target->target = std::make_unique<bundle::TargetT>(contents.target);
  for (const bundle::ArchitectureT &architecture : contents.architectures)
    target->architectures.push_back(
        std::make_unique<bundle::ArchitectureT>(architecture));
  if (failed(addStates()) || failed(addWeights()) || failed(addKernels()) ||
      failed(addMemoryPlan()))
    return failure();
  for (auto program : module.getOps<exec::ProgramOp>())
    if (failed(addProgram(program)))
      return failure();
  return std::move(manifest);
}

FailureOr<bundle::ManifestT> buildManifest(ModuleOp module,
                                           const BundleContents &contents) {
  return ManifestBuilder(module, contents).build();
}

} // namespace quern
