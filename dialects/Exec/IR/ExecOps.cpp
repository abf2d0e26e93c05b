//===- ExecOps.cpp - Verifiers and builders of the exec ops ---------------===//
#include "dialects/Exec/IR/ExecOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace quern;
using namespace quern::exec;

/// An enum attribute as a bare keyword, with one space in front of it.
template <typename AttrT>
static ParseResult parseKeyword(OpAsmParser &parser, AttrT &attr) {
  using EnumT = decltype(attr.getValue());
  auto value = FieldParser<EnumT>::parse(parser);
  if (failed(value))
    return failure();
  attr = AttrT::get(parser.getContext(), *value);
  return success();
}

template <typename AttrT>
static void printKeyword(OpAsmPrinter &printer, Operation *, AttrT attr) {
  printer << stringifyEnum(attr.getValue());
}

#define GET_OP_CLASSES
#include "dialects/Exec/IR/ExecOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Symbols
//===----------------------------------------------------------------------===//

/// The op that `symbol` names; an error at `user` when there is none or it is
/// not an `opName`.
static FailureOr<Operation *> lookupSymbol(Operation *user,
                                           FlatSymbolRefAttr symbol,
                                           StringRef opName,
                                           SymbolTableCollection &symbols) {
  Operation *target = symbols.lookupNearestSymbolFrom(user, symbol);
  if (!target)
    return user->emitOpError()
           << "refers to " << symbol << ", which does not exist";
  if (target->getName().getStringRef() != opName) {
    InFlightDiagnostic diag = user->emitOpError()
                              << "expected " << symbol << " to be a " << opName
                              << ", found a " << target->getName();
    diag.attachNote(target->getLoc()) << "defined here";
    return diag;
  }
  return target;
}

/// The tensor type of a symbol op that states it in the attribute `type`.
static RankedTensorType getSymbolType(Operation *symbolOp) {
  auto type = symbolOp->getAttrOfType<TypeAttr>("type");
  return type ? dyn_cast<RankedTensorType>(type.getValue())
              : RankedTensorType();
}

/// The element type that a qwen.weight is stored with.
static Type getStoredElementType(Operation *weight) {
  auto stored = weight->getAttrOfType<TypeAttr>("stored");
  RankedTensorType type = getSymbolType(weight);
  return stored ? stored.getValue() : type ? type.getElementType() : Type();
}

/// Checks that a reference has the type of the symbol it names.
static LogicalResult verifyReference(Operation *user, BufferType buffer,
                                     RankedTensorType type, Operation *target) {
  if (buffer.getTensor() == type)
    return success();
  InFlightDiagnostic diag = user->emitOpError()
                            << "expected a buffer of " << type << ", found "
                            << buffer.getTensor();
  diag.attachNote(target->getLoc()) << "the type is stated here";
  return diag;
}

static LogicalResult verifySymbolRef(Operation *user, BufferType buffer,
                                     FlatSymbolRefAttr symbol, StringRef opName,
                                     SymbolTableCollection &symbols) {
  FailureOr<Operation *> target = lookupSymbol(user, symbol, opName, symbols);
  if (failed(target))
    return failure();
  return verifyReference(user, buffer, getSymbolType(*target), *target);
}

LogicalResult WeightRefOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifySymbolRef(*this, getType(), getWeightAttr(), "exec.weight",
                         symbols);
}

LogicalResult StateRefOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifySymbolRef(*this, getType(), getStateAttr(), "qwen.state",
                         symbols);
}

LogicalResult ConstantRefOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<Operation *> target =
      lookupSymbol(*this, getConstantAttr(), "exec.constant", symbols);
  if (failed(target))
    return failure();
  return verifyReference(*this, getType(),
                         cast<ConstantOp>(*target).getTensorType(), *target);
}

