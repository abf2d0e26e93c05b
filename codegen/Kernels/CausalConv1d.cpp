//===- CausalConv1d.cpp - causal_conv1d and storing its inputs ------------===//
#include "codegen/Kernels/Convolution.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

Status Convolution::check(const KernelBuilder &k, bool stores) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "C", 8));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "F", 8));
  if (k.dim("F") < k.dim("C"))
    return invalidArgument(std::to_string(k.dim("C")) + " channels of " +
                           std::to_string(k.dim("F")) + " features");
  if (stores && k.dim("T") + k.dim("K") - 1 > k.dim("RING"))
    return unsupported("a step of " + std::to_string(k.dim("T")) +
                       " tokens overwrites rows of a ring of " +
                       std::to_string(k.dim("RING")) +
                       " that it reads; store them in a second kernel");
  return Status::ok();
}

Convolution::Convolution(KernelBuilder &k, bool stores)
    : k(k), sequences(k), stores(stores), width(k.dim("K")),
      features(k.dim("F") / 8), channels(k.dim("C") / 8), x(k.getInput("x")),
      weight(k.getInput("weight")), state(k.getInput("state")) {
  if (stores)
    newState = k.getOutput("new_state");
}

void Convolution::build(Expression token, llvm::ArrayRef<Expression> octets,
                        llvm::function_ref<void(llvm::ArrayRef<Octet>)> body) {
  sequences.find(token, [&](const SequenceRow &row, Expression number) {
    llvm::SmallVector<Octet, 4> results;
    for (Expression octet : octets)
      results.push_back(convolve(row, token, number, octet));
    body(results);
    if (!stores)
      return;
    Expression ringRow = getRingRow(k, row.slot, row.position + number);
    for (Expression octet : octets)
      newState.writeOctet(ringRow * double(channels) + octet,
                          x.readOctet(token * double(features) + octet));
  });
}

Octet Convolution::convolve(const SequenceRow &row, Expression token,
                            Expression number, Expression octet) {
  Expressions weights = readWeights(octet);
  Octet sum{k.zeroVector(), k.zeroVector()};
  for (int64_t j = 0; j != width; ++j) {
    Octet input = readInput(row, token, number, octet, width - 1 - j);
    auto tap = [&](unsigned half) {
      Expressions lanes;
      for (unsigned c = 4 * half; c != 4 * half + 4; ++c)
        lanes.push_back(weights[c * width + j]);
      return quern::vector(lanes);
    };
    sum = {fma(input.a, tap(0), sum.a), fma(input.b, tap(1), sum.b)};
  }
  return mapOctet([](Expression y) { return silu(y); }, sum);
}

Octet Convolution::readInput(const SequenceRow &row, Expression token,
                             Expression number, Expression octet,
                             int64_t back) {
  auto fromStep = [&] {
    Expression at = token - double(back);
    return k.reorder(x.readOctet(at * double(features) + octet),
                     OctetOrder::Linear);
  };
  if (back == 0)
    return fromStep();
  auto split = [](const Octet &octet) { return Expressions{octet.a, octet.b}; };
  Expression position = row.position + number;
  Expressions halves = k.branch(
      number >= double(back), [&] { return split(fromStep()); },
      [&] {
        return k.branch(
            position >= double(back),
            [&] {
              return split(readState(row.slot, position - double(back), octet));
            },
            [&] { return Expressions{k.zeroVector(), k.zeroVector()}; });
      });
  return {halves[0], halves[1]};
}

Expressions Convolution::readWeights(Expression octet) {
  Expressions weights;
  for (int64_t i = 0; i != width; ++i) {
    Octet part = k.reorder(weight.readOctet(octet * double(width) + double(i)),
                           OctetOrder::Linear);
    for (unsigned c = 0; c != 4; ++c)
      weights.push_back(part.a[c]);
    for (unsigned c = 0; c != 4; ++c)
      weights.push_back(part.b[c]);
  }
  return weights;
}

Octet Convolution::readState(Expression slot, Expression position,
                             Expression octet) const {
  Expression ringRow = getRingRow(k, slot, position);
  return k.reorder(state.readOctet(ringRow * double(channels) + octet),
                   OctetOrder::Linear);
}

//===----------------------------------------------------------------------===//
// The families
//===----------------------------------------------------------------------===//

static Status buildConvolution(KernelBuilder &k, bool stores) {
  QUERN_RETURN_IF_ERROR(Convolution::check(k, stores));
  Convolution convolution(k, stores);
  OutputBuffer out = k.getOutput("out");
  k.flops = 2 * uint64_t(k.dim("T")) * k.dim("C") * k.dim("K");
  int64_t octets = k.dim("C") / 8;
  return buildPerOctet(
      k, k.dim("T"), k.dim("C"), [&](Expression token, Expression octet) {
        convolution.build(token, octet, [&](llvm::ArrayRef<Octet> results) {
          out.writeOctet(token * double(octets) + octet, results.front());
        });
      });
}

Status quern::buildCausalConv1d(KernelBuilder &k) {
  return buildConvolution(k, /*stores=*/false);
}

Status quern::buildCausalConv1dAppend(KernelBuilder &k) {
  return buildConvolution(k, /*stores=*/true);
}

/// A workgroup stores a part of a token that stands `age` before the last one
/// of its sequence.
Status quern::buildConvolutionAppend(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "C", 8));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "F", 8));
  int64_t ring = k.dim("RING"), octets = k.dim("C") / 8,
          inOctets = k.dim("F") / 8;
  Sequences sequences(k);
  InputBuffer x = k.getInput("x");
  OutputBuffer state = k.getOutput("state");
  int64_t ages = std::min(ring, k.dim("T"));
  k.setSubgroups(1);
  k.setGrid(0, (octets + k.getSubgroupSize() - 1) / k.getSubgroupSize());
  k.setGrid(1, ages);
  k.setGrid(2, k.dim("N"));
  k.idealBytes = 2 * k.getArgument("state").getBytes() / k.dim("S") *
                 k.dim("N") * ages / ring;
  Expression octet = k.getGroup(0) * double(k.getSubgroupSize()) + k.getLane();
  SequenceRow row = sequences.read(k.getGroup(2));
  Expression age = k.getGroup(1);
  Expression isThere = age < row.count;
  if (octets % k.getSubgroupSize() != 0)
    isThere = isThere & (octet < double(octets));
  k.when(isThere, [&] {
    Expression number = row.count - 1 - age;
    Expression ringRow =
        row.slot * double(ring) + (row.position + number) % double(ring);
    state.writeOctet(
        ringRow * double(octets) + octet,
        x.readOctet((row.first + number) * double(inOctets) + octet));
  });
  return Status::ok();
}
