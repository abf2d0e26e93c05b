//===- Rotary.h - The parts of a rotary embedding ---------------*- C++ -*-===//
//
// rotate_half pairs element i of the first RD elements of a head with i +
// RD/2: out[i] = x[i] cos[i] - x[i + RD/2] sin[i] and out[i + RD/2] =
// x[i + RD/2] cos[i] + x[i] sin[i]. The rest of the head passes.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_ROTARY_H
#define QUERN_CODEGEN_KERNELS_ROTARY_H

#include "codegen/Kernels/Rows.h"

namespace quern {

/// InvalidArgument unless heads of D elements can be rotated by a table of RD:
/// D a multiple of 8, RD even and at most D. If RD is a multiple of 16,
/// partners lie in two octets and cosines in octets of the table; other sizes
/// take a slower way.
Status checkRotary(const KernelBuilder &k);

/// The argument `table`, accessed as buildRotation needs it.
InputBuffer getRotaryTable(KernelBuilder &k);

/// The rotated octet number `octet` of a head, in linear order. `read` gives
/// an octet of the head (normalised, if it is to be); `table`, from
/// getRotaryTable, holds cosines and sines of `token`.
Octet buildRotation(KernelBuilder &k, const InputBuffer &table,
                    Expression token, Expression octet,
                    llvm::function_ref<Octet(Expression)> read);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_ROTARY_H
