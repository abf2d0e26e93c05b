//===- Vectorizer.h - A subgroup becomes a SIMD vector ----------*- C++ -*-===//
//
// Rewrites the body of a kernel function, one subgroup wide, so that one
// thread runs all lanes. The pass around it is VectorizeSubgroups.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CPU_VECTORIZER_H
#define QUERN_CODEGEN_CPU_VECTORIZER_H

#include "codegen/CPU/LaneValue.h"
#include "codegen/CPU/TeamAnalysis.h"
#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace quern::cpu {

/// The lanes that are at work. At least one is, wherever code is generated.
struct Mask {
  mlir::Value value;               ///< vector<Lxi1>, if not known.
  llvm::SmallVector<bool> pattern; ///< Constant; empty if not known or full.

  bool isFull() const { return !value && pattern.empty(); }
  bool mayHave(unsigned lane) const { return pattern.empty() || pattern[lane]; }
};

class Vectorizer {
public:
  Vectorizer(mlir::gpu::GPUFuncOp function, unsigned lanes,
             mlir::OpBuilder &builder)
      : lanes(lanes), teams(function, lanes), builder(builder) {}

  /// `pointer` is where the function's argument lies in memory.
  void setPointer(mlir::Value argument, mlir::Value pointer) {
    pointers[argument] = pointer;
  }
  /// Workgroup and number of workgroups along an axis, i64.
  void setGroup(unsigned axis, mlir::Value group, mlir::Value count) {
    groups[axis] = group;
    groupCounts[axis] = count;
  }

  /// Writes the ops of a block, except its terminator, at the builder's
  /// insertion point. Reports what can't be done on the op.
  mlir::LogicalResult run(mlir::Block &block, const Mask &mask);

private:
  mlir::LogicalResult visit(mlir::Operation *op, const Mask &mask);
  LaneBuilder at(mlir::Operation *op) {
    return LaneBuilder(builder, op->getLoc(), lanes);
  }
  const LaneValue &get(mlir::Value value) const {
    auto found = values.find(value);
    assert(found != values.end() && "defined before it is used");
    return found->second;
  }
  /// Binds a result; one that all lanes hold is taken from one of them.
  void set(mlir::Value value, LaneValue result);

  // Arithmetic: VectorizeOps.cpp.
  mlir::LogicalResult visitConstant(mlir::arith::ConstantOp op);
  mlir::LogicalResult visitShuffle(mlir::gpu::ShuffleOp op);
  mlir::LogicalResult visitElementwise(mlir::Operation *op);
  std::optional<LaneValue> foldAffine(mlir::Operation *op);
  std::optional<LaneValue> foldConstants(mlir::Operation *op);
  LaneValue visitNarrowDivision(mlir::Operation *op);
  LaneValue visitIndexCast(mlir::arith::IndexCastUIOp op);
  LaneValue visitExtract(mlir::vector::ExtractOp op);
  LaneValue visitFromElements(mlir::vector::FromElementsOp op);
  LaneValue visitVectorShuffle(mlir::vector::ShuffleOp op);
  LaneValue visitUnpackHalf(kernel::UnpackHalfOp op);
  LaneValue visitPackHalf(kernel::PackHalfOp op);
  mlir::Value cloneWith(mlir::Operation *op, mlir::ValueRange operands,
                        mlir::Type type);

  // Memory: VectorizeMemory.cpp.
  /// What lanes share lies on the stack of the thread that runs them, once for
  /// all workgroups of the thread.
  mlir::Value makeStackMemory(mlir::Location loc, mlir::Type element,
                              int64_t count);
  LaneValue load(mlir::Operation *op, mlir::Value buffer, mlir::Value index,
                 mlir::Type unit, const Mask &mask);
  void prefetch(mlir::memref::PrefetchOp op);
  LaneValue loadHalf(kernel::ReadHalfOp op, const Mask &mask);
  void store(mlir::Operation *op, mlir::Value buffer, mlir::Value index,
             mlir::Value value, const Mask &mask);
  LaneValue loadLanes(LaneBuilder &lane, mlir::Value pointer,
                      const LaneValue &index, mlir::Type unit,
                      const Mask &mask);
  mlir::Value getAddress(LaneBuilder &lane, mlir::Value pointer,
                         mlir::Value index, mlir::Type unit);
  /// The index, with that of a lane at work in place of those that are not.
  LaneValue makeSafe(LaneBuilder &lane, const LaneValue &index,
                     const Mask &mask);

  // Tile registers: VectorizeTiles.cpp.
  mlir::LogicalResult visitTileProducts(kernel::TileProductsOp op,
                                        const Mask &mask);

  // Control flow: VectorizeControl.cpp, loops in VectorizeLoops.cpp.
  mlir::LogicalResult visitIf(mlir::scf::IfOp op, const Mask &mask);
  mlir::LogicalResult visitVaryingIf(mlir::scf::IfOp op, const Mask &mask);
  mlir::LogicalResult visitFor(mlir::scf::ForOp op, const Mask &mask);
  mlir::LogicalResult visitWhile(mlir::scf::WhileOp op, const Mask &mask);
  mlir::LogicalResult visitVaryingWhile(mlir::scf::WhileOp op,
                                        const Mask &mask);
  /// A branch of a varying if, skipped if no lane takes it. Yields in
  /// `carriers`.
  mlir::FailureOr<llvm::SmallVector<LaneValue>>
  runBranch(mlir::scf::IfOp op, mlir::Block &block, const Mask &mask,
            llvm::ArrayRef<Carrier> carriers);
  mlir::LogicalResult yield(mlir::Block &block, const Mask &mask,
                            llvm::ArrayRef<Carrier> carriers);
  Carrier getCarrier(mlir::Value value) const;
  llvm::SmallVector<Carrier> getCarriers(mlir::ValueRange values) const;
  void bind(LaneBuilder &lane, mlir::ValueRange values,
            llvm::ArrayRef<Carrier> carriers, mlir::ValueRange packed);
  llvm::SmallVector<mlir::Value> packAll(LaneBuilder &lane,
                                         mlir::ValueRange values,
                                         llvm::ArrayRef<Carrier> carriers);
  Mask restrict(LaneBuilder &lane, const Mask &mask, const LaneValue &condition,
                bool wanted);
  mlir::Value getMaskVector(LaneBuilder &lane, const Mask &mask);
  mlir::Value isAny(LaneBuilder &lane, const Mask &mask);

  unsigned lanes;
  TeamAnalysis teams;
  mlir::OpBuilder &builder;
  llvm::DenseMap<mlir::Value, LaneValue> values;
  llvm::DenseMap<mlir::Value, mlir::Value> pointers;
  mlir::Value groups[3], groupCounts[3];
};

} // namespace quern::cpu

#endif // QUERN_CODEGEN_CPU_VECTORIZER_H
