//===- ModelBuilder.cpp - makes qwen IR for model families ----------------===//
#include "frontend/Models/ModelBuilder.h"

#include "frontend/HuggingFace/PackedWeight.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace quern;

static Type toMlirType(Builder builder, DataType type) {
  switch (type) {
  case DataType::F16:
    return builder.getF16Type();
  case DataType::BF16:
    return builder.getBF16Type();
  default:
    // Other element types are refused by account(), which names the tensor.
    return builder.getF32Type();
  }
}

/// The type that a packed weight is stored with unless something else is asked
/// for: the encoding of its own codes, or that which config.json says the model
/// was trained in, bf16 if it says nothing.
static Type chooseStoredType(Builder builder, const PackedWeight &packed,
                             const ModelConfig &config) {
  if (packed.getEncoding() != Encoding::None)
    return qwen::EncodedType::get(builder.getContext(), packed.getEncoding());
  return toMlirType(builder, config.dtype.value_or(DataType::BF16));
}

ModelBuilder::ModelBuilder(ModuleOp module, const ModelConfig &config,
                           const Checkpoint &checkpoint,
                           const ImportOptions &options)
    : module(module), config(config), checkpoint(checkpoint), options(options),
      builder(module.getContext()), symbols(module.getContext()),
      computeType(toMlirType(builder, options.compute)) {
  start(ModelFunction::Forward);
}

bool ModelBuilder::hasDraft() const {
  const Checkpoint::TensorMap &tensors = checkpoint.getTensors();
  auto first = tensors.lower_bound("mtp.");
  return config.linearAttention && first != tensors.end() &&
         first->first.starts_with("mtp.");
}

/// An argument or a result of a function.
struct ModelBuilder::Port {
  qwen::Role role;
  Type type;
  Value StepInputs::*value = nullptr;
};

/// tensor<? x width> of i32 or f32; tensor<?> for a width of 0.
RankedTensorType ModelBuilder::rowsOf(int64_t width, bool isInteger) {
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  if (width)
    shape.push_back(width);
  return RankedTensorType::get(shape, isInteger ? Type(builder.getI32Type())
                                                : builder.getF32Type());
}

std::vector<ModelBuilder::Port>
ModelBuilder::argumentsOf(ModelFunction function) {
  using qwen::Role;
  auto limits = cast<qwen::ModelAttr>(
      module->getAttr(qwen::QwenDialect::getModelAttrName()));
  int64_t pages[] = {limits.getNumSlots(), limits.getPagesPerSlot()};
  std::vector<Port> ports = {
      {Role::TokenIds, rowsOf(0, true), &StepInputs::tokenIds},
      {Role::Positions, rowsOf(0, true), &StepInputs::positions},
      {Role::Slots, rowsOf(0, true), &StepInputs::slots},
      {Role::PageTable, RankedTensorType::get(pages, builder.getI32Type()),
       &StepInputs::pageTable}};
  if (function != ModelFunction::Forward)
    ports.push_back(
        {function == ModelFunction::Draft ? Role::Hidden : Role::DraftHidden,
         rowsOf(config.hiddenSize, false), &StepInputs::hidden});
  else if (llvm::is_contained(config.layerTypes, LayerType::LinearAttention))
    ports.push_back({Role::Sequences, rowsOf(8, true), &StepInputs::sequences});
  ports.push_back({Role::Rows, rowsOf(0, true), &StepInputs::rows});
  ports.push_back({Role::Sampling, rowsOf(8, false), &StepInputs::sampling});
  ports.push_back({Role::SeenTokens, rowsOf((config.vocabSize + 31) / 32, true),
                   &StepInputs::seen});
  return ports;
}

