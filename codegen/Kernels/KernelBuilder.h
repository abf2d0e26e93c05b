//===- KernelBuilder.h - Building one kernel function -----------*- C++ -*-===//
//
// What all kernel families share: typed access to buffers, lane arithmetic,
// loops, reductions across lanes. Math is f32 whatever the buffers hold.
//
// Buffers of floats are read and written in octets: 8 consecutive elements as
// two vectors of 4, which is 16 bytes of f16 or bf16 and 32 bytes of f32.
//
// Not thread-safe; one builder builds one kernel.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_KERNELBUILDER_H
#define QUERN_CODEGEN_KERNELS_KERNELBUILDER_H

#include "codegen/Kernels/Expression.h"
#include "codegen/Kernels/KernelRequest.h"
#include "codegen/Kernels/Signature.h"
#include "codegen/Targets/TargetDescription.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <string_view>

namespace quern {

/// How the 8 elements of an octet lie in its two vectors.
enum class OctetOrder : uint8_t {
  Linear,  ///< 0 1 2 3 | 4 5 6 7
  EvenOdd, ///< 0 2 4 6 | 1 3 5 7, what unpacking bf16 words gives
};

struct Octet {
  Expression a, b;
  OctetOrder order = OctetOrder::Linear;
};

/// The four words of an octet of F16 or BF16 elements.
Expression packOctet(DataType type, const Octet &octet);

/// An argument that the kernel only reads.
class InputBuffer {
public:
  InputBuffer() = default;
  InputBuffer(Expression buffer, DataType type) : buffer(buffer), type(type) {}

  /// The order in which octets of this buffer come without a shuffle.
  OctetOrder naturalOrder() const {
    return type == DataType::BF16 ? OctetOrder::EvenOdd : OctetOrder::Linear;
  }
  /// Elements [8 * index, 8 * index + 8). `index` is of type index.
  Octet readOctet(Expression index) const;
  /// One access unit, as it lies in memory: element, word or vector.
  Expression read(Expression index) const;
  /// Asks for the cache line of a unit, which will be read soon. For targets
  /// whose lanes are the elements of a register; the index is that of all.
  void prefetch(Expression index) const;
  /// One element of a buffer with scalar units, as f32 or i32. Buffers of
  /// 16-bit elements have to have an even number of them.
  Expression readElement(Expression index) const;
  /// The f16 that is half `index` of a buffer with i32 units, low halves first.
  Expression readHalf(Expression index) const;
  /// The elements of a unit of a buffer of floats.
  Expressions readWord(Expression index) const;
  /// `count` consecutive floats from `element` on, which is a multiple of
  /// `count` or of the unit; of a buffer of getRunInput or getScalarInput.
  Expressions readRun(Expression element, unsigned count) const;
  /// The argument itself, a memref of units.
  Expression getMemory() const { return buffer; }

private:
  Expression buffer;
  DataType type = DataType::F32;
};

/// An argument that the kernel writes, in units of `unitElements`.
class OutputBuffer {
public:
  OutputBuffer() = default;
  OutputBuffer(Expression buffer, DataType type, unsigned unitElements)
      : buffer(buffer), type(type), unitElements(unitElements) {}

  unsigned getUnitElements() const { return unitElements; }
  /// Stores elements [8 * index, ...); needs octet units.
  void writeOctet(Expression index, const Octet &octet) const;
  /// Stores `values`, scalars of consecutive elements starting at `element`,
  /// which is a multiple of the unit, as is their number.
  void writeRun(Expression element, llvm::ArrayRef<Expression> values) const;
  /// The same from a unit on.
  void writeUnits(Expression unit, llvm::ArrayRef<Expression> values) const;

private:
  void store(Expression index, Expression value) const;

  Expression buffer;
  DataType type = DataType::F32;
  unsigned unitElements = 1;
};

/// f32 numbers that the lanes of a workgroup share.
class WorkgroupArray {
public:
  explicit WorkgroupArray(Expression memory) : memory(memory) {}

