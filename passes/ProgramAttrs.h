//===- ProgramAttrs.h - What a function says about its program ---*- C++
//-*-===//
//
// Roles of arguments and results, and after Shape the attributes that say
// which program a function is:
//   exec.program_kind = #exec<program_kind decode>
//   exec.tokens, exec.rows, exec.sequences
//       largest token, row and sequence counts of a step (i64)
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_PASSES_PROGRAMATTRS_H
#define QUERN_PASSES_PROGRAMATTRS_H

#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Qwen/IR/QwenDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>

namespace quern {

/// The largest counts of a step of a program.
struct ProgramShape {
  int64_t tokens = 0;
  int64_t rows = 0;
  int64_t sequences = 0;
};

std::optional<qwen::Role> getArgumentRole(mlir::func::FuncOp func,
                                          unsigned index);
std::optional<qwen::Role> getResultRole(mlir::func::FuncOp func,
                                        unsigned index);
mlir::NamedAttribute makeRoleAttr(mlir::MLIRContext *context, qwen::Role role);

void setProgramAttrs(mlir::func::FuncOp func, exec::ProgramKind kind,
                     const ProgramShape &shape);
std::optional<exec::ProgramKind> getProgramKind(mlir::func::FuncOp func);
std::optional<ProgramShape> getProgramShape(mlir::func::FuncOp func);

/// The number of entries (dimension 0) that data of this role has in a program
/// of this shape; none where it does not depend on the program.
std::optional<int64_t> getEntryCount(qwen::Role role,
                                     const ProgramShape &shape);

} // namespace quern

#endif // QUERN_PASSES_PROGRAMATTRS_H
