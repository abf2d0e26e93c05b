//===- Norm.h - The parts of an RMS norm ------------------------*- C++ -*-===//
//
// Used by the norm families and by the families that normalise heads.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_NORM_H
#define QUERN_CODEGEN_KERNELS_NORM_H

#include "codegen/Kernels/Rows.h"

namespace quern {

struct NormConfig {
  double epsilon = 0;
  bool unitOffset = false; ///< The factor is 1 + weight.
};

/// Members epsilon and unit_offset of the config.
Result<NormConfig> readNormConfig(const KernelBuilder &k);

/// How the lanes of a workgroup share rows.
struct RowTeams {
  unsigned lanes;      ///< Of a row.
  Expression lane;     ///< In the row's team.
  Expression row;      ///< Of all rows of the buffers.
  Expression isInside; ///< Null if all rows exist.
};

/// Teams of lanes for `rowsPerToken` rows of each of `tokens` tokens. Sets the
/// launch.
Result<RowTeams> makeRowTeams(KernelBuilder &k, int64_t tokens,
                              int64_t rowsPerToken, int64_t octets);

/// The sum of the squares of a row of `octets` octets that `lanes` lanes share
/// (a team of a subgroup, or the workgroup); all of them get it.
Expression buildSquareSum(KernelBuilder &k, int64_t octets, unsigned lanes,
                          Expression lane,
                          llvm::function_ref<Octet(Expression)> read);

/// 1 / sqrt(mean(x^2) + epsilon) of a row of `octets` octets that `lanes`
/// lanes share (a team of a subgroup, or the workgroup); all of them get it.
Expression buildNormScale(KernelBuilder &k, const NormConfig &config,
                          int64_t octets, unsigned lanes, Expression lane,
                          llvm::function_ref<Octet(Expression)> read);

/// x * scale * (weight or 1 + weight), in the order of x.
Octet applyNorm(KernelBuilder &k, const NormConfig &config, const Octet &x,
                Expression scale, const Octet &weight);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_NORM_H
