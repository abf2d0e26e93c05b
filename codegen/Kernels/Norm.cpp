//===- Norm.cpp - The parts of an RMS norm --------------------------------===//
#include "codegen/Kernels/Norm.h"

using namespace quern;

Result<NormConfig> quern::readNormConfig(const KernelBuilder &k) {
  NormConfig config;
  QUERN_ASSIGN_OR_RETURN(config.epsilon, k.getFloat("epsilon"));
  QUERN_ASSIGN_OR_RETURN(config.unitOffset, k.getBool("unit_offset", false));
  return config;
}

Expression quern::buildNormScale(KernelBuilder &k, const NormConfig &config,
                                 int64_t octets, unsigned lanes,
                                 Expression lane,
                                 llvm::function_ref<Octet(Expression)> read) {
  Expression squares =
      k.accumulate(octets, lanes, lane, {k.zeroVector()},
                   [&](Expression octet, llvm::ArrayRef<Expression> carried) {
                     Octet x = read(octet);
                     Expression total = fma(x.a, x.a, carried[0]);
                     return Expressions{fma(x.b, x.b, total)};
                   })
          .front();
  auto add = [](Expression a, Expression b) { return a + b; };
  Expression total = lanes > k.getSubgroupSize()
                         ? k.reduceWorkgroup(sum(squares), add)
                         : k.reduceAdd(sum(squares), lanes);
  Expression mean = total / double(octets * 8);
  return 1 / sqrt(mean + config.epsilon);
}

Octet quern::applyNorm(KernelBuilder &k, const NormConfig &config,
                       const Octet &x, Expression scale, const Octet &weight) {
  Octet factor = k.reorder(weight, x.order);
  auto apply = [&](Expression value, Expression w) {
    return value * scale * (config.unitOffset ? w + 1 : w);
  };
  return mapOctets(apply, x, factor);
}
