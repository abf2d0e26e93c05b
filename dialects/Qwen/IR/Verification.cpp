//===- Verification.cpp - checks shared by the qwen verifiers -------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;

namespace quern::qwen::detail {

/// "4x32" or "" for a scalar; `?` for dynamic sizes.
static std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text;
  for (auto [i, size] : llvm::enumerate(shape)) {
    text += i ? "x" : "";
    text += ShapedType::isDynamic(size) ? "?" : std::to_string(size);
  }
  return text;
}

bool hasStaticFeatures(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() > 0 &&
         llvm::none_of(tensor.getShape().drop_front(), ShapedType::isDynamic);
}

LogicalResult verifyTokenDims(Operation *op) {
  auto iface = cast<TokenDimOpInterface>(op);
  int64_t expected =
      cast<RankedTensorType>(iface.getTokenDimOperand().getType())
          .getDimSize(0);
  auto check = [&](Type type, StringRef what, unsigned number) {
    int64_t found = cast<RankedTensorType>(type).getDimSize(0);
    if (found == expected)
      return success();
    return LogicalResult(op->emitOpError()
                         << what << " #" << number << " has first dimension "
                         << shapeText(found) << ", expected "
                         << shapeText(expected));
  };
  OperandRange tokens = iface.getTokenOperands();
  for (auto [i, operand] : llvm::enumerate(tokens))
    if (failed(check(operand.getType(), "operand",
                     tokens.getBeginOperandIndex() + i)))
      return failure();
  for (OpResult result : op->getResults())
    if (failed(check(result.getType(), "result", result.getResultNumber())))
      return failure();
  return success();
}

WeightOp lookupWeight(Operation *op, SymbolTableCollection &symbols,
                      FlatSymbolRefAttr name) {
  Operation *symbol = symbols.lookupNearestSymbolFrom(op, name);
  auto weight = dyn_cast_or_null<WeightOp>(symbol);
  if (weight)
    return weight;
  InFlightDiagnostic diagnostic = op->emitOpError()
                                  << name << " is not a qwen.weight";
  if (symbol)
    diagnostic.attachNote(symbol->getLoc()) << "symbol declared here";
  return nullptr;
}

LogicalResult verifyWeight(Operation *op, SymbolTableCollection &symbols,
                           FlatSymbolRefAttr name, ArrayRef<int64_t> expected) {
  WeightOp weight = lookupWeight(op, symbols, name);
  if (!weight)
    return failure();
  ArrayRef<int64_t> found = weight.getTensorType().getShape();
  if (found == expected)
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError()
                                  << "weight " << name << " has shape "
                                  << shapeText(found) << ", expected "
                                  << shapeText(expected);
  diagnostic.attachNote(weight.getLoc()) << "weight declared here";
  return diagnostic;
}

LogicalResult verifyPartLists(Operation *op, ArrayAttr weights,
                              std::optional<ArrayAttr> parts) {
  if (weights.empty())
    return op->emitOpError("names no weight");
  if (parts && parts->size() != weights.size())
    return op->emitOpError()
           << "has " << parts->size() << " lists of parts for "
           << weights.size() << " weights";
  return success();
}

/// Checks that groups of these parts fill the rows of a weight.
static LogicalResult verifyParts(Operation *op, WeightOp weight,
                                 ArrayRef<int64_t> parts) {
  int64_t rows = weight.getTensorType().getDimSize(0), group = 0;
  for (int64_t part : parts) {
    if (part < 1 || part > rows - group)
      return op->emitOpError()
             << "has a part of " << part << " rows of weight @"
             << weight.getSymName() << ", which has " << rows;
    group += part;
  }
  if (parts.empty() || rows % group == 0)
    return success();
  InFlightDiagnostic diagnostic =
      op->emitOpError() << "parts are groups of " << group << " rows, weight @"
                        << weight.getSymName() << " has " << rows;
  diagnostic.attachNote(weight.getLoc()) << "weight declared here";
  return diagnostic;
}

LogicalResult verifyStackedWeights(Operation *op,
                                   SymbolTableCollection &symbols,
                                   ArrayAttr weights,
                                   std::optional<ArrayAttr> parts,
                                   int64_t inputs, int64_t outputs) {
  int64_t total = 0;
  for (auto [index, attr] : llvm::enumerate(weights)) {
    auto name = cast<FlatSymbolRefAttr>(attr);
    WeightOp weight = lookupWeight(op, symbols, name);
    if (!weight)
      return failure();
    int64_t rows = weight.getTensorType().getDimSize(0);
    if (failed(verifyWeight(op, symbols, name, {rows, inputs})))
      return failure();
    if (parts && failed(verifyParts(op, weight,
                                    cast<DenseI64ArrayAttr>((*parts)[index]))))
      return failure();
    total += rows;
  }
  if (total == outputs)
    return success();
  return op->emitOpError() << "weights have " << total
                           << " rows, expected the result's " << outputs
                           << " features";
}

StateOp lookupState(Operation *op, SymbolTableCollection &symbols,
                    FlatSymbolRefAttr name, StateKind kind) {
  Operation *symbol = symbols.lookupNearestSymbolFrom(op, name);
  auto state = dyn_cast_or_null<StateOp>(symbol);
  if (state && state.getKind() == kind)
    return state;
  InFlightDiagnostic diagnostic = op->emitOpError()
                                  << name << " is not a qwen.state of kind "
                                  << stringifyStateKind(kind);
  if (symbol)
    diagnostic.attachNote(symbol->getLoc()) << "symbol declared here";
  return nullptr;
}

LogicalResult verifyCache(Operation *op, SymbolTableCollection &symbols,
                          FlatSymbolRefAttr name, StateKind kind,
                          ArrayRef<int64_t> entry, Type element) {
  StateOp state = lookupState(op, symbols, name, kind);
  if (!state)
    return failure();
  RankedTensorType type = state.getTensorType();
  int64_t found[] = {type.getDimSize(1), type.getDimSize(3)};
  if (ArrayRef(found) == entry && (type.getElementType() == element ||
                                   isa<Int8RowsType>(type.getElementType())))
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError()
                                  << "state " << name << " has entries "
                                  << shapeText(found) << " of "
                                  << type.getElementType() << ", expected "
                                  << shapeText(entry) << " of " << element;
  diagnostic.attachNote(state.getLoc()) << "state declared here";
  return diagnostic;
}

LogicalResult verifySameShape(Operation *op, StringRef aName, Value a,
                              StringRef bName, Value b) {
  if (tensorType(a).getShape() == tensorType(b).getShape())
    return success();
  return op->emitOpError() << bName << " has shape "
                           << shapeText(tensorType(b).getShape())
                           << ", expected that of " << aName << ", "
                           << shapeText(tensorType(a).getShape());
}

LogicalResult verifyEpsilon(Operation *op, const APFloat &epsilon) {
  if (epsilon.isFinite() && !epsilon.isNegative() && !epsilon.isZero())
    return success();
  return op->emitOpError("epsilon must be positive and finite");
}

} // namespace quern::qwen::detail
