//===- MergeLinears.cpp - Several products as one -------------------------===//
#include "passes/Graph/MergeLinears.h"

#include "mlir/IR/Builders.h"
#include "passes/Graph/Match.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace quern;

bool quern::canMergeLinears(ArrayRef<qwen::LinearOp> linears) {
  Type weightElement;
  llvm::SmallPtrSet<Operation *, 4> seen;
  for (qwen::LinearOp linear : linears) {
    qwen::LinearOp first = linears.front();
    if (!linear || !seen.insert(linear).second ||
        linear.getX() != first.getX() ||
        linear->getBlock() != first->getBlock() ||
        linear.getType().getElementType() != first.getType().getElementType())
      return false;
    for (Attribute symbol : linear.getWeights()) {
      auto weight = lookupWeight<qwen::WeightOp>(linear, symbol);
      if (!weight)
        return false;
      Type element = weight.getStoredElementType();
      if (weightElement && weightElement != element)
        return false;
      weightElement = element;
    }
  }
  return true;
}

qwen::LinearOp quern::mergeLinears(ArrayRef<qwen::LinearOp> linears) {
  qwen::LinearOp first = linears.front();
  int64_t features = 0;
  SmallVector<Attribute> weights, parts;
  SmallVector<Location> locations;
  bool hasParts = false;
  Builder attributes(first.getContext());
  Attribute noParts = attributes.getDenseI64ArrayAttr({});
  for (qwen::LinearOp linear : linears) {
    if (linear->isBeforeInBlock(first))
      first = linear;
    features += linear.getType().getDimSize(1);
    llvm::append_range(weights, linear.getWeights());
    hasParts |= bool(linear.getParts());
    if (linear.getParts())
      llvm::append_range(parts, *linear.getParts());
    else
      parts.append(linear.getWeights().size(), noParts);
    locations.push_back(linear.getLoc());
  }
  OpBuilder builder(first);
  RankedTensorType type = first.getType();
  return qwen::LinearOp::create(
      builder, builder.getFusedLoc(locations),
      RankedTensorType::get({type.getDimSize(0), features},
                            type.getElementType()),
      first.getX(), builder.getArrayAttr(weights),
      hasParts ? builder.getArrayAttr(parts) : ArrayAttr());
}
