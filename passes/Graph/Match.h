//===- Match.h - Small matchers shared by the graph passes -------*- C++
//-*-===//
#ifndef QUERN_PASSES_GRAPH_MATCH_H
#define QUERN_PASSES_GRAPH_MATCH_H

#include "mlir/IR/Location.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/Value.h"

namespace quern {

/// The `OpT` that defines `value`, if `value` has no other use than the one
/// through which it was found.
template <typename OpT> OpT getSingleUseDef(mlir::Value value) {
  return value.hasOneUse() ? value.getDefiningOp<OpT>() : OpT();
}

/// The weight that `symbol` names, seen from `user`; null if there is none.
template <typename WeightT>
WeightT lookupWeight(mlir::Operation *user, mlir::Attribute symbol) {
  return mlir::SymbolTable::lookupNearestSymbolFrom<WeightT>(
      user, llvm::cast<mlir::FlatSymbolRefAttr>(symbol));
}

} // namespace quern

#endif // QUERN_PASSES_GRAPH_MATCH_H
