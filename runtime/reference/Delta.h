//===- Delta.h - the meaning of the gated delta net's ops -------*- C++ -*-===//
//
// See Reference.h for the conventions and dialects/Qwen/IR/DeltaOps.td for the
// equations. `sequences` [N, 8] has one row for each sequence of the step; rows
// that do not fit the step or the states are refused.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_REFERENCE_DELTA_H
#define QUERN_RUNTIME_REFERENCE_DELTA_H

#include "runtime/reference/Reference.h"

namespace quern::reference {

/// Numbers of a row of `sequences`.
inline constexpr int64_t sequenceNumbers = 8;

/// Weight [channels, 1, width] of a causal convolution and the inputs that it
/// keeps: state [slots, ring, channels].
struct Convolution {
  Floats weight;
  int64_t width;
  Output state;
  int64_t ring;
  /// Features of a row of its input; the first channels() count.
  int64_t features;

  int64_t channels() const { return weight.size() / width; }
};

/// x [T, conv.features]; out [T, channels].
Status causalConv1d(Floats x, const Convolution &conv, Integers sequences,
                    DataType type, Output out);

/// x, out [.., headDim].
void l2Norm(Floats x, int64_t headDim, double epsilon, double scale,
            Output out);

/// ba [T, 2 heads]; aLog, dtBias [heads]; decay, beta [T, heads].
void deltaGates(Floats ba, Floats aLog, Floats dtBias, Output decay,
                Output beta);

struct DeltaShape {
  int64_t keyHeads;
  int64_t valueHeads; ///< A multiple of keyHeads.
  int64_t keyDim;
  int64_t valueDim;
};

/// What deltaInputs takes. The convolution has 2 keyHeads keyDim + valueHeads
/// valueDim channels.
struct DeltaInputs {
  DeltaShape shape;
  Floats x;
  Floats ba;
  Convolution convolution;
  Floats aLog;
  Floats dtBias;
  double epsilon;
};

/// q, k [T, keyHeads, keyDim], v [T, valueHeads, valueDim], decay, beta [T,
/// valueHeads].
struct DeltaOperandsOut {
  Output q, k, v, decay, beta;
};

/// Convolution, norms and gates; only v is rounded to `type`.
Status deltaInputs(const DeltaInputs &operands, Integers sequences,
                   DataType type, const DeltaOperandsOut &out);

/// Shapes as in DeltaOperandsOut.
struct DeltaOperands {
  DeltaShape shape;
  Floats q, k, v, decay, beta;
};

/// recurrent [slots, valueHeads, keyDim, valueDim], keys [slots, ring,
/// keyHeads, keyDim], updates [slots, ring, valueHeads, valueDim], decays
/// [slots, ring, valueHeads].
struct DeltaStates {
  Output recurrent, keys, updates, decays;
  int64_t ring;
};

/// out [T, valueHeads, valueDim].
Status gatedDeltaRule(const DeltaOperands &operands, const DeltaStates &states,
                      Integers sequences, DataType type, Output out);

/// Features from `offset` on of rows [T, features].
struct Gate {
  Floats values;
  int64_t features;
  int64_t offset = 0;
};

/// x, out [T, heads, headDim], headDim the size of the weight.
void gatedRmsNorm(Floats x, const Norm &norm, const Gate &gate, DataType type,
                  Output out);

/// out = x * sigmoid(gate), x [T, features of its own].
void sigmoidGate(Floats x, const Gate &gate, DataType type, Output out);

} // namespace quern::reference

#endif // QUERN_RUNTIME_REFERENCE_DELTA_H
