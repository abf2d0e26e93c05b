//===- ProgramBuilder.h - Builds one exec program ----------------*- C++
//-*-===//
//
// Buffers and dispatches of a program, for the op lowerings. A buffer is dense,
// so a kernel may see it under another shape with the same elements.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_PASSES_LOWER_PROGRAMBUILDER_H
#define QUERN_PASSES_LOWER_PROGRAMBUILDER_H

#include "passes/Lower/RequestTable.h"

#include "mlir/IR/IRMapping.h"

namespace quern {

/// One argument of a dispatch; `tensor` is what the kernel sees.
struct DispatchArgument {
  mlir::Value buffer;
  exec::Effect effect;
  mlir::RankedTensorType tensor;
};

/// What an earlier dispatch wrote, read.
inline DispatchArgument asRead(DispatchArgument argument) {
  argument.effect = exec::Effect::Read;
  return argument;
}

inline mlir::RankedTensorType getTensorType(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// The feature sizes of a tensor: all but dimension 0.
inline llvm::ArrayRef<int64_t> getFeatures(mlir::Value value) {
  return getTensorType(value).getShape().drop_front();
}

/// What the lowerings may choose; the options of --qwen-lower-to-exec.
struct LoweringOptions {
  int64_t attentionWorkgroups = 0;
};

class ProgramBuilder {
public:
  ProgramBuilder(RequestTable &requests, exec::ProgramOp program,
                 const LoweringOptions &options);

  const LoweringOptions &getOptions() const { return options; }

  /// Says that `value` lies in `buffer`.
  void bind(mlir::Value value, mlir::Value buffer) {
    buffers.map(value, buffer);
  }
  /// Says that `view` is `value` under another shape.
  void bindView(mlir::Value view, mlir::Value value) {
    buffers.map(view, buffers.lookup(value));
  }

  mlir::Value createStep(mlir::Location location, exec::StepRole role,
                         mlir::RankedTensorType type);
  mlir::Value createPersistent(mlir::Location location, exec::BufferRole role,
                               mlir::RankedTensorType type);

  /// The buffer of `value`, seen as its own type or as `tensor`.
  DispatchArgument read(mlir::Value value, mlir::RankedTensorType tensor = {});
  /// The same for a result; a temporary unless it is bound already.
  DispatchArgument write(mlir::Value value, mlir::RankedTensorType tensor = {});
  /// A temporary that stands for no value of the function.
  DispatchArgument writeTemporary(mlir::Location location,
                                  mlir::RankedTensorType tensor);
  /// A weight packed from the qwen.weight symbols `sources`, with `parts` as
  /// in qwen.linear.
  DispatchArgument readWeight(mlir::Location location, exec::Packing packing,
                              llvm::ArrayRef<mlir::Attribute> sources,
                              mlir::ArrayAttr parts = {});
  DispatchArgument readConstant(mlir::Location location, llvm::StringRef name,
                                mlir::ElementsAttr value);
  DispatchArgument useState(mlir::Location location,
                            mlir::FlatSymbolRefAttr state, exec::Effect effect);

  /// Dispatches the kernel with this request on behalf of `source`. Kernels
  /// are named <family>_t<tokens>_<shape>, or _r<rows> behind a selection.
  void dispatch(mlir::Operation *source, llvm::StringRef family,
                llvm::ArrayRef<int64_t> shape,
                llvm::ArrayRef<DispatchArgument> arguments,
                llvm::ArrayRef<mlir::NamedAttribute> config = {});

  mlir::NamedAttribute makeConfig(llvm::StringRef name, mlir::Attribute value);
  mlir::NamedAttribute makeConfig(llvm::StringRef name, int64_t value);
  mlir::NamedAttribute makeConfig(llvm::StringRef name, llvm::StringRef value);
  mlir::NamedAttribute makeFlagConfig(llvm::StringRef name, bool value);
  /// count = "tokens" or "rows": which run-time count dimension 0 of the
  /// activations stands for.
  mlir::NamedAttribute makeCountConfig();

  /// Says that the ops that follow stand behind a qwen.select_rows.
  void beginRows() { isBehindSelection = true; }

  int64_t getNumDispatches() const { return numDispatches; }

private:
  /// Whether dimension 0 of the activations counts rows, not tokens: behind the
  /// selection of rows.
  bool isPerRow();

  template <typename OpT>
  mlir::Value getReference(mlir::Location location, llvm::StringRef symbol,
                           mlir::RankedTensorType type);

  RequestTable &requests;
  LoweringOptions options;
  exec::ProgramOp program;
  mlir::OpBuilder builder;
  mlir::IRMapping buffers;
  llvm::DenseMap<mlir::StringAttr, mlir::Value> references;
  int64_t numDispatches = 0;
  bool isBehindSelection = false;
};

/// Lowers one qwen op; an error if it has no kernel.
mlir::LogicalResult lowerOp(mlir::Operation *op, ProgramBuilder &builder);

} // namespace quern

#endif // QUERN_PASSES_LOWER_PROGRAMBUILDER_H
