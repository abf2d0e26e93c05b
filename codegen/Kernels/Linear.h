//===- Linear.h - The parts of a linear layer -------------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_KERNELS_LINEAR_H
#define QUERN_CODEGEN_KERNELS_LINEAR_H

#include "codegen/Kernels/Rows.h"
#include "codegen/Kernels/WeightRows.h"

namespace quern {

/// What happens to the products of one token before they are stored.
enum class LinearEpilogue : uint8_t {
  None,   ///< out[n] = y[n]
  Swiglu, ///< out[n] = silu(y[2n]) * y[2n + 1]
};

/// y = x W^T for tokens x K inputs and weight rows x K weights.
struct Linear {
  int64_t tokens = 0, inputs = 0, weightRows = 0;
  LinearEpilogue epilogue = LinearEpilogue::None;

  int64_t octets() const { return inputs / 8; }
  unsigned perOutput() const {
    return epilogue == LinearEpilogue::Swiglu ? 2 : 1;
  }
  int64_t outputs() const { return weightRows / perOutput(); }
};

/// The outputs of consecutive weight rows, the first an even one.
Expressions applyEpilogue(LinearEpilogue epilogue,
                          llvm::ArrayRef<Expression> products);

/// The config member "epilogue".
Result<LinearEpilogue> readLinearEpilogue(const KernelBuilder &k);

/// InvalidArgument unless dimension N is what the weight rows and the epilogue
/// give.
Status checkOutputs(const KernelBuilder &k, const Linear &linear);

/// The largest power of two up to `wanted` of weight rows per lane or subgroup
/// for which stores to `out` stay aligned.
unsigned chooseRows(const KernelBuilder &k, const Linear &linear,
                    unsigned wanted);

/// The output, in the widest units that runs of `rows` weight rows allow.
OutputBuffer getLinearOutput(KernelBuilder &k, const Linear &linear,
                             unsigned rows);

/// Stores the outputs of one token for the weight rows from `row`.
void storeOutputs(KernelBuilder &k, const Linear &linear,
                  const OutputBuffer &out, Expression token, Expression row,
                  llvm::ArrayRef<Expression> products);

/// products[t * rows + r] += x[t] . weight[r] for one octet; the bases are the
/// first octets of the tokens.
Expressions multiplyTile(KernelBuilder &k, const InputBuffer &x,
                         const WeightRows &weight, Expression octet,
                         llvm::ArrayRef<Expression> tokenBases,
                         llvm::ArrayRef<Expression> carried);

/// This lane's shares of the products [tokens, rows] of tokens with weight
/// rows: lane l of a subgroup takes every so manyth octet or group.
Expressions accumulateShares(KernelBuilder &k, const InputBuffer &x,
                             const WeightRows &weight, int64_t octets,
                             llvm::ArrayRef<Expression> tokenBases);

/// Sums of shares [tokens, rows] across the lanes of a subgroup, which has at
/// least as many lanes as there are tokens: lane l gets the products of token l
/// modulo their number, rounded up to a power of two, with all rows.
Expressions sumShares(KernelBuilder &k, llvm::ArrayRef<Expression> shares,
                      unsigned tokens);

/// `rows` consecutive weight rows, clamped to the last.
WeightRows getWeightRows(KernelBuilder &k, const Linear &linear,
                         const InputBuffer &weight, Expression firstRow,
                         unsigned rows);

/// Few tokens: a subgroup computes a few weight rows for all of them, its
/// lanes share K, and every weight is read once.
Status buildLinearRows(KernelBuilder &k, const Linear &linear);

/// Many tokens: a lane computes a register tile of tokens x weight rows.
Status buildLinearTiles(KernelBuilder &k, const Linear &linear);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_LINEAR_H
