//===- Rows.h - Kernels that work on rows -----------------------*- C++ -*-===//
//
// Shared by the families whose work is independent per row (token).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_ROWS_H
#define QUERN_CODEGEN_KERNELS_ROWS_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

/// InvalidArgument unless dimension `symbol` is a multiple of `factor`.
Status requireMultiple(const KernelBuilder &k, std::string_view symbol,
                       int64_t factor);

/// Runs body(row, item) for each of `items` items of each of `rows` rows; rows
/// are the counted grid axis. Sets the launch.
Status buildPerItem(KernelBuilder &k, int64_t rows, int64_t items,
                    llvm::function_ref<void(Expression, Expression)> body,
                    std::string_view count = "tokens");

/// The same with the octets of rows of `features` elements: body(row, octet).
Status buildPerOctet(KernelBuilder &k, int64_t rows, int64_t features,
                     llvm::function_ref<void(Expression, Expression)> body,
                     std::string_view count = "tokens");

/// Lanes that share one row of `octets`: a power of two, at most a subgroup.
unsigned getTeamLanes(const KernelBuilder &k, int64_t octets);

/// The same, so that every lane has equally many octets.
unsigned getEvenTeamLanes(const KernelBuilder &k, int64_t octets);

/// 1 / (1 + exp(-x))
Expression sigmoid(Expression x);

/// x * sigmoid(x)
Expression silu(Expression x);

/// Octets combined element by element; all in the same order.
template <typename Function> Octet mapOctet(Function function, Octet x) {
  return {function(x.a), function(x.b), x.order};
}
template <typename Function>
Octet mapOctets(Function function, const Octet &x, const Octet &y) {
  return {function(x.a, y.a), function(x.b, y.b), x.order};
}

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_ROWS_H