  Expression read(Expression index) const;
  void write(Expression index, Expression value) const;
  Expression getMemory() const { return memory; }

private:
  Expression memory;
};

class WorkgroupVectors;

struct PrefixSum {
  Expression before; ///< Of the lanes before this one.
  Expression total;
};

class KernelBuilder {
public:
  KernelBuilder(mlir::MLIRContext *context, const KernelRequest &request,
                const TargetDescription &target, SignatureMatch match);

  const TargetDescription &getTarget() const { return target; }
  unsigned getSubgroupSize() const { return target.subgroupSize; }

  //===--------------------------------------------------------------------===//
  // The request
  //===--------------------------------------------------------------------===//

  /// The size of a dimension of the signature.
  int64_t dim(std::string_view symbol) const;
  const KernelArgument &getArgument(std::string_view name) const;
  bool hasArgument(std::string_view name) const {
    return match.arguments.find(name) != match.arguments.end();
  }
  DataType getType(std::string_view name) const {
    return getArgument(name).type;
  }
  /// Members of the request's config. InvalidArgument if absent or of another
  /// kind; the forms with a default only if of another kind.
  Result<int64_t> getInteger(std::string_view key) const;
  Result<double> getFloat(std::string_view key) const;
  Result<bool> getBool(std::string_view key, bool byDefault) const;
  /// Rows of the panels in which the weights lie (exec.weight), which is the
  /// number of lanes of a subgroup; 0 if they are row-major.
  Result<int64_t> getWeightPanels() const;
  bool hasConfig(std::string_view key) const {
    return request.config.count(std::string(key)) != 0;
  }
  Result<std::string> getString(std::string_view key,
                                std::string_view byDefault) const;

  //===--------------------------------------------------------------------===//
  // Launch
  //===--------------------------------------------------------------------===//

  /// Sets the workgroup to `subgroups` subgroups in dimension x.
  void setSubgroups(unsigned subgroups);
  unsigned getSubgroups() const { return subgroups; }
  /// Number of workgroups along an axis, independent of run-time counts.
  void setGrid(unsigned axis, uint64_t groups);
  /// Axis y counts tiles of tokens or rows: "count" of the config, else
  /// `byDefault`.
  Status setCountedGrid(int64_t total, uint32_t tile,
                        std::string_view byDefault = "tokens");
  /// The counted axis becomes x, and x becomes y: neighbours then differ in
  /// tokens and share the rest, which stays in the cache. After setCountedGrid.
  void countAlongX();

  Expression getLane();     ///< In the subgroup.
  Expression getSubgroup(); ///< In the workgroup.
  Expression getGroup(unsigned axis);
  /// Number of workgroups of this launch along an axis.
  Expression getGroupCount(unsigned axis);

  //===--------------------------------------------------------------------===//
  // Buffers
  //===--------------------------------------------------------------------===//

  /// Vector units for floats, scalar units for integers. Of codes vectors of
  /// words, to be read through WeightRows or HeadUnits.
  InputBuffer getInput(std::string_view name);
  /// 32-bit scalar units; those of codes are i32.
  InputBuffer getScalarInput(std::string_view name);
  /// Units of 4 words if `run` elements are a multiple of that, else of one.
  InputBuffer getRunInput(std::string_view name, unsigned run);
  /// Units of 8 elements.
  OutputBuffer getOutput(std::string_view name);
  /// Units of the largest store of which `run` elements are a multiple.
  OutputBuffer getRunOutput(std::string_view name, unsigned run);

  /// The 32-bit words of a buffer of any type, as i32.
  OutputBuffer getWordOutput(std::string_view name);

  /// Of so many numbers; they are undefined at first.
  WorkgroupArray getWorkgroupArray(int64_t numbers);
  WorkgroupVectors getWorkgroupVectors(int64_t vectors);

