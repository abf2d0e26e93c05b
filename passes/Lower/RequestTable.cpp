//===- RequestTable.cpp - What the programs of a module share -------------===//
#include "passes/Lower/RequestTable.h"

#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Lower/Labels.h"

using namespace mlir;
using namespace quern;

RequestTable::RequestTable(ModuleOp module, Operation *insertionPoint)
    : symbols(module), builder(insertionPoint) {}

exec::KernelOp RequestTable::getKernel(Location location, StringRef name,
                                       StringRef family,
                                       ArrayRef<exec::ArgumentAttr> arguments,
                                       DictionaryAttr config) {
  SmallVector<Attribute> list(arguments.begin(), arguments.end());
  Attribute key = builder.getArrayAttr(
      {builder.getStringAttr(family), builder.getArrayAttr(list), config});
  exec::KernelOp &kernel = kernels[key];
  if (!kernel) {
    kernel = exec::KernelOp::create(builder, location, name, family, arguments,
                                    config);
    symbols.insert(kernel);
  }
  return kernel;
}

exec::WeightOp RequestTable::getWeight(exec::Packing packing, ArrayAttr sources,
                                       ArrayAttr parts) {
  auto packingAttr = exec::PackingAttr::get(builder.getContext(), packing);
  Attribute key = builder.getArrayAttr(
      {packingAttr, sources, parts ? parts : builder.getArrayAttr({})});
  exec::WeightOp &weight = weights[key];
  if (weight)
    return weight;
  int64_t rows = 0;
  RankedTensorType type;
  SmallVector<StringRef> names;
  SmallVector<Location> locations;
  for (auto symbol : sources.getAsRange<FlatSymbolRefAttr>()) {
    auto source = symbols.lookup<qwen::WeightOp>(symbol.getAttr());
    type = source.getTensorType().clone(source.getStoredElementType());
    rows += type.getDimSize(0);
    names.push_back(symbol.getValue());
    locations.push_back(source.getLoc());
  }
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = rows;
  // The experts of a layer: the first and the last one say which.
  if (names.size() > 4)
    names = {names.front(), names.back()};
  std::string name = joinNames(names, "", "_", "") + "." +
                     exec::stringifyPacking(packing).str();
  weight = exec::WeightOp::create(
      builder, builder.getFusedLoc(locations), name, packing, sources, parts,
      /*panels=*/IntegerAttr(),
      RankedTensorType::get(shape, type.getElementType()));
  symbols.insert(weight);
  return weight;
}

exec::ConstantOp RequestTable::getConstant(Location location, StringRef name,
                                           ElementsAttr value) {
  exec::ConstantOp &constant = constants[value];
  if (!constant) {
    constant = exec::ConstantOp::create(builder, location,
                                        builder.getStringAttr(name), value);
    symbols.insert(constant);
  }
  return constant;
}
