//===- Executor.h - one qwen op by runtime/reference ------------*- C++ -*-===//
#ifndef QUERN_TOOLS_INTERPRETER_EXECUTOR_H
#define QUERN_TOOLS_INTERPRETER_EXECUTOR_H

#include "runtime/reference/Delta.h"
#include "tools/interpreter/Interpreter.h"

namespace quern {

/// One op with its operands; a method per kind of op.
class Executor {
public:
  using Results = mlir::FailureOr<std::vector<HostTensor>>;

  Executor(Interpreter &interpreter, mlir::Operation *op,
           llvm::ArrayRef<const HostTensor *> operands)
      : interpreter(interpreter), op(op), operands(operands) {}

  Results execute();

private:
  // QwenExecutors.cpp
  Results run(qwen::EmbeddingOp op);
  Results run(qwen::RmsNormOp op);
  Results run(qwen::ResidualAddOp op);
  Results run(qwen::AddRmsNormOp op);
  Results run(qwen::LinearOp op);
  Results run(qwen::SwigluOp op);
  Results run(qwen::LinearSwigluOp op);
  Results run(qwen::QuantizeActivationsOp op);
  Results run(qwen::IntegerLinearOp op);
  Results run(qwen::RouterOp op);
  Results run(qwen::ExpertsOp op);
  Results run(qwen::ScaleBySigmoidOp op);
  Results run(qwen::SplitHeadsOp op) { return reshape(); }
  Results run(qwen::MergeHeadsOp op) { return reshape(); }
  Results run(qwen::SliceFeaturesOp op);
  Results run(qwen::ConcatFeaturesOp op);
  Results run(qwen::SelectRowsOp op);
  Results run(qwen::SampleOp op);
  // AttentionExecutors.cpp
  Results run(qwen::RopeTableOp op);
  Results run(qwen::RopeOp op);
  Results run(qwen::CacheAppendOp op);
  Results run(qwen::AttentionOp op);
  Results run(qwen::SigmoidGateOp op);
  Results run(qwen::QkNormRopeAppendOp op);
  // DeltaExecutors.cpp
  Results run(qwen::CausalConv1dOp op);
  Results run(qwen::L2NormOp op);
  Results run(qwen::DeltaGatesOp op);
  Results run(qwen::DeltaInputsOp op);
  Results run(qwen::GatedDeltaRuleOp op);
  Results run(qwen::GatedRmsNormOp op);

  const HostTensor &in(unsigned i) const { return *operands[i]; }
  /// A result of `rows` rows with the features and element type of the op's.
  HostTensor result(int64_t rows, unsigned number = 0) const;
  DataType resultType(unsigned number = 0) const;
  Results reshape() const;
  Results take(HostTensor value) const {
    std::vector<HostTensor> results;
    results.push_back(std::move(value));
    return results;
  }
  /// The result, or the diagnostic of a failed reference function. By
  /// reference: the function that gives the status also fills the value.
  Results take(const Status &status, HostTensor &&value) const;
  mlir::FailureOr<reference::Norm> norm(mlir::FlatSymbolRefAttr weight,
                                        const llvm::APFloat &epsilon,
                                        bool unitOffset);
  mlir::FailureOr<reference::Matrix> matrix(mlir::FlatSymbolRefAttr weight,
                                            int64_t inputs);
  /// x [T, inputs] times the weights stacked, as qwen.linear says.
  Results multiply(reference::Floats x, int64_t inputs, mlir::ArrayAttr names,
                   std::optional<mlir::ArrayAttr> parts);
  /// The same with SwiGLU of two weights.
  Results multiplySwiglu(reference::Floats x, int64_t inputs,
                         mlir::FlatSymbolRefAttr gateName,
                         mlir::FlatSymbolRefAttr upName);
  reference::CacheShape cacheShape(mlir::FlatSymbolRefAttr cache);
  /// Slots, positions and page table from operand `first` on.
  reference::Placement placement(unsigned first) const;
  /// Features of operand `number` from `offset` on.
  reference::Gate gate(unsigned number, int64_t offset) const {
    return {in(number).floats, in(number).shape[1], offset};
  }
  mlir::FailureOr<reference::Convolution>
  convolution(mlir::FlatSymbolRefAttr weight, mlir::FlatSymbolRefAttr state);

  Interpreter &interpreter;
  mlir::Operation *op;
  llvm::ArrayRef<const HostTensor *> operands;
};

} // namespace quern

#endif // QUERN_TOOLS_INTERPRETER_EXECUTOR_H
