//===- Convolution.h - A causal convolution over the tokens -----*- C++ -*-===//
//
// The inputs of earlier steps lie in a state [S, RING, C], the one of the token
// at position p in row p mod RING. Other workgroups read old rows while a
// kernel runs. Without a second kernel the rows can be stored only if the new
// tokens and the K - 1 before them have rows of their own:
// T + K - 1 <= RING.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_CONVOLUTION_H
#define QUERN_CODEGEN_KERNELS_CONVOLUTION_H

#include "codegen/Kernels/Sequences.h"

namespace quern {

class Convolution {
public:
  /// Unsupported unless C and F are octets and, if the kernel also stores
  /// rows, they fit.
  static Status check(const KernelBuilder &k, bool stores);

  /// Takes x [T, F], weight [C, 1, K] and state of the request, and new_state
  /// if it stores rows.
  Convolution(KernelBuilder &k, bool stores);

  /// Runs body(results) with SiLU(convolution) of the given octets of channels
  /// of a token, in linear order. Stores their inputs. Not for tokens without
  /// a sequence.
  void build(Expression token, llvm::ArrayRef<Expression> octets,
             llvm::function_ref<void(llvm::ArrayRef<Octet>)> body);

private:
  Octet convolve(const SequenceRow &row, Expression token, Expression number,
                 Expression octet);
  /// The input `back` tokens before the token.
  Octet readInput(const SequenceRow &row, Expression token, Expression number,
                  Expression octet, int64_t back);
  /// Channel c of the 8 of an octet times tap j is at [c * K + j].
  Expressions readWeights(Expression octet);
  Octet readState(Expression slot, Expression position, Expression octet) const;

  KernelBuilder &k;
  Sequences sequences;
  bool stores;
  int64_t width, features, channels; ///< The latter two in octets.
  InputBuffer x, weight, state;
  OutputBuffer newState;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_CONVOLUTION_H
