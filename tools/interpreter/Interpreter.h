//===- Interpreter.h - runs qwen IR on the host -----------------*- C++ -*-===//
//
// Executes functions of a module (qwen ops and func) with runtime/reference:
// slow, and right by definition. The first dimension of tensors is taken from
// the values, not from the types, as on a device: a program for 512 tokens runs
// with any number up to that.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_INTERPRETER_INTERPRETER_H
#define QUERN_TOOLS_INTERPRETER_INTERPRETER_H

#include "dialects/Qwen/IR/QwenOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "tools/interpreter/HostTensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace quern {

class Checkpoint;

/// The values that a weight is stored with, row-major; failure after a
/// diagnostic.
using WeightSource =
    std::function<mlir::FailureOr<std::vector<float>>(qwen::WeightOp)>;

/// Weights of a checkpoint, which must outlive the source.
WeightSource checkpointWeights(const Checkpoint &checkpoint);

/// Weights that depend on their name and the seed alone: vectors near one,
/// matrices of a scale that keeps activations near one; rounded to their type
/// and then to the stored one.
WeightSource randomWeights(uint64_t seed);

/// The values of a weight as it is stored: rounded to the type that `as` names.
std::vector<float> roundToStored(qwen::WeightOp weight,
                                 std::vector<float> values);

/// Called after every op with its results.
using OpObserver =
    std::function<void(mlir::Operation *, llvm::ArrayRef<HostTensor> results)>;

class Interpreter {
public:
  /// The module must be verified, outlive the interpreter and not change.
  Interpreter(mlir::ModuleOp module, WeightSource source);

  /// Runs a function; states keep what it writes. Failure after a diagnostic
  /// at the op at fault.
  mlir::FailureOr<std::vector<HostTensor>>
  run(llvm::StringRef function, llvm::ArrayRef<HostTensor> arguments,
      const OpObserver &observer = {});

  /// All states to zero.
  void resetStates() { states.clear(); }
  mlir::ModuleOp getModule() const { return module; }

  // For the executors of the ops.

  const std::vector<float> *findWeight(mlir::Operation *user,
                                       mlir::FlatSymbolRefAttr name);
  /// The weights' values one after the other.
  const std::vector<float> *findStack(mlir::Operation *user,
                                      mlir::ArrayAttr names);
  std::vector<float> &findState(mlir::FlatSymbolRefAttr name);
  qwen::StateOp getStateOp(mlir::FlatSymbolRefAttr name);

private:
  mlir::FailureOr<std::vector<HostTensor>>
  runBlock(mlir::Block &block, llvm::ArrayRef<HostTensor> arguments,
           const OpObserver &observer);

  mlir::ModuleOp module;
  WeightSource source;
  mlir::SymbolTable symbols;
  llvm::StringMap<std::vector<float>> weights;
  llvm::DenseMap<mlir::Attribute, std::vector<float>> stacks;
  llvm::StringMap<std::vector<float>> states;
};

/// Executes one qwen op; results in the order of the op's.
mlir::FailureOr<std::vector<HostTensor>>
executeQwenOp(Interpreter &interpreter, mlir::Operation *op,
              llvm::ArrayRef<const HostTensor *> operands);

/// All names in a location, in order: the labels of an op or of a fused op.
llvm::SmallVector<llvm::StringRef> labelsOf(mlir::Location location);

} // namespace quern

#endif // QUERN_TOOLS_INTERPRETER_INTERPRETER_H