//===----------------------------------------------------------------------===//
// WeightOp
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  size_t count = getSources().size();
  if (getParts() && getPacking() == Packing::Interleave)
    return emitOpError("interleave takes no parts");
  if (getParts() && getParts()->size() != count)
    return emitOpError() << "has " << getParts()->size()
                         << " lists of parts for " << count << " sources";
  switch (getPacking()) {
  case Packing::Plain:
    if (count != 1)
      return emitOpError() << "plain packing takes one source, found " << count;
    break;
  case Packing::Concatenate:
    if (count < 2)
      return emitOpError() << "concatenate takes at least two sources, found "
                           << count;
    break;
  case Packing::Interleave:
    if (count == 1 && (getTensorType().getRank() != 3 ||
                       getTensorType().getDimSize(1) % 2 != 0))
      return emitOpError() << "interleave of one source takes matrices of an "
                              "even number of rows, found "
                           << getTensorType();
    if (count != 1 && (count == 0 || count % 2 != 0))
      return emitOpError() << "interleave takes pairs of sources, found "
                           << count;
    break;
  }
  // The buffer type states what a tensor in a buffer must be.
  auto error = [&] { return emitOpError(); };
  if (std::optional<int64_t> panels = getPanels()) {
    RankedTensorType type = getTensorType();
    bool isEncoded = qwen::getEncoding(type.getElementType()) != Encoding::None;
    int64_t rank = type.getRank();
    if ((rank != 2 && rank != 3) || type.getDimSize(rank - 2) % *panels != 0 ||
        (!isEncoded &&
         type.getDimSize(rank - 1) * type.getElementTypeBitWidth() % 32 != 0))
      return emitOpError() << "panels of " << *panels
                           << " rows take matrices of a multiple of them and "
                              "of whole 32-bit words, found "
                           << type;
  }
  return success(
      !!BufferType::getChecked(error, getContext(), getTensorType()));
}

/// Checks that groups of the parts of source `index` fill its rows.
static LogicalResult verifyParts(WeightOp op, size_t index, int64_t rows) {
  if (!op.getParts())
    return success();
  ArrayRef<int64_t> parts = cast<DenseI64ArrayAttr>((*op.getParts())[index]);
  int64_t group = 0;
  for (int64_t part : parts) {
    if (part < 1 || part > rows - group)
      return op.emitOpError()
             << "has a part of " << part << " rows in a source of " << rows;
    group += part;
  }
  if (parts.empty() || rows % group == 0)
    return success();
  return op.emitOpError() << "has groups of " << group
                          << " rows in a source of " << rows;
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  RankedTensorType type = getTensorType();
  int64_t rows = 0;
  Operation *first = nullptr;
  for (auto [index, attr] : llvm::enumerate(getSources())) {
    auto source = cast<FlatSymbolRefAttr>(attr);
    FailureOr<Operation *> weight =
        lookupSymbol(*this, source, "qwen.weight", symbols);
    if (failed(weight))
      return failure();
    RankedTensorType sourceType = getSymbolType(*weight);
    bool sameRow =
        sourceType && sourceType.getRank() == type.getRank() &&
        type.getRank() >= 1 &&
        getStoredElementType(*weight) == type.getElementType() &&
        sourceType.getShape().drop_front() == type.getShape().drop_front();
    if (!sameRow) {
      InFlightDiagnostic diag = emitOpError()
                                << "of type " << type << " can't hold rows of "
                                << source;
      diag.attachNote((*weight)->getLoc())
          << "the source has type " << sourceType << ", stored as "
          << getStoredElementType(*weight);
      return diag;
    }
    if (first && getPacking() == Packing::Interleave &&
        getSymbolType(first) != sourceType) {
      InFlightDiagnostic diag = emitOpError()
                                << "interleave takes sources of one shape";
      diag.attachNote((*weight)->getLoc())
          << "the source has type " << sourceType;
      return diag;
    }
    if (failed(verifyParts(*this, index, sourceType.getDimSize(0))))
      return failure();
    first = first ? first : *weight;
    rows += sourceType.getDimSize(0);
  }
  if (rows != type.getDimSize(0))
    return emitOpError() << "has " << type.getDimSize(0)
                         << " rows, but its sources have " << rows;
  return success();
}

LogicalResult ConstantOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  if (!type)
    return emitOpError() << "expected a ranked tensor, found "
                         << getValue().getType();
  auto error = [&] { return emitOpError(); };
  return success(!!BufferType::getChecked(error, getContext(), type));
}

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

void KernelOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                     StringRef family, ArrayRef<ArgumentAttr> arguments,
                     DictionaryAttr config) {
  SmallVector<Attribute> list(arguments.begin(), arguments.end());
  build(builder, state, builder.getStringAttr(name),
        builder.getStringAttr(family), builder.getArrayAttr(list), config,
        LaunchAttr());
}

LogicalResult KernelOp::verify() {
  if (getFamily().empty())
    return emitOpError() << "has an empty family";
  auto arguments = getArguments().getAsRange<ArgumentAttr>();
  if (llvm::none_of(arguments, [](ArgumentAttr a) { return a.isWritten(); }))
    return emitOpError() << "writes none of its arguments";
  LaunchAttr launch = getLaunchAttr();
  if (!launch)
    return success();
  if (launch.getAccesses().size() != getNumArguments())
    return emitOpError() << "has " << getNumArguments()
                         << " arguments, but its launch states "
                         << launch.getAccesses().size() << " accesses";
  for (auto [index, access] : llvm::enumerate(launch.getAccesses()))
    if (access != Access::StorageBuffer && getArgument(index).isWritten())
      return emitOpError() << "argument " << index
                           << " is written, but its access "
                           << stringifyAccess(access) << " is read-only";
  return success();
}

