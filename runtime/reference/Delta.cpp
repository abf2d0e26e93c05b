//===- Delta.cpp - convolution, gates and recurrence of a delta net -------===//
#include "runtime/reference/Delta.h"
#include "runtime/base/Numeric.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace quern;
using namespace quern::reference;

namespace {

/// A row of `sequences`.
struct SequenceRow {
  int64_t slot, first, count, position, folded, update;
};

} // namespace

/// Row `index`, checked against the step and the states.
static Result<SequenceRow> readSequence(Integers sequences, int64_t index,
                                        int64_t tokens, int64_t slots) {
  Integers row = sequences.subspan(index * sequenceNumbers, sequenceNumbers);
  SequenceRow s = {row[0], row[1], row[2], row[3], row[4], row[5]};
  std::string at = "sequence " + std::to_string(index) + ": ";
  if (s.count == 0)
    return s;
  if (s.slot < 0 || s.slot >= slots)
    return invalidArgument(at + "slot is " + std::to_string(s.slot) + " of " +
                           std::to_string(slots));
  if (s.first < 0 || s.count < 0 || s.first > tokens - s.count)
    return invalidArgument(at + std::to_string(s.count) + " tokens from " +
                           std::to_string(s.first) + " of " +
                           std::to_string(tokens));
  if (s.folded < 0 || s.position < s.folded)
    return invalidArgument(at + "position is " + std::to_string(s.position) +
                           ", the state is at " + std::to_string(s.folded));
  if (s.update < 0 || s.update > 2)
    return invalidArgument(at + "update is " + std::to_string(s.update) +
                           ", expected 0 to 2");
  return s;
}

static double silu(double z) { return z / (1 + std::exp(-z)); }

/// The convolution of one sequence, before SiLU is rounded.
static void convolve(Floats x, const Convolution &conv, const SequenceRow &s,
                     std::span<double> out) {
  int64_t channels = conv.channels(), width = conv.width;
  int64_t features = conv.features;
  for (int64_t t = 0; t < s.count; ++t)
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (int64_t j = 0; j < width; ++j) {
        int64_t back = width - 1 - j, position = s.position + t - back;
        if (position < 0)
          continue;
        double value =
            back <= t ? x[(s.first + t - back) * features + c]
                      : conv.state[(s.slot * conv.ring + position % conv.ring) *
                                       channels +
                                   c];
        sum += value * conv.weight[c * width + j];
      }
      out[(s.first + t) * channels + c] = silu(sum);
    }
  for (int64_t t = std::max<int64_t>(0, s.count - conv.ring); t < s.count; ++t)
    for (int64_t c = 0; c < channels; ++c)
      conv.state[(s.slot * conv.ring + (s.position + t) % conv.ring) *
                     channels +
                 c] = x[(s.first + t) * features + c];
}

static Status convolveAll(Floats x, const Convolution &conv, Integers sequences,
                          std::span<double> out) {
  int64_t tokens = x.size() / conv.features;
  int64_t slots = conv.state.size() / (conv.ring * conv.channels());
  for (size_t i = 0; i < sequences.size() / sequenceNumbers; ++i) {
    QUERN_ASSIGN_OR_RETURN(SequenceRow s,
                           readSequence(sequences, i, tokens, slots));
    convolve(x, conv, s, out);
  }
  return Status::ok();
}

Status reference::causalConv1d(Floats x, const Convolution &conv,
                               Integers sequences, DataType type, Output out) {
  std::vector<double> exact(out.size());
  QUERN_RETURN_IF_ERROR(convolveAll(x, conv, sequences, exact));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = roundTo(type, static_cast<float>(exact[i]));
  return Status::ok();
}

/// One head of length one, times scale.
template <typename T>
static void normalize(std::span<const T> x, double epsilon, double scale,
                      Output out) {
  double sum = 0;
  for (double value : x)
    sum += value * value;
  double factor = scale / std::sqrt(sum + epsilon);
  for (size_t i = 0; i < x.size(); ++i)
    out[i] = static_cast<float>(x[i] * factor);
}

void reference::l2Norm(Floats x, int64_t headDim, double epsilon, double scale,
                       Output out) {
  for (size_t i = 0; i < x.size(); i += headDim)
    normalize<float>(x.subspan(i, headDim), epsilon, scale,
                     out.subspan(i, headDim));
}

