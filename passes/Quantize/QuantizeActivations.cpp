//===- QuantizeActivations.cpp - int8 inputs of quantised weights ---------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_QUANTIZEACTIVATIONSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
struct QuantizeActivationsPass
    : quern::impl::QuantizeActivationsPassBase<QuantizeActivationsPass> {
  void runOnOperation() override {
    SymbolTableCollection tables;
    SymbolTable &symbols = tables.getSymbolTable(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      activations.clear();
      for (Operation &op :
           llvm::make_early_inc_range(func.getBody().getOps())) {
        if (auto linear = dyn_cast<qwen::LinearOp>(op))
          rewrite(symbols, op, linear.getX(), linear.getWeights(),
                  linear.getPartsAttr(), /*swiglu=*/false);
        else if (auto linear = dyn_cast<qwen::LinearSwigluOp>(op))
          rewrite(symbols, op, linear.getX(),
                  ArrayAttr::get(&getContext(),
                                 {linear.getGateAttr(), linear.getUpAttr()}),
                  ArrayAttr(), /*swiglu=*/true);
        else if (auto experts = dyn_cast<qwen::ExpertsOp>(op))
          mark(tables, experts);
      }
    }
  }

private:
  void mark(SymbolTableCollection &tables, qwen::ExpertsOp experts) {
    auto [gateUp, down] = experts.getEncodings(tables);
    if (gateUp == Encoding::None || down == Encoding::None)
      return;
    experts.setInt8Activations(true);
    ++numExperts;
  }

  /// The encoding of all of the weights, or None.
  static Encoding getEncodingOf(SymbolTable &symbols, ArrayAttr weights) {
    Type common;
    for (auto name : weights.getAsRange<FlatSymbolRefAttr>()) {
      auto weight = symbols.lookup<qwen::WeightOp>(name.getAttr());
      Type stored = weight.getStoredElementType();
      if (common && common != stored)
        return Encoding::None;
      common = stored;
    }
    return qwen::getEncoding(common);
  }

  void rewrite(SymbolTable &symbols, Operation &op, Value x, ArrayAttr weights,
               ArrayAttr parts, bool swiglu) {
    Encoding encoding = getEncodingOf(symbols, weights);
    if (encoding == Encoding::None)
      return;
    OpBuilder builder(&op);
    unsigned bits = getEncodingInfo(encoding).bits;
    qwen::QuantizeActivationsOp &quantized = activations[{x, bits}];
    if (!quantized) {
      auto type = cast<RankedTensorType>(x.getType());
      int64_t tokens = type.getDimSize(0), features = type.getDimSize(1);
      quantized = qwen::QuantizeActivationsOp::create(
          builder, op.getLoc(),
          RankedTensorType::get({tokens, features / 4}, builder.getI32Type()),
          RankedTensorType::get({tokens, features / kGroupSize, 2},
                                builder.getF32Type()),
          x, bits);
      ++numQuantized;
    }
    auto product = qwen::IntegerLinearOp::create(
        builder, op.getLoc(), op.getResult(0).getType(), quantized.getCodes(),
        quantized.getFactors(), weights, parts, swiglu);
    op.replaceAllUsesWith(product);
    op.erase();
    ++numProducts;
  }

  /// By input and bits of the weights; each dominates the ops that follow.
  llvm::DenseMap<std::pair<Value, unsigned>, qwen::QuantizeActivationsOp>
      activations;
};
} // namespace