//===----------------------------------------------------------------------===//
// ProgramOp
//===----------------------------------------------------------------------===//

void ProgramOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                      ProgramKind kind, int64_t tokens, int64_t rows) {
  state.addAttribute(getSymNameAttrName(state.name),
                     builder.getStringAttr(name));
  state.addAttribute(getKindAttrName(state.name),
                     ProgramKindAttr::get(builder.getContext(), kind));
  state.addAttribute(getTokensAttrName(state.name),
                     builder.getI64IntegerAttr(tokens));
  state.addAttribute(getRowsAttrName(state.name),
                     builder.getI64IntegerAttr(rows));
  state.addRegion()->emplaceBlock();
}

/// Each role names one buffer of a program.
template <typename OpT>
static LogicalResult verifyDistinct(ProgramOp program, StringRef what,
                                    function_ref<int64_t(OpT)> getKey) {
  llvm::SmallDenseMap<int64_t, OpT> seen;
  for (OpT op : program.getBody().getOps<OpT>()) {
    int64_t key = getKey(op);
    if (key < 0)
      continue;
    auto [it, inserted] = seen.try_emplace(key, op);
    if (inserted)
      continue;
    InFlightDiagnostic diag = op.emitOpError()
                              << "repeats a " << what << " of the program";
    diag.attachNote(it->second.getLoc()) << "first used here";
    return diag;
  }
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  for (Operation &op : getBody().front())
    if (!isa_and_nonnull<ExecDialect>(op.getDialect())) {
      InFlightDiagnostic diag = op.emitOpError()
                                << "can't be inside an exec.program";
      diag.attachNote(getLoc()) << "the program";
      return diag;
    }
  if (failed(verifyDistinct<StepOp>(
          *this, "step role", [](StepOp op) { return int64_t(op.getRole()); })))
    return failure();
  return verifyDistinct<AllocOp>(*this, "persistent role", [](AllocOp op) {
    return op.getRole() ? int64_t(*op.getRole()) : int64_t(-1);
  });
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

LogicalResult StepOp::verify() {
  auto program = cast<ProgramOp>((*this)->getParentOp());
  RankedTensorType tensor = getType().getTensor();
  StepRole role = getRole();
  bool isTable = role == StepRole::PageTable || role == StepRole::Sampling ||
                 role == StepRole::SeenTokens || role == StepRole::Sequences;
  Type element = role == StepRole::Sampling
                     ? Type(Float32Type::get(getContext()))
                     : Type(IntegerType::get(getContext(), 32));
  if (tensor.getRank() != (isTable ? 2 : 1) ||
      tensor.getElementType() != element)
    return emitOpError() << stringifyStepRole(role) << " expects rank "
                         << (isTable ? 2 : 1) << " and elements of " << element
                         << ", found " << tensor;
  if (role == StepRole::PageTable)
    return success();
  if (role == StepRole::Sequences) {
    if (tensor.getDimSize(1) == 8 &&
        tensor.getDimSize(0) <= int64_t(program.getTokens()))
      return success();
    return emitOpError() << "sequences expects at most " << program.getTokens()
                         << " rows of 8 numbers, found " << tensor;
  }
  bool perToken = role == StepRole::TokenIds || role == StepRole::Positions ||
                  role == StepRole::Slots;
  int64_t count = perToken ? program.getTokens() : program.getRows();
  if (tensor.getDimSize(0) == count)
    return success();
  InFlightDiagnostic diag =
      emitOpError() << stringifyStepRole(role) << " expects one entry per "
                    << (perToken ? "token" : "row") << ", " << count
                    << ", found " << tensor;
  diag.attachNote(program.getLoc()) << "the program";
  return diag;
}

void AllocOp::build(OpBuilder &builder, OperationState &state,
                    RankedTensorType tensor, BufferRoleAttr role) {
  build(builder, state, BufferType::get(tensor), role, IntegerAttr());
}

LogicalResult AllocOp::verify() {
  if (getOffset() && *getOffset() % kBufferAlignment != 0)
    return emitOpError() << "expected an offset that is a multiple of "
                         << kBufferAlignment << ", found " << *getOffset();
  return success();
}

void StepOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getBuffer(), stringifyStepRole(getRole()));
}
void WeightRefOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getBuffer(), getWeight());
}
void ConstantRefOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getBuffer(), getConstant());
}
void StateRefOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getBuffer(), getState());
}
void AllocOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getBuffer(), getRole() ? stringifyBufferRole(*getRole()) : "buffer");
}

