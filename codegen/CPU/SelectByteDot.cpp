//===- SelectByteDot.cpp - Byte products by instructions of the CPU -------===//
#include "codegen/CPU/ByteProducts.h"
#include "codegen/CPU/Passes.h"
#include "codegen/Kernels/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SELECTBYTEDOTPASS
#include "codegen/CPU/CPUPasses.h.inc"
} // namespace quern

using namespace quern;

namespace {

/// Products of a chain: each adds to the sum of the one before it.
using Chain = SmallVector<kernel::ByteDotOp>;

struct SelectByteDot : quern::impl::SelectByteDotPassBase<SelectByteDot> {
  using SelectByteDotPassBase::SelectByteDotPassBase;

  void runOnOperation() override {
    std::optional<ByteDot> kind = findByteDot(instructions.getValue());
    if (!kind) {
      getOperation().emitError("unknown instructions for products of bytes: '")
          << instructions << "'";
      return signalPassFailure();
    }
    products = createByteProducts(*kind);
    SmallVector<kernel::ByteDotOp> ops;
    getOperation().walk([&](kernel::ByteDotOp op) { ops.push_back(op); });
    // From the last of a chain on, so that it is taken as a whole.
    for (kernel::ByteDotOp op : llvm::reverse(ops))
      if (!done.contains(op))
        replace(collectChain(op));
    for (kernel::ByteDotOp op : llvm::reverse(ops))
      op.erase();
  }

private:
  static Chain collectChain(kernel::ByteDotOp last) {
    Chain chain = {last};
    while (true) {
      auto before = chain.back().getSum().getDefiningOp<kernel::ByteDotOp>();
      if (!before || !before->hasOneUse() ||
          before->getBlock() != last->getBlock() ||
          before.getUnsignedBits() != last.getUnsignedBits())
        break;
      chain.push_back(before);
    }
    std::reverse(chain.begin(), chain.end());
    return chain;
  }

  /// Registers that a vector of lanes fills; 0: its bytes are expanded.
  int64_t countRegisters(kernel::ByteDotOp op) const {
    auto vector = dyn_cast<VectorType>(op.getType());
    if (!products || !vector || !products->hasProduct(op) ||
        vector.getNumElements() % products->getNumLanes() != 0)
      return 0;
    return vector.getNumElements() / products->getNumLanes();
  }

  void replace(Chain chain) {
    kernel::ByteDotOp last = chain.back();
    OpBuilder builder(last);
    int64_t registers = countRegisters(last);
    if (registers == 0) {
      last.replaceAllUsesWith(expandByteDot(builder, last));
      done.insert(last);
      return;
    }
    numSelected += chain.size();
    last.replaceAllUsesWith(sum(builder, chain, registers));
    done.insert(chain.begin(), chain.end());
  }

  Value sum(OpBuilder &builder, Chain &chain, int64_t registers) const {
    kernel::ByteDotOp last = chain.back();
    Location loc = last.getLoc();
    int64_t lanes = products->getNumLanes();
    auto take = [&](Value vector, int64_t i) -> Value {
      if (registers == 1)
        return vector;
      return vector::ExtractStridedSliceOp::create(builder, loc, vector,
                                                   {i * lanes}, {lanes}, {1});
    };
    Value result;
    for (int64_t i = 0; i != registers; ++i) {
      SmallVector<ByteProducts::Factors> factors;
      for (kernel::ByteDotOp op : chain)
        factors.push_back({take(op.getA(), i), take(op.getB(), i)});
      Value part = products->add(builder, last, factors,
                                 take(chain.front().getSum(), i));
      if (registers == 1)
        return part;
      if (!result)
        result = makeSplat(builder, loc, cast<VectorType>(last.getType()), 0);
      result = vector::InsertStridedSliceOp::create(builder, loc, part, result,
                                                    {i * lanes}, {1});
    }
    return result;
  }

  std::shared_ptr<ByteProducts> products;
  llvm::DenseSet<Operation *> done;
};

} // namespace
