//===- SelectByteDot.cpp - Byte products by instructions of the CPU -------===//
#include "codegen/CPU/Passes.h"
#include "codegen/Kernels/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SELECTBYTEDOTPASS
#include "codegen/CPU/CPUPasses.h.inc"
} // namespace quern

using namespace quern;

namespace {

/// Products of a chain: each adds to the sum of the one before it.
using Chain = SmallVector<kernel::ByteDotOp>;

class Avx2Products {
public:
  Avx2Products(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc),
        bytes(VectorType::get(32, builder.getI8Type())),
        halves(VectorType::get(16, builder.getI16Type())),
        words(VectorType::get(8, builder.getI32Type())) {}

  /// Products whose pairs can be summed in 16 bits. None of unsigned bytes of 8
  /// bits: pmaddubsw would saturate.
  static size_t countTogether(kernel::ByteDotOp op) {
    int64_t largest =
        op.getUnsignedBits() ? (int64_t(1) << *op.getUnsignedBits()) - 1 : 128;
    return INT16_MAX / (2 * 127 * largest);
  }

  Value sum(MutableArrayRef<kernel::ByteDotOp> chain) {
    Value sum = chain.front().getSum();
    while (!chain.empty()) {
      size_t count = std::min(chain.size(), countTogether(chain.front()));
      Value pairs;
      for (kernel::ByteDotOp op : chain.take_front(count)) {
        Value products = multiply(op);
        pairs =
            pairs ? Value(arith::AddIOp::create(builder, loc, pairs, products))
                  : products;
      }
      Value ones = arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(halves, APInt(16, 1)));
      sum = arith::AddIOp::create(
          builder, loc, sum,
          call("llvm.x86.avx2.pmadd.wd", words, {pairs, ones}));
      chain = chain.drop_front(count);
    }
    return sum;
  }

private:
  Value call(StringRef name, Type type, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(builder, loc, type,
                                         builder.getStringAttr(name), operands)
        .getResult(0);
  }

  Value asBytes(Value value) {
    return LLVM::BitcastOp::create(builder, loc, bytes, value);
  }

  /// Sums of pairs of products, 16 bits each.
  Value multiply(kernel::ByteDotOp op) {
    Value a = asBytes(op.getA()), b = asBytes(op.getB());
    if (!op.getUnsignedBits()) {
      b = call("llvm.x86.avx2.psign.b", bytes, {b, a});
      Value noPoison = LLVM::ConstantOp::create(
          builder, loc, builder.getI1Type(), builder.getBoolAttr(false));
      a = call("llvm.abs.v32i8", bytes, {a, noPoison});
    }
    return call("llvm.x86.avx2.pmadd.ub.sw", halves, {a, b});
  }

  OpBuilder &builder;
  Location loc;
  VectorType bytes, halves, words;
};

struct SelectByteDot : quern::impl::SelectByteDotPassBase<SelectByteDot> {
  using SelectByteDotPassBase::SelectByteDotPassBase;

  void runOnOperation() override {
    SmallVector<kernel::ByteDotOp> products;
    getOperation().walk([&](kernel::ByteDotOp op) { products.push_back(op); });
    // From the last of a chain on, so that it is taken as a whole.
    for (kernel::ByteDotOp op : llvm::reverse(products))
      if (!done.contains(op))
        replace(collectChain(op));
    for (kernel::ByteDotOp op : llvm::reverse(products))
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

  void replace(Chain chain) {
    kernel::ByteDotOp last = chain.back();
    OpBuilder builder(last);
    auto vector = dyn_cast<VectorType>(last.getType());
    if (!avx2 || !vector || vector.getNumElements() != 8 ||
        Avx2Products::countTogether(last) == 0) {
      last.replaceAllUsesWith(expandByteDot(builder, last));
      done.insert(last);
      return;
    }
    numSelected += chain.size();
    last.replaceAllUsesWith(Avx2Products(builder, last.getLoc()).sum(chain));
    done.insert(chain.begin(), chain.end());
  }

  llvm::DenseSet<Operation *> done;
};

} // namespace
