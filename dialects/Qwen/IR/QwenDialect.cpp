//===- QwenDialect.cpp - the qwen dialect ---------------------------------===//
#include "dialects/Qwen/IR/QwenDialect.h"
#include "dialects/Qwen/IR/QwenOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern::qwen;

#include "dialects/Qwen/IR/QwenEnums.cpp.inc"

/// The name of an encoding, in quotes.
static FailureOr<quern::Encoding> parseEncoding(AsmParser &parser) {
  std::string name;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseString(&name))
    return failure();
  if (const quern::EncodingInfo *info = quern::findEncoding(name))
    return info->encoding;
  parser.emitError(location) << "unknown encoding '" << name << "'";
  return failure();
}

#define GET_TYPEDEF_CLASSES
#include "dialects/Qwen/IR/QwenTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Qwen/IR/QwenAttrs.cpp.inc"

#include "dialects/Qwen/IR/QwenInterfaces.cpp.inc"

#include "dialects/Qwen/IR/QwenDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Qwen/IR/QwenOps.cpp.inc"

void QwenDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Qwen/IR/QwenTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Qwen/IR/QwenAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Qwen/IR/QwenOps.cpp.inc"
      >();
}

LogicalResult ModelAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                StringRef family, int64_t layers,
                                int64_t vocabSize, int64_t contextLength,
                                int64_t numSlots, int64_t pageSize,
                                int64_t numPages, Type compute) {
  std::pair<StringRef, int64_t> counts[] = {
      {"num_hidden_layers", layers},     {"vocab_size", vocabSize},
      {"context_length", contextLength}, {"num_slots", numSlots},
      {"page_size", pageSize},           {"num_pages", numPages}};
  for (auto [name, value] : counts)
    if (value <= 0)
      return emitError() << name << " is " << value
                         << ", expected a positive number";
  if (!compute.isF32() && !compute.isF16() && !compute.isBF16())
    return emitError() << "compute is " << compute
                       << ", expected f32, f16 or bf16";
  return success();
}

LogicalResult QwenDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attribute) {
  if (attribute.getName() != getModelAttrName())
    return op->emitError() << "unknown attribute " << attribute.getName()
                           << " of the qwen dialect";
  if (!isa<ModuleOp>(op))
    return op->emitError() << getModelAttrName()
                           << " belongs on a module, found on "
                           << op->getName();
  if (!isa<ModelAttr>(attribute.getValue()))
    return op->emitError() << getModelAttrName() << " is "
                           << attribute.getValue()
                           << ", expected a #qwen.model";
  return success();
}

/// The tensor that the host or another program passes under a role: rank and
/// element type.
static std::pair<int64_t, bool> roleRankAndInteger(Role role) {
  switch (role) {
  case Role::TokenIds:
  case Role::Positions:
  case Role::Slots:
  case Role::Rows:
  case Role::Tokens:
    return {1, true};
  case Role::PageTable:
  case Role::SeenTokens:
  case Role::Sequences:
    return {2, true};
  case Role::Sampling:
  case Role::Hidden:
  case Role::DraftHidden:
  case Role::Logits:
    return {2, false};
  }
  llvm_unreachable("all roles are listed");
}

static LogicalResult verifyRole(Operation *op, NamedAttribute attribute,
                                Type type) {
  if (attribute.getName() != QwenDialect::getRoleAttrName())
    return op->emitError() << "unknown attribute " << attribute.getName()
                           << " of the qwen dialect";
  auto name = dyn_cast<StringAttr>(attribute.getValue());
  std::optional<Role> role =
      name ? symbolizeRole(name.getValue()) : std::nullopt;
  if (!role)
    return op->emitError() << "unknown " << QwenDialect::getRoleAttrName()
                           << " " << attribute.getValue();
  auto [rank, integer] = roleRankAndInteger(*role);
  auto shaped = dyn_cast_or_null<RankedTensorType>(type);
  if (!shaped)
    return success(); // Roles survive bufferisation; buffers check themselves.
  if (shaped.getRank() == rank &&
      (integer ? shaped.getElementType().isInteger(32)
               : shaped.getElementType().isF32()))
    return success();
  return op->emitError() << "value of role " << name << " has type " << type
                         << ", expected rank " << rank << " of "
                         << (integer ? "i32" : "f32");
}

LogicalResult QwenDialect::verifyRegionArgAttribute(Operation *op,
                                                    unsigned region,
                                                    unsigned argument,
                                                    NamedAttribute attribute) {
  return verifyRole(
      op, attribute,
      op->getRegion(region).empty()
          ? Type()
          : op->getRegion(region).getArgument(argument).getType());
}

LogicalResult QwenDialect::verifyRegionResultAttribute(
    Operation *op, unsigned region, unsigned result, NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  return verifyRole(op, attribute,
                    function ? function.getResultTypes()[result] : Type());
}
