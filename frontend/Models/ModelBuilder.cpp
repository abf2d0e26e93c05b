//===- ModelBuilder.cpp - makes qwen IR for model families ----------------===//
#include "frontend/Models/ModelBuilder.h"

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

ModelBuilder::ModelBuilder(ModuleOp module, const ModelConfig &config,
                           const Checkpoint &checkpoint,
                           const ImportOptions &options)
    : module(module), config(config), checkpoint(checkpoint), options(options),
      builder(module.getContext()), symbols(module.getContext()),
      computeType(toMlirType(builder, options.compute)) {
  startForward();
}

void ModelBuilder::startForward() {
  using qwen::Role;
  const int64_t dynamic = ShapedType::kDynamic;
  auto tensor = [&](ArrayRef<int64_t> shape, bool integer) -> Type {
    return RankedTensorType::get(shape, integer ? Type(builder.getI32Type())
                                                : builder.getF32Type());
  };
  auto limits = cast<qwen::ModelAttr>(
      module->getAttr(qwen::QwenDialect::getModelAttrName()));
  int64_t vocabulary = config.vocabSize;
  struct Port {
    Role role;
    Type type;
    Value *value;
  } arguments[] = {
      {Role::TokenIds, tensor(dynamic, true), &inputs.tokenIds},
      {Role::Positions, tensor(dynamic, true), &inputs.positions},
      {Role::Slots, tensor(dynamic, true), &inputs.slots},
      {Role::PageTable,
       tensor({limits.getNumSlots(), limits.getPagesPerSlot()}, true),
       &inputs.pageTable},
      {Role::Rows, tensor(dynamic, true), &inputs.rows},
      {Role::Sampling, tensor({dynamic, 8}, false), &inputs.sampling},
      {Role::SeenTokens, tensor({dynamic, (vocabulary + 31) / 32}, true),
       &inputs.seen}};
  SmallVector<Type> types;
  for (const Port &argument : arguments)
    types.push_back(argument.type);
  Type results[] = {tensor({dynamic, vocabulary}, false),
                    tensor(dynamic, true)};

  builder.setInsertionPointToEnd(module.getBody());
  auto forward = func::FuncOp::create(builder, at("forward"), "forward",
                                      builder.getFunctionType(types, results));
  auto roleName = [&](Role role) {
    return builder.getStringAttr(qwen::stringifyRole(role));
  };
  StringRef key = qwen::QwenDialect::getRoleAttrName();
  Block *body = forward.addEntryBlock();
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    forward.setArgAttr(i, key, roleName(argument.role));
    *argument.value = body->getArgument(i);
  }
  forward.setResultAttr(0, key, roleName(Role::Logits));
  forward.setResultAttr(1, key, roleName(Role::Tokens));
  symbols.setInsertionPoint(forward);
  builder.setInsertionPointToEnd(body);
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
                                       ArrayRef<int64_t> shape) {
  std::string text = name.str();
  FlatSymbolRefAttr &known = weights[text];
  if (known)
    return known;
  known = FlatSymbolRefAttr::get(builder.getContext(), text);
  expected.push_back({text, shape.vec()});
  const StoredTensor *stored = checkpoint.find(text);
  Type element = toMlirType(builder, stored ? stored->type : DataType::F32);
  qwen::WeightOp::create(
      symbols, at(text), text, RankedTensorType::get(shape, element),
      stored ? checkpoint.getFiles()[stored->file] : std::string("missing"),
      stored ? stored->offset : 0);
  return known;
}

void ModelBuilder::skipTied(const Twine &name, const Twine &embedding,
                            ArrayRef<int64_t> shape) {
  std::string text = name.str();
  if (!checkpoint.find(text))
    return;
  expected.push_back({text, shape.vec(), /*isOptional=*/true});
  tied.push_back({text, embedding.str()});
}

FlatSymbolRefAttr ModelBuilder::cache(const Twine &name, qwen::StateKind kind) {
  auto limits = cast<qwen::ModelAttr>(
      module->getAttr(qwen::QwenDialect::getModelAttrName()));
  int64_t shape[] = {limits.getNumPages(), limits.getPageSize(),
                     config.numKeyValueHeads, config.headDim};
  std::string text = name.str();
  qwen::StateOp::create(symbols, at(text), text, kind,
                        RankedTensorType::get(shape, computeType));
  return FlatSymbolRefAttr::get(builder.getContext(), text);
}

void ModelBuilder::refuse(const Status &error) {
  if (refusal.isOk())
    refusal = error;
}

void ModelBuilder::finish(Value logits, Value chosen) {
  func::ReturnOp::create(builder, at("forward"), ValueRange{logits, chosen});
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
  for (const ExpectedTensor &tensor : expected) {
    if (tensor.isOptional)
      continue;
    const StoredTensor &stored = *checkpoint.find(tensor.name);
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
  std::string label = name.str();
  return qwen::LinearOp::create(model.getOpBuilder(),
                                model.at(StringRef(label).starts_with("model.")
                                             ? StringRef(label).drop_front(6)
                                             : StringRef(label)),
                                model.tokens(outputs, element), x,
                                model.getOpBuilder().getArrayAttr(weight));
}
