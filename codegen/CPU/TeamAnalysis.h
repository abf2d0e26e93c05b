//===- TeamAnalysis.h - Which lanes hold the same value ---------*- C++ -*-===//
//
// For each value of a kernel function the size of the aligned teams of lanes
// that hold the same value: 1 if lanes may differ, the subgroup's size if the
// value is uniform. Optimistic, to a fixed point.
//
// A reduction is seen through: combining x with the x of lane (l xor t), where
// x is the same in teams of t lanes, gives the same in teams of 2 t lanes.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CPU_TEAMANALYSIS_H
#define QUERN_CODEGEN_CPU_TEAMANALYSIS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseMap.h"

namespace quern::cpu {

class TeamAnalysis {
public:
  /// `lanes` is the subgroup's size, a power of two.
  TeamAnalysis(mlir::gpu::GPUFuncOp function, unsigned lanes);

  unsigned getTeam(mlir::Value value) const {
    auto found = teams.find(value);
    return found == teams.end() ? lanes : found->second;
  }
  bool isUniform(mlir::Value value) const { return getTeam(value) == lanes; }

private:
  void update(mlir::Operation *op);
  void updateFor(mlir::scf::ForOp loop);
  void updateWhile(mlir::scf::WhileOp loop);
  void updateIf(mlir::scf::IfOp op);
  unsigned getTeamOfShuffle(mlir::gpu::ShuffleOp op) const;
  unsigned getTeamOfLaneNumber(mlir::arith::DivUIOp op) const;
  unsigned getTeamOfOperation(mlir::Operation *op) const;
  void lower(mlir::Value value, unsigned team);

  unsigned lanes;
  bool changed = false;
  llvm::DenseMap<mlir::Value, unsigned> teams;
};

} // namespace quern::cpu

#endif // QUERN_CODEGEN_CPU_TEAMANALYSIS_H