//===----------------------------------------------------------------------===//
// DispatchOp
//===----------------------------------------------------------------------===//

/// Whether a kernel may write the buffer.
static bool isWritable(Value buffer) {
  Operation *op = buffer.getDefiningOp();
  if (auto step = dyn_cast_or_null<StepOp>(op))
    return step.getRole() == StepRole::Tokens;
  return op && isa<AllocOp, StateRefOp>(op);
}

/// Checks that the kernel reads the weight of an operand as it lies.
static LogicalResult verifyPanels(DispatchOp op, unsigned index, Value operand,
                                  KernelOp kernel,
                                  SymbolTableCollection &symbols) {
  auto reference = operand.getDefiningOp<WeightRefOp>();
  if (!reference)
    return success();
  auto weight =
      symbols.lookupNearestSymbolFrom<WeightOp>(op, reference.getWeightAttr());
  if (!weight || weight.getTensorType().getRank() < 2)
    return success();
  int64_t found = weight.getPanels().value_or(0);
  if (found == kernel.getWeightPanels())
    return success();
  InFlightDiagnostic diag = op.emitOpError()
                            << "argument " << index << ": the kernel reads "
                            << "panels of " << kernel.getWeightPanels()
                            << " rows, the weight has " << found;
  diag.attachNote(weight.getLoc()) << "the weight";
  diag.attachNote(kernel.getLoc()) << "the kernel";
  return diag;
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<Operation *> target =
      lookupSymbol(*this, getKernelAttr(), "exec.kernel", symbols);
  if (failed(target))
    return failure();
  auto kernel = cast<KernelOp>(*target);
  auto report = [&](const Twine &message) {
    InFlightDiagnostic diag = emitOpError() << message;
    diag.attachNote(kernel.getLoc()) << "the kernel";
    return diag;
  };
  if (getOperands().size() != kernel.getNumArguments())
    return report("passes " + Twine(getOperands().size()) +
                  " buffers to a kernel with " +
                  Twine(kernel.getNumArguments()) + " arguments");
  for (auto [index, operand] : llvm::enumerate(getOperands())) {
    ArgumentAttr argument = kernel.getArgument(index);
    auto tensor = cast<BufferType>(operand.getType()).getTensor();
    RankedTensorType expected = argument.getTensor();
    if (tensor.getElementType() != expected.getElementType() ||
        tensor.getNumElements() != expected.getNumElements())
      return report("argument " + Twine(index) + ":")
             << " expected " << expected.getNumElements() << " elements of "
             << expected.getElementType() << ", found " << tensor;
    if (qwen::getEncoding(tensor.getElementType()) != Encoding::None &&
        tensor.getShape().back() != expected.getShape().back())
      return report("argument " + Twine(index) + ":")
             << " expected rows as in " << expected << ", found " << tensor;
    if (isa<qwen::Int8RowsType>(tensor.getElementType()) && tensor != expected)
      return report("argument " + Twine(index) + ":")
             << " expected matrices as in " << expected << ", found " << tensor;
    if (argument.isWritten() && !isWritable(operand))
      return report("argument " + Twine(index) +
                    " is written by the kernel, but the buffer is read-only");
    if (failed(verifyPanels(*this, index, operand, kernel, symbols)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// MemoryPlanOp
//===----------------------------------------------------------------------===//

LogicalResult MemoryPlanOp::verify() {
  for (Operation &op : *(*this)->getBlock())
    if (auto other = dyn_cast<MemoryPlanOp>(op);
        other && other != *this && other->isBeforeInBlock(*this)) {
      InFlightDiagnostic diag = emitOpError() << "is the second of the module";
      diag.attachNote(other.getLoc()) << "the first";
      return diag;
    }
  llvm::SmallSet<StepRole, 8> roles;
  int64_t end = 0;
  for (auto buffer : getStepBuffers().getAsRange<StepBufferAttr>()) {
    if (!roles.insert(buffer.getRole()).second)
      return emitOpError() << "repeats the step role "
                           << stringifyStepRole(buffer.getRole());
    if (buffer.getOffset() < end)
      return emitOpError() << "step buffer "
                           << stringifyStepRole(buffer.getRole())
                           << " at offset " << buffer.getOffset()
                           << " overlaps the one before, which ends at " << end;
    end = buffer.getOffset() + getSizeInBytes(buffer.getTensor());
  }
  if (end > int64_t(getStepSize()))
    return emitOpError() << "step buffers end at " << end
                         << ", beyond the step block of " << getStepSize()
                         << " bytes";
  return success();
}
