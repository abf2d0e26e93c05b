//===- Norm.cpp - The parts of an RMS norm --------------------------------===//
#include "codegen/Kernels/Norm.h"

using namespace quern;

Result<NormConfig> quern::readNormConfig(const KernelBuilder &k) {
  NormConfig config;
  QUERN_ASSIGN_OR_RETURN(config.epsilon, k.getFloat("epsilon"));
  QUERN_ASSIGN_OR_RETURN(config.unitOffset, k.getBool("unit_offset", false));
  return config;
}

Result<RowTeams> quern::makeRowTeams(KernelBuilder &k, int64_t tokens,
                                     int64_t rowsPerToken, int64_t octets) {
  RowTeams teams;
  const TargetDescription &target = k.getTarget();
  bool split = rowsPerToken == 1 && target.useWorkgroupMemory &&
               octets >= 2 * int64_t(k.getSubgroupSize());
  k.setSubgroups(split ? target.rowSubgroups : 1);
  teams.lanes = split ? k.launch.workgroupSize[0] : getTeamLanes(k, octets);
  int64_t perGroup = std::max<int64_t>(1, k.getSubgroupSize() / teams.lanes);
  k.setGrid(0, (rowsPerToken + perGroup - 1) / perGroup);
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(tokens, 1));
  Expression thread =
      k.getSubgroup() * double(k.getSubgroupSize()) + k.getLane();
  teams.lane = thread % double(teams.lanes);
  Expression inToken =
      k.getGroup(0) * double(perGroup) + thread / double(teams.lanes);
  if (rowsPerToken % perGroup != 0) {
    teams.isInside = inToken < double(rowsPerToken);
    inToken = min(inToken, k.index(rowsPerToken - 1));
  }
  teams.row = k.getGroup(1) * double(rowsPerToken) + inToken;
  return teams;
}

Expression quern::buildSquareSum(KernelBuilder &k, int64_t octets,
                                 unsigned lanes, Expression lane,
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
  return lanes > k.getSubgroupSize() ? k.reduceWorkgroup(sum(squares), add)
                                     : k.reduceAdd(sum(squares), lanes);
}

Expression quern::buildNormScale(KernelBuilder &k, const NormConfig &config,
                                 int64_t octets, unsigned lanes,
                                 Expression lane,
                                 llvm::function_ref<Octet(Expression)> read) {
  Expression total = buildSquareSum(k, octets, lanes, lane, read);
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
