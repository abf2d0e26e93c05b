//===- DeltaInputs.cpp - delta_gates, delta_inputs ------------------------===//
#include "codegen/Kernels/Convolution.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

namespace {

/// decay and beta of heads from ba, A_log and dt_bias.
class Gates {
public:
  static Status check(const KernelBuilder &k) {
    if (k.dim("BA") != 2 * k.dim("HV"))
      return invalidArgument("ba has " + std::to_string(k.dim("BA")) +
                             " features, not two for each of " +
                             std::to_string(k.dim("HV")) + " heads");
    // 16-bit elements are read as pairs.
    bool isWide = k.getType("a_log") == DataType::F32 &&
                  k.getType("dt_bias") == DataType::F32;
    return isWide ? Status::ok() : requireMultiple(k, "HV", 2);
  }

  explicit Gates(KernelBuilder &k)
      : k(k), heads(k.dim("HV")), ba(k.getScalarInput("ba")),
        aLog(k.getScalarInput("a_log")), dtBias(k.getScalarInput("dt_bias")),
        decay(k.getRunOutput("decay", 1)), beta(k.getRunOutput("beta", 1)) {}

  void build(Expression token, Expression head) {
    Expression base = token * double(2 * heads) + head;
    Expression b = ba.read(base);
    Expression z = ba.read(base + double(heads)) + dtBias.readElement(head);
    Expression magnitude = max(z, 0 - z);
    Expression softplus = max(z, k.f32(0)) + log(exp(0 - magnitude) + 1);
    Expression at = token * double(heads) + head;
    decay.writeRun(at, {(0 - exp(aLog.readElement(head))) * softplus});
    beta.writeRun(at, {1 / (1 + exp(0 - b))});
  }

private:
  KernelBuilder &k;
  int64_t heads;
  InputBuffer ba, aLog, dtBias;
  OutputBuffer decay, beta;
};

/// Axis x counts groups of query and key heads, then of octets of values, then
/// of gates.
class DeltaInputsBuilder {
public:
  DeltaInputsBuilder(KernelBuilder &k, double epsilon, bool stores)
      : k(k), epsilon(epsilon), keyHeads(k.dim("HK")),
        keyOctets(k.dim("DK") / 8), valueOctets(k.dim("HV") * k.dim("DV") / 8),
        convolution(k, stores), gates(k), query(k.getOutput("q")),
        key(k.getOutput("k")), value(k.getOutput("v")) {}

  Status build() {
    k.setSubgroups(1);
    int64_t lanes = k.getSubgroupSize();
    unsigned teamLanes = getEvenTeamLanes(k, keyOctets);
    int64_t teams = lanes / teamLanes;
    int64_t headGroups = (2 * keyHeads + teams - 1) / teams;
    int64_t valueGroups = (valueOctets + lanes - 1) / lanes;
    int64_t gateGroups = (k.dim("HV") + lanes - 1) / lanes;
    k.setGrid(0, headGroups + valueGroups + gateGroups);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), 1));
    token = k.getGroup(1);
    Expression lane = k.getLane(), group = k.getGroup(0);

    k.when(group < double(headGroups), [&] {
      Expression head = group * double(teams) + lane / double(teamLanes);
      // A team past the last head repeats it; it stores the same values.
      if (2 * keyHeads % teams != 0)
        head = min(head, k.index(2 * keyHeads - 1));
      buildHead(head, lane % double(teamLanes), teamLanes);
    });
    Expression valueGroup = group - double(headGroups);
    k.when(valueGroup < double(valueGroups), [&] {
      Expression octet = valueGroup * double(lanes) + lane;
      k.guard(
          valueOctets % lanes != 0, [&] { return octet < double(valueOctets); },
          [&] { buildValue(octet); });
    });
    Expression gateGroup = valueGroup - double(valueGroups);
    k.when(gateGroup < double(gateGroups), [&] {
      Expression head = gateGroup * double(lanes) + lane;
      k.guard(
          k.dim("HV") % lanes != 0, [&] { return head < double(k.dim("HV")); },
          [&] { gates.build(token, head); });
    });
    return Status::ok();
  }

private:
  /// Heads [0, Hk) are queries, the next Hk keys.
  void buildHead(Expression head, Expression lane, unsigned lanes) {
    Expressions octets;
    for (int64_t i = 0; i != keyOctets; i += lanes)
      octets.push_back(head * double(keyOctets) + lane + double(i));
    convolution.build(token, octets, [&](llvm::ArrayRef<Octet> parts) {
      Expression squares = k.zeroVector();
      for (const Octet &part : parts)
        squares = fma(part.b, part.b, fma(part.a, part.a, squares));
      Expression total = k.reduceAdd(sum(squares), lanes);
      Expression isQuery = head < double(keyHeads);
      Expression scale =
          quern::select(isQuery, k.f32(1 / std::sqrt(double(k.dim("DK")))),
                        k.f32(1)) /
          sqrt(total + epsilon);
      auto store = [&](const OutputBuffer &out, Expression firstOctet) {
        for (size_t i = 0; i != parts.size(); ++i)
          out.writeOctet(
              octets[i] + firstOctet,
              mapOctet([&](Expression y) { return y * scale; }, parts[i]));
      };
      double perToken = double(keyHeads * keyOctets);
      k.when(isQuery, [&] { store(query, token * perToken); });
      k.when(head >= double(keyHeads),
             [&] { store(key, token * perToken - perToken); });
    });
  }

  void buildValue(Expression octet) {
    Expression channel = octet + double(2 * keyHeads * keyOctets);
    convolution.build(token, channel, [&](llvm::ArrayRef<Octet> parts) {
      value.writeOctet(token * double(valueOctets) + octet, parts.front());
    });
  }

  KernelBuilder &k;
  double epsilon;
  int64_t keyHeads, keyOctets, valueOctets;
  Convolution convolution;
  Gates gates;
  OutputBuffer query, key, value;
  Expression token;
};

} // namespace

Status quern::buildDeltaGates(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(Gates::check(k));
  int64_t heads = k.dim("HV"), lanes = k.getSubgroupSize();
  k.setSubgroups(1);
  k.setGrid(0, (heads + lanes - 1) / lanes);
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), 1));
  Gates gates(k);
  Expression head = k.getGroup(0) * double(lanes) + k.getLane();
  k.guard(
      heads % lanes != 0, [&] { return head < double(heads); },
      [&] { gates.build(k.getGroup(1), head); });
  return Status::ok();
}

static Status buildInputs(KernelBuilder &k, bool stores) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "DK", 8));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "DV", 8));
  QUERN_RETURN_IF_ERROR(Convolution::check(k, stores));
  QUERN_RETURN_IF_ERROR(Gates::check(k));
  QUERN_ASSIGN_OR_RETURN(double epsilon, k.getFloat("epsilon"));
  int64_t channels = 2 * k.dim("HK") * k.dim("DK") + k.dim("HV") * k.dim("DV");
  if (k.dim("C") != channels)
    return invalidArgument("the weight has " + std::to_string(k.dim("C")) +
                           " channels for heads of " +
                           std::to_string(channels) + " features");
  k.flops = 2 * uint64_t(k.dim("T")) * k.dim("C") * k.dim("K");
  return DeltaInputsBuilder(k, epsilon, stores).build();
}

Status quern::buildDeltaInputs(KernelBuilder &k) {
  return buildInputs(k, /*stores=*/false);
}

Status quern::buildDeltaInputsAppend(KernelBuilder &k) {
  return buildInputs(k, /*stores=*/true);
}