void reference::deltaGates(Floats ba, Floats aLog, Floats dtBias, Output decay,
                           Output beta) {
  size_t heads = aLog.size();
  for (size_t i = 0; i < beta.size(); ++i) {
    size_t t = i / heads, h = i % heads;
    double b = ba[t * 2 * heads + h];
    double z = static_cast<double>(ba[t * 2 * heads + heads + h]) + dtBias[h];
    double softplus = std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
    beta[i] = static_cast<float>(1 / (1 + std::exp(-b)));
    decay[i] = static_cast<float>(-std::exp(double(aLog[h])) * softplus);
  }
}

Status reference::deltaInputs(const DeltaInputs &operands, Integers sequences,
                              DataType type, const DeltaOperandsOut &out) {
  const DeltaShape &shape = operands.shape;
  int64_t channels = operands.convolution.channels();
  int64_t tokens = operands.x.size() / operands.convolution.features;
  std::vector<double> y(tokens * channels);
  QUERN_RETURN_IF_ERROR(
      convolveAll(operands.x, operands.convolution, sequences, y));
  int64_t keys = shape.keyHeads * shape.keyDim;
  int64_t values = shape.valueHeads * shape.valueDim;
  double scale = 1 / std::sqrt(static_cast<double>(shape.keyDim));
  for (int64_t t = 0; t < tokens; ++t) {
    std::span<const double> row(y.data() + t * channels, channels);
    for (int64_t i = 0; i < keys; i += shape.keyDim) {
      normalize<double>(row.subspan(i, shape.keyDim), operands.epsilon, scale,
                        out.q.subspan(t * keys + i, shape.keyDim));
      normalize<double>(row.subspan(keys + i, shape.keyDim), operands.epsilon,
                        1, out.k.subspan(t * keys + i, shape.keyDim));
    }
    for (int64_t i = 0; i < values; ++i)
      out.v[t * values + i] =
          roundTo(type, static_cast<float>(row[2 * keys + i]));
  }
  deltaGates(operands.ba, operands.aLog, operands.dtBias, out.decay, out.beta);
  return Status::ok();
}

namespace {

/// One value head of one sequence.
class DeltaHead {
public:
  DeltaHead(const DeltaOperands &x, const DeltaStates &states,
            const SequenceRow &s, int64_t head)
      : x(x), states(states), shape(x.shape), s(s), head(head),
        keyHead(head / (shape.valueHeads / shape.keyHeads)),
        state(shape.keyDim * shape.valueDim) {}

  void run(DataType type, Output out) {
    load();
    double decays =
        s.position > s.folded ? states.decays[ringRow(s.position - 1)] : 0;
    if (s.update == 1) {
      store();
      decays = 0;
    }
    for (int64_t t = 0; t < s.count; ++t) {
      decays += x.decay[(s.first + t) * shape.valueHeads + head];
      std::vector<double> update = step(s.first + t, type, out);
      if (s.update != 2)
        append(s.position + t, keyAt(s.first + t), update, decays);
    }
    if (s.update == 2)
      store();
  }

private:
  int64_t ringRow(int64_t position) const {
    return (s.slot * states.ring + position % states.ring) * shape.valueHeads +
           head;
  }
  int64_t ringKey(int64_t position) const {
    return (s.slot * states.ring + position % states.ring) * shape.keyHeads +
           keyHead;
  }
  Floats keyAt(int64_t token) const {
    return x.k.subspan((token * shape.keyHeads + keyHead) * shape.keyDim,
                       shape.keyDim);
  }
  Output stored() const {
    int64_t size = shape.keyDim * shape.valueDim;
    return states.recurrent.subspan((s.slot * shape.valueHeads + head) * size,
                                    size);
  }

  /// S after the tokens in front of the step.
  void load() {
    if (s.folded > 0)
      std::ranges::copy(stored(), state.begin());
    if (s.position == s.folded)
      return;
    double total = states.decays[ringRow(s.position - 1)];
    for (double &value : state)
      value *= std::exp(total);
    for (int64_t p = s.folded; p < s.position; ++p) {
      double factor = std::exp(total - states.decays[ringRow(p)]);
      for (int64_t i = 0; i < shape.keyDim; ++i)
        for (int64_t j = 0; j < shape.valueDim; ++j)
          state[i * shape.valueDim + j] +=
              factor * states.keys[ringKey(p) * shape.keyDim + i] *
              states.updates[ringRow(p) * shape.valueDim + j];
    }
  }