std::vector<ModelBuilder::Port>
ModelBuilder::resultsOf(ModelFunction function) {
  using qwen::Role;
  std::vector<Port> ports = {{Role::Logits, rowsOf(config.vocabSize, false)},
                             {Role::Tokens, rowsOf(0, true)}};
  Type stream = rowsOf(config.hiddenSize, false);
  if (function != ModelFunction::Forward)
    ports.push_back({Role::DraftHidden, stream});
  else if (hasDraft())
    ports.push_back({Role::Hidden, stream});
  return ports;
}

void ModelBuilder::start(ModelFunction function) {
  StringRef name = function == ModelFunction::Forward ? "forward"
                   : function == ModelFunction::Draft ? "draft"
                                                      : "draft_next";
  std::vector<Port> arguments = argumentsOf(function);
  std::vector<Port> results = resultsOf(function);
  auto typesOf = [](ArrayRef<Port> ports) {
    return llvm::map_to_vector(ports, [](const Port &p) { return p.type; });
  };
  builder.setInsertionPointToEnd(module.getBody());
  auto func = func::FuncOp::create(
      builder, at(name), name,
      builder.getFunctionType(typesOf(arguments), typesOf(results)));
  auto roleName = [&](qwen::Role role) {
    return builder.getStringAttr(qwen::stringifyRole(role));
  };
  StringRef key = qwen::QwenDialect::getRoleAttrName();
  Block *body = func.addEntryBlock();
  inputs = {};
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    func.setArgAttr(i, key, roleName(argument.role));
    inputs.*argument.value = body->getArgument(i);
  }
  for (auto [i, result] : llvm::enumerate(results))
    func.setResultAttr(i, key, roleName(result.role));
  // Weights and states stand in front of all functions.
  if (function == ModelFunction::Forward)
    symbols.setInsertionPoint(func);
  builder.setInsertionPointToEnd(body);
}

void ModelBuilder::finish(ValueRange results) {
  func::ReturnOp::create(builder, builder.getBlock()->getParentOp()->getLoc(),
                         results);
}

Location ModelBuilder::at(const Twine &label) {
  return NameLoc::get(builder.getStringAttr(label));
}

RankedTensorType ModelBuilder::tokens(ArrayRef<int64_t> features,
                                      Type element) {
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  shape.append(features.begin(), features.end());
  return RankedTensorType::get(shape, element);
}

FlatSymbolRefAttr ModelBuilder::weight(const Twine &name,
                                       ArrayRef<int64_t> shape,
                                       bool isTransposed) {
  std::string text = name.str();
  FlatSymbolRefAttr &known = weights[text];
  if (known)
    return known;
  known = FlatSymbolRefAttr::get(builder.getContext(), text);
  const StoredTensor *stored = checkpoint.find(text);
  Type element = toMlirType(builder, stored ? stored->type : DataType::F32);
  TypeAttr as;
  if (stored && stored->packed) {
    Type type = chooseStoredType(builder, *stored->packed, config);
    if (type != element)
      as = TypeAttr::get(type);
    StringRef place = text;
    if (place.consume_back(".weight"))
      skipAll((place + ".bias").str(), "a bias of zeros");
  }
  auto weight = qwen::WeightOp::create(
      symbols, at(text), text, RankedTensorType::get(shape, element),
      stored ? checkpoint.getFiles()[stored->file] : std::string("missing"),
      stored ? stored->offset : 0, isTransposed, as);
  auto fileShape = weight.getFileShape();
  expected.push_back({text, {fileShape.begin(), fileShape.end()}});
  return known;
}

void ModelBuilder::skipTied(const Twine &name, const Twine &embedding,
                            ArrayRef<int64_t> shape) {
  std::string text = name.str();
  if (!checkpoint.find(text))
    return;
  if (tied.try_emplace(text, embedding.str()).second)
    expected.push_back({text, shape.vec(), /*isOptional=*/true});
}

void ModelBuilder::skipAll(StringRef prefix, StringRef reason) {
  const Checkpoint::TensorMap &tensors = checkpoint.getTensors();
  for (auto it = tensors.lower_bound(std::string_view(prefix));
       it != tensors.end() && StringRef(it->first).starts_with(prefix); ++it) {
    expected.push_back({it->first, it->second.shape, /*isOptional=*/true});
    skipped.push_back({it->first, reason.str()});
  }
}

