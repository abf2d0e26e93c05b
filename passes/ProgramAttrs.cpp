//===- ProgramAttrs.cpp - What a function says about its program ----------===//
#include "passes/ProgramAttrs.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace quern;

static constexpr StringLiteral kKind = "exec.program_kind";
static constexpr StringLiteral kTokens = "exec.tokens";
static constexpr StringLiteral kRows = "exec.rows";
static constexpr StringLiteral kSequences = "exec.sequences";

static std::optional<qwen::Role> parseRole(Attribute attr) {
  auto name = dyn_cast_or_null<StringAttr>(attr);
  return name ? qwen::symbolizeRole(name.getValue()) : std::nullopt;
}

std::optional<qwen::Role> quern::getArgumentRole(func::FuncOp func,
                                                 unsigned index) {
  return parseRole(
      func.getArgAttr(index, qwen::QwenDialect::getRoleAttrName()));
}

std::optional<qwen::Role> quern::getResultRole(func::FuncOp func,
                                               unsigned index) {
  return parseRole(
      func.getResultAttr(index, qwen::QwenDialect::getRoleAttrName()));
}

NamedAttribute quern::makeRoleAttr(MLIRContext *context, qwen::Role role) {
  return NamedAttribute(
      StringAttr::get(context, qwen::QwenDialect::getRoleAttrName()),
      StringAttr::get(context, qwen::stringifyRole(role)));
}

void quern::setProgramAttrs(func::FuncOp func, exec::ProgramKind kind,
                            const ProgramShape &shape) {
  Builder builder(func.getContext());
  func->setAttr(kKind, exec::ProgramKindAttr::get(func.getContext(), kind));
  func->setAttr(kTokens, builder.getI64IntegerAttr(shape.tokens));
  func->setAttr(kRows, builder.getI64IntegerAttr(shape.rows));
  if (shape.sequences)
    func->setAttr(kSequences, builder.getI64IntegerAttr(shape.sequences));
}

std::optional<exec::ProgramKind> quern::getProgramKind(func::FuncOp func) {
  auto attr = func->getAttrOfType<exec::ProgramKindAttr>(kKind);
  return attr ? std::optional(attr.getValue()) : std::nullopt;
}

std::optional<ProgramShape> quern::getProgramShape(func::FuncOp func) {
  auto tokens = func->getAttrOfType<IntegerAttr>(kTokens);
  auto rows = func->getAttrOfType<IntegerAttr>(kRows);
  if (!tokens || !rows)
    return std::nullopt;
  auto sequences = func->getAttrOfType<IntegerAttr>(kSequences);
  return ProgramShape{tokens.getInt(), rows.getInt(),
                      sequences ? sequences.getInt() : 0};
}

std::optional<int64_t> quern::getEntryCount(qwen::Role role,
                                            const ProgramShape &shape) {
  switch (role) {
  case qwen::Role::TokenIds:
  case qwen::Role::Positions:
  case qwen::Role::Slots:
  case qwen::Role::Hidden:
    return shape.tokens;
  case qwen::Role::Rows:
  case qwen::Role::Sampling:
  case qwen::Role::SeenTokens:
  case qwen::Role::Logits:
  case qwen::Role::DraftHidden:
  case qwen::Role::Tokens:
    return shape.rows;
  case qwen::Role::Sequences:
    return shape.sequences;
  case qwen::Role::PageTable:
    return std::nullopt;
  }
  llvm_unreachable("unknown role");
}
