//===- Labels.h - Names of dispatches and packed weights ---------*- C++
//-*-===//
#ifndef QUERN_PASSES_LOWER_LABELS_H
#define QUERN_PASSES_LOWER_LABELS_H

#include "mlir/IR/Location.h"

#include <string>

namespace quern {

/// The name of an op's place in the model, from the NameLocs of its location:
/// "layers.3.mlp.down_proj", or for a fused op what its parts have in common
/// and then each one: "layers.3.mlp.{gate_proj,up_proj}". Empty if the
/// location names nothing.
std::string makeLabel(mlir::Location location);

/// What dotted names have in common, with the parts that differ joined by
/// `separator`: a.b.weight, a.c.weight -> a.<open>b<separator>c<close>.weight.
std::string joinNames(llvm::ArrayRef<llvm::StringRef> names,
                      llvm::StringRef open, llvm::StringRef separator,
                      llvm::StringRef close);

} // namespace quern

#endif // QUERN_PASSES_LOWER_LABELS_H