FlatSymbolRefAttr ModelBuilder::state(const Twine &name, qwen::StateKind kind,
                                      ArrayRef<int64_t> shape, Type element) {
  std::string text = name.str();
  FlatSymbolRefAttr &known = states[text];
  if (known)
    return known;
  qwen::StateOp::create(symbols, at(text), text, kind,
                        RankedTensorType::get(shape, element));
  return known = FlatSymbolRefAttr::get(builder.getContext(), text);
}

FlatSymbolRefAttr ModelBuilder::cache(const Twine &name, qwen::StateKind kind) {
  auto limits = cast<qwen::ModelAttr>(
      module->getAttr(qwen::QwenDialect::getModelAttrName()));
  int64_t shape[] = {limits.getNumPages(), config.numKeyValueHeads,
                     limits.getPageSize(), config.headDim};
  return state(name, kind, shape, computeType);
}

void ModelBuilder::refuse(const Status &error) {
  if (refusal.isOk())
    refusal = error;
}

/// Counts the parts of a packed weight.
static void accountPacked(const StoredTensor &tensor, ImportReport &report) {
  const PackedWeight &packed = *tensor.packed;
  for (const StoredTensor &part : packed.getParts())
    report.usedTensors.push_back(part.name);
  report.weightBytes += packed.countStoredBytes();
  bool isExact = packed.getEncoding() != Encoding::None;
  ++(isExact ? report.exactWeights : report.decodedWeights);
  if (!isExact && !packed.getReason().empty() && report.whyDecoded.empty())
    report.whyDecoded = tensor.name + ": " + packed.getReason();
}

LogicalResult ModelBuilder::account(ImportReport &report) {
  if (!refusal.isOk())
    return emitError(module.getLoc(), refusal.getMessage());
  Result<std::vector<std::string>> extra = checkTensors(
      checkpoint, expected, {.refuseExtra = options.refuseUnexpectedTensors});
  if (!extra.isOk())
    return emitError(module.getLoc(), extra.getStatus().getMessage());
  report.unexpectedTensors = *extra;
  for (const auto &[name, embedding] : tied) {
    Status equal = checkTiedEmbeddings(checkpoint, embedding, name);
    if (!equal.isOk())
      return emitError(module.getLoc(), equal.getMessage());
    report.skippedTensors.push_back(
        {name, "tie_word_embeddings: " + embedding + " is the output matrix"});
  }
  llvm::append_range(report.skippedTensors, skipped);
  for (const ExpectedTensor &tensor : expected) {
    if (tensor.isOptional)
      continue;
    const StoredTensor &stored = *checkpoint.find(tensor.name);
    if (stored.packed) {
      accountPacked(stored, report);
      continue;
    }
    report.usedTensors.push_back(tensor.name);
    report.weightBytes += stored.bytes.size();
    if (config.dtype && stored.type != *config.dtype && tensor.shape.size() > 1)
      report.warnings.push_back(
          checkpoint.describe(stored) + " has element type " +
          std::string(dataTypeName(stored.type)) + ", config.json says " +
          std::string(dataTypeName(*config.dtype)));
  }
  return success();
}

Value quern::buildLinear(ModelBuilder &model, Value x, const Twine &name,
                         int64_t outputs, Type element) {
  int64_t inputs = cast<RankedTensorType>(x.getType()).getDimSize(1);
  Attribute weight = model.weight(name + ".weight", {outputs, inputs});
  std::string text = name.str();
  StringRef label = text;
  label.consume_front("model.");
  label.consume_front("language_model.");
  return qwen::LinearOp::create(model.getOpBuilder(), model.at(label),
                                model.tokens(outputs, element), x,
                                model.getOpBuilder().getArrayAttr(weight));
}