  void store() {
    std::ranges::transform(state, stored().begin(),
                           [](double v) { return static_cast<float>(v); });
  }

  /// One token; returns its update u.
  std::vector<double> step(int64_t token, DataType type, Output out) {
    int64_t scalar = token * shape.valueHeads + head;
    Floats k = keyAt(token);
    Floats q = x.q.subspan((token * shape.keyHeads + keyHead) * shape.keyDim,
                           shape.keyDim);
    std::vector<double> update(shape.valueDim), result(shape.valueDim);
    double factor = std::exp(double(x.decay[scalar]));
    for (int64_t j = 0; j < shape.valueDim; ++j) {
      double seen = 0;
      for (int64_t i = 0; i < shape.keyDim; ++i)
        seen += (state[i * shape.valueDim + j] *= factor) * k[i];
      update[j] = x.beta[scalar] * (x.v[scalar * shape.valueDim + j] - seen);
      for (int64_t i = 0; i < shape.keyDim; ++i)
        result[j] += (state[i * shape.valueDim + j] += k[i] * update[j]) * q[i];
      out[scalar * shape.valueDim + j] =
          roundTo(type, static_cast<float>(result[j]));
    }
    return update;
  }

  void append(int64_t position, Floats k, std::span<const double> update,
              double decays) {
    std::ranges::copy(k,
                      states.keys.begin() + ringKey(position) * shape.keyDim);
    for (int64_t j = 0; j < shape.valueDim; ++j)
      states.updates[ringRow(position) * shape.valueDim + j] =
          static_cast<float>(update[j]);
    states.decays[ringRow(position)] = static_cast<float>(decays);
  }

  const DeltaOperands &x;
  const DeltaStates &states;
  const DeltaShape &shape;
  const SequenceRow &s;
  int64_t head, keyHead;
  std::vector<double> state;
};

} // namespace

Status reference::gatedDeltaRule(const DeltaOperands &operands,
                                 const DeltaStates &states, Integers sequences,
                                 DataType type, Output out) {
  const DeltaShape &shape = operands.shape;
  int64_t tokens = operands.beta.size() / shape.valueHeads;
  int64_t slots = states.decays.size() / (states.ring * shape.valueHeads);
  for (size_t i = 0; i < sequences.size() / sequenceNumbers; ++i) {
    QUERN_ASSIGN_OR_RETURN(SequenceRow s,
                           readSequence(sequences, i, tokens, slots));
    if (s.count == 0)
      continue;
    int64_t span = s.position - s.folded + (s.update == 2 ? 0 : s.count);
    if (span > states.ring)
      return invalidArgument("sequence " + std::to_string(i) + ": " +
                             std::to_string(span) + " tokens in a ring of " +
                             std::to_string(states.ring));
    // The keys of a key head are written once for each of its value heads.
    for (int64_t head = 0; head < shape.valueHeads; ++head)
      DeltaHead(operands, states, s, head).run(type, out);
  }
  return Status::ok();
}

void reference::gatedRmsNorm(Floats x, const Norm &norm, const Gate &gate,
                             DataType type, Output out) {
  int64_t headDim = norm.weight.size();
  int64_t tokens = gate.values.size() / gate.features;
  int64_t perToken = tokens ? x.size() / tokens : 0;
  if (perToken == 0)
    return;
  for (size_t i = 0; i < x.size(); i += headDim) {
    double sum = 0;
    for (float value : x.subspan(i, headDim))
      sum += static_cast<double>(value) * value;
    double factor = 1 / std::sqrt(sum / headDim + norm.epsilon);
    int64_t token = i / perToken, feature = i % perToken;
    for (int64_t d = 0; d < headDim; ++d) {
      double z = gate.values[token * gate.features + gate.offset + feature + d];
      out[i + d] = roundTo(type, static_cast<float>(x[i + d] * factor *
                                                    norm.weight[d] * silu(z)));
    }
  }
}

void reference::sigmoidGate(Floats x, const Gate &gate, DataType type,
                            Output out) {
  int64_t tokens = gate.values.size() / gate.features;
  int64_t features = tokens ? x.size() / tokens : 0;
  if (features == 0)
    return;
  for (size_t i = 0; i < x.size(); ++i) {
    double z =
        gate.values[i / features * gate.features + gate.offset + i % features];
    out[i] = roundTo(type, static_cast<float>(x[i] / (1 + std::exp(-z))));
  }
}
