//===- ProgramBuilder.cpp - Builds one exec program -----------------------===//
#include "passes/Lower/ProgramBuilder.h"

#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Lower/Labels.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace quern;

ProgramBuilder::ProgramBuilder(RequestTable &requests, exec::ProgramOp program,
                               const LoweringOptions &options)
    : requests(requests), options(options), program(program),
      builder(OpBuilder::atBlockEnd(&program.getBody().front())) {}

Value ProgramBuilder::createStep(Location location, exec::StepRole role,
                                 RankedTensorType type) {
  return exec::StepOp::create(builder, location, exec::BufferType::get(type),
                              role);
}

Value ProgramBuilder::createPersistent(Location location, exec::BufferRole role,
                                       RankedTensorType type) {
  return exec::AllocOp::create(
      builder, location, type,
      exec::BufferRoleAttr::get(builder.getContext(), role));
}

DispatchArgument ProgramBuilder::read(Value value, RankedTensorType tensor) {
  if (!tensor)
    tensor = cast<RankedTensorType>(value.getType());
  return {buffers.lookup(value), exec::Effect::Read, tensor};
}

DispatchArgument ProgramBuilder::write(Value value, RankedTensorType tensor) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!buffers.contains(value))
    bind(value, exec::AllocOp::create(builder, value.getLoc(), type));
  return {buffers.lookup(value), exec::Effect::Write, tensor ? tensor : type};
}

DispatchArgument ProgramBuilder::writeTemporary(Location location,
                                                RankedTensorType tensor) {
  return {exec::AllocOp::create(builder, location, tensor), exec::Effect::Write,
          tensor};
}

template <typename OpT>
Value ProgramBuilder::getReference(Location location, StringRef symbol,
                                   RankedTensorType type) {
  Value &reference = references[builder.getStringAttr(symbol)];
  if (!reference)
    reference =
        OpT::create(builder, location, exec::BufferType::get(type), symbol);
  return reference;
}

DispatchArgument ProgramBuilder::readWeight(Location location,
                                            exec::Packing packing,
                                            ArrayRef<Attribute> sources,
                                            ArrayAttr parts) {
  exec::WeightOp weight =
      requests.getWeight(packing, builder.getArrayAttr(sources), parts);
  RankedTensorType type = weight.getTensorType();
  return {getReference<exec::WeightRefOp>(location, weight.getSymName(), type),
          exec::Effect::Read, type};
}

DispatchArgument ProgramBuilder::readConstant(Location location, StringRef name,
                                              ElementsAttr value) {
  exec::ConstantOp constant = requests.getConstant(location, name, value);
  RankedTensorType type = constant.getTensorType();
  return {
      getReference<exec::ConstantRefOp>(location, constant.getSymName(), type),
      exec::Effect::Read, type};
}

DispatchArgument ProgramBuilder::useState(Location location,
                                          FlatSymbolRefAttr state,
                                          exec::Effect effect) {
  RankedTensorType type = requests.getSymbolTable()
                              .lookup<qwen::StateOp>(state.getAttr())
                              .getTensorType();
  return {getReference<exec::StateRefOp>(location, state.getValue(), type),
          effect, type};
}

bool ProgramBuilder::isPerRow() { return isBehindSelection; }

void ProgramBuilder::dispatch(Operation *source, StringRef family,
                              ArrayRef<int64_t> shape,
                              ArrayRef<DispatchArgument> arguments,
                              ArrayRef<NamedAttribute> config) {
  SmallVector<exec::ArgumentAttr> argumentAttrs;
  SmallVector<Value> operands;
  for (const DispatchArgument &argument : arguments) {
    argumentAttrs.push_back(
        exec::ArgumentAttr::get(argument.effect, argument.tensor));
    operands.push_back(argument.buffer);
  }
  std::string name =
      family.str() + (isPerRow() ? "_r" + std::to_string(program.getRows())
                                 : "_t" + std::to_string(program.getTokens()));
  if (!shape.empty())
    name += "_" + llvm::join(llvm::map_range(shape,
                                             [](int64_t size) {
                                               return std::to_string(size);
                                             }),
                             "x");
  Location location = source->getLoc();
  exec::KernelOp kernel = requests.getKernel(
      location, name, family, argumentAttrs, builder.getDictionaryAttr(config));
  std::string label = makeLabel(location);
  exec::DispatchOp::create(builder, location, kernel.getSymName(), operands,
                           label.empty() ? StringAttr()
                                         : builder.getStringAttr(label));
  ++numDispatches;
}

NamedAttribute ProgramBuilder::makeConfig(StringRef name, Attribute value) {
  return builder.getNamedAttr(name, value);
}
NamedAttribute ProgramBuilder::makeConfig(StringRef name, int64_t value) {
  return makeConfig(name, builder.getI64IntegerAttr(value));
}
NamedAttribute ProgramBuilder::makeConfig(StringRef name, StringRef value) {
  return makeConfig(name, builder.getStringAttr(value));
}
NamedAttribute ProgramBuilder::makeFlagConfig(StringRef name, bool value) {
  return makeConfig(name, builder.getBoolAttr(value));
}
NamedAttribute ProgramBuilder::makeCountConfig() {
  return makeConfig("count", StringRef(isPerRow() ? "rows" : "tokens"));
}
