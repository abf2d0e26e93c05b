//===- VectorizeSubgroups.cpp - A kernel function for one thread ----------===//
#include "codegen/CPU/Passes.h"
#include "codegen/CPU/Vectorizer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace quern {
#define GEN_PASS_DEF_VECTORIZESUBGROUPSPASS
#include "codegen/CPU/CPUPasses.h.inc"
} // namespace quern

using namespace mlir;

namespace {

using namespace quern;

class VectorizeSubgroups
    : public quern::impl::VectorizeSubgroupsPassBase<VectorizeSubgroups> {
public:
  using VectorizeSubgroupsPassBase::VectorizeSubgroupsPassBase;

  void runOnOperation() override {
    if (lanes < 2 || !llvm::isPowerOf2_32(lanes)) {
      getOperation().emitError() << "lanes: expected a power of two from 2 on, "
                                    "found "
                                 << lanes.getValue();
      return signalPassFailure();
    }
    for (auto module : llvm::make_early_inc_range(
             getOperation().getOps<gpu::GPUModuleOp>())) {
      for (auto function : module.getOps<gpu::GPUFuncOp>())
        if (failed(vectorize(function)))
          return signalPassFailure();
      module.erase();
    }
  }

private:
  LogicalResult vectorize(gpu::GPUFuncOp from) {
    Location loc = from.getLoc();
    OpBuilder builder(&getContext());
    builder.setInsertionPointToEnd(getOperation().getBody());
    Type pointer = LLVM::LLVMPointerType::get(&getContext()),
         i64 = builder.getI64Type();
    auto to = func::FuncOp::create(
        builder, loc, from.getName(),
        builder.getFunctionType({pointer, pointer, i64, i64}, {}));
    builder.setInsertionPointToStart(to.addEntryBlock());
    cpu::Vectorizer vectorizer(from, lanes, builder);
    if (failed(loadPointers(from, to.getArgument(0), builder, vectorizer)))
      return failure();
    Value counts[3];
    for (unsigned axis = 0; axis != 3; ++axis)
      counts[axis] = arith::ExtUIOp::create(
          builder, loc, i64,
          loadAt(builder, loc, to.getArgument(1), axis, builder.getI32Type()));
    Value one =
        arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(1));
    auto loop = scf::ForOp::create(builder, loc, to.getArgument(2),
                                   to.getArgument(3), one);
    builder.setInsertionPoint(loop.getBody()->getTerminator());
    Value rest = loop.getInductionVar();
    for (unsigned axis = 0; axis != 3; ++axis) {
      Value group = rest;
      if (axis != 2) {
        group = arith::RemUIOp::create(builder, loc, rest, counts[axis]);
        rest = arith::DivUIOp::create(builder, loc, rest, counts[axis]);
      }
      vectorizer.setGroup(axis, group, counts[axis]);
    }
    if (!from.getBody().hasOneBlock())
      return from.emitError() << "has control flow that is not structured";
    if (failed(vectorizer.run(from.getBody().front(), cpu::Mask())))
      return failure();
    builder.setInsertionPointAfter(loop);
    func::ReturnOp::create(builder, loc);
    ++numFunctions;
    return success();
  }

  static Value loadAt(OpBuilder &builder, Location loc, Value table,
                      int32_t index, Type type) {
    Value address = LLVM::GEPOp::create(builder, loc, table.getType(), type,
                                        table, ArrayRef<LLVM::GEPArg>{index});
    return LLVM::LoadOp::create(builder, loc, type, address);
  }

  static LogicalResult loadPointers(gpu::GPUFuncOp from, Value table,
                                    OpBuilder &builder,
                                    cpu::Vectorizer &vectorizer) {
    for (unsigned i = 0; i != from.getNumArguments(); ++i) {
      auto binding =
          from.getArgAttrOfType<IntegerAttr>(i, kernel::kBindingAttr);
      if (!binding)
        return from.emitError()
               << "argument " << i << " has no " << kernel::kBindingAttr;
      vectorizer.setPointer(from.getArgument(i),
                            loadAt(builder, from.getLoc(), table,
                                   int32_t(binding.getInt()), table.getType()));
    }
    return success();
  }
};

} // namespace