  Octet reorder(const Octet &octet, OctetOrder order);

  //===--------------------------------------------------------------------===//
  // Values and control flow
  //===--------------------------------------------------------------------===//

  Expression index(int64_t value);
  Expression i32(int64_t value);
  Expression f32(double value);
  Expression zeroVector(); ///< vector<4xf32>

  using LoopBody =
      llvm::function_ref<Expressions(Expression, llvm::ArrayRef<Expression>)>;
  /// for i = lower; i < upper; i += step, with values carried along.
  Expressions loop(Expression lower, Expression upper, int64_t step,
                   llvm::ArrayRef<Expression> init, LoopBody body);
  void loop(Expression lower, Expression upper, int64_t step,
            llvm::function_ref<void(Expression)> body);

  /// while (condition(values)) values = body(values).
  Expressions loopWhile(
      llvm::ArrayRef<Expression> init,
      llvm::function_ref<Expression(llvm::ArrayRef<Expression>)> condition,
      llvm::function_ref<Expressions(llvm::ArrayRef<Expression>)> body);

  using Branch = llvm::function_ref<Expressions()>;
  Expressions branch(Expression condition, Branch ifTrue, Branch ifFalse);
  void when(Expression condition, llvm::function_ref<void()> body);
  /// Calls `body` at run time only if `mayFail` is set and the condition
  /// holds; without `mayFail` the condition is known to hold.
  void guard(bool mayFail, llvm::function_ref<Expression()> condition,
             llvm::function_ref<void()> body);

  /// Items lane, lane + lanes, ... below `count`: carries values through
  /// body(item, values). All lanes run the same number of turns; the last,
  /// partial one is under a condition.
  Expressions accumulate(int64_t count, unsigned lanes, Expression lane,
                         llvm::ArrayRef<Expression> init, LoopBody body);
  void forEach(int64_t count, unsigned lanes, Expression lane,
               llvm::function_ref<void(Expression)> body);

  //===--------------------------------------------------------------------===//
  // Across lanes. All lanes of the subgroup have to get there.
  //===--------------------------------------------------------------------===//

  Expression shuffleXor(Expression value, unsigned distance);
  /// The value of lane `from` of the subgroup, an i32.
  Expression shuffleFrom(Expression value, Expression from);
  using Combine = llvm::function_ref<Expression(Expression, Expression)>;
  /// Combines a value across aligned teams of `lanes` lanes; all get it.
  Expression reduce(Expression value, unsigned lanes, Combine combine);
  Expression reduceAdd(Expression value, unsigned lanes);
  Expression reduceMax(Expression value, unsigned lanes);
  /// Combines a value across the workgroup; all lanes get it. Uses workgroup
  /// memory if there are several subgroups.
  Expression reduceWorkgroup(Expression value, Combine combine);
  /// Sums of a value over the lanes of the workgroup.
  PrefixSum scanWorkgroup(Expression value);
  /// Waits for all lanes of the workgroup and what they wrote to its memory.
  void barrier();

  KernelLaunch launch;
  uint64_t flops = 0; ///< At the full count.
  /// If not set by the family, the bytes of all arguments.
  uint64_t idealBytes = 0;
  uint64_t getIdealBytes() const;
  /// Ends the function, named like the family, and hands over its module.
  mlir::OwningOpRef<mlir::ModuleOp> finish();

private:
  Expression make(mlir::Value value) { return Expression(builder, loc, value); }
  mlir::Value addArgument(std::string_view name, mlir::Type unit);
  /// The value of every subgroup's lane 0.
  Expressions shareSubgroupValues(Expression value);
  Expression allocateWorkgroup(int64_t count, mlir::Type element);

  const KernelRequest &request;
  const TargetDescription &target;
  SignatureMatch match;
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::gpu::GPUFuncOp function;
  unsigned subgroups = 1;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_KERNELBUILDER_H
