//===- QuantizeActivations.cpp - int8 codes of activations ----------------===//
//
// Eight lanes have a group of 32 elements, each of them the four that become
// its word. A workgroup has a token.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Int8Codes.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Rows.h"

using namespace quern;

/// Lanes of a group.
static constexpr unsigned kTeam = kGroupSize / 4;

namespace {

class QuantizeActivationsBuilder {
public:
  QuantizeActivationsBuilder(KernelBuilder &k, unsigned weightBits)
      : k(k), weightBits(weightBits), groups(k.dim("K") / kGroupSize) {}

  Status build() {
    k.setSubgroups(1);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), 1));
    x = k.getScalarInput("x");
    codes = k.getRunOutput("codes", 1);
    factors = k.getRunOutput("factors", 1);
    int64_t teams = k.getSubgroupSize() / kTeam;
    Expression token = k.getGroup(1), team = k.getLane() / double(kTeam);
    k.loop(k.index(0), k.index((groups + teams - 1) / teams), 1,
           [&](Expression turn) {
             Expression group = turn * double(teams) + team;
             // Lanes without a group do the last one once more.
             if (groups % teams != 0)
               group = min(group, k.index(groups - 1));
             quantize(token * double(groups) + group);
           });
    return Status::ok();
  }

private:
  /// `at` counts groups.
  void quantize(Expression at) {
    Expression word = k.getLane() % double(kTeam);
    // getActivationElement for byte 0; the next ones follow in equal steps.
    unsigned phases = 8 / weightBits;
    Expression weightWord = word / double(phases),
               phase = word % double(phases);
    Expression first = weightWord / 4 * double(4 * 32 / weightBits) +
                       weightWord % 4 + phase * 4;
    Expressions values;
    Expression largest = k.f32(0);
    for (unsigned byte = 0; byte != 4; ++byte) {
      Expression value = x.readElement(at * double(kGroupSize) +
                                       (first + double(4 * phases * byte)));
      largest = max(largest, max(value, 0 - value));
      values.push_back(value);
    }
    largest = k.reduceMax(largest, kTeam);
    Expression inverse = invertScale(largest), total = k.f32(0);
    for (Expression &value : values) {
      value = toCode(value, inverse);
      total = total + value;
    }
    total = k.reduceAdd(total, kTeam);
    codes.writeRun(at * double(kTeam) + word, {packInt8Codes(values)});
    k.when(word == 0, [&] {
      factors.writeRun(at * 2.0, {largest / 127});
      factors.writeRun(at * 2.0 + 1.0, {total});
    });
  }

  KernelBuilder &k;
  unsigned weightBits;
  int64_t groups;
  InputBuffer x;
  OutputBuffer codes, factors;
};

} // namespace

Status quern::buildQuantizeActivations(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "K", kGroupSize));
  QUERN_ASSIGN_OR_RETURN(int64_t bits, k.getInteger("weight_bits"));
  if (llvm::none_of(getEncodings(), [&](const EncodingInfo &info) {
        return info.bits == bits;
      }))
    return invalidArgument("config member weight_bits is " +
                           std::to_string(bits) +
                           ", which no encoding of weights has");
  if (k.dim("WORDS") * 4 != k.dim("K") ||
      k.dim("G") * int64_t(kGroupSize) != k.dim("K") || k.dim("TWO") != 2)
    return invalidArgument("codes and factors are not those of " +
                           std::to_string(k.dim("K")) + " inputs");
  if (k.getSubgroupSize() % kTeam != 0)
    return unsupported("subgroups of " + std::to_string(k.getSubgroupSize()) +
                       " lanes are no multiple of " + std::to_string(kTeam));
  return QuantizeActivationsBuilder(k, unsigned(bits)).build();
}
