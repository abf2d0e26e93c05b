//===- RMSNorm.cpp - rms_norm and add_rms_norm ----------------------------===//
//
// out = x / sqrt(mean(x^2) + epsilon) * (weight or 1 + weight), over rows of H
// elements; x is residual + delta for add_rms_norm, which also writes it.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Norm.h"

using namespace quern;

Status quern::buildRMSNorm(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "H", 8));
  QUERN_ASSIGN_OR_RETURN(NormConfig config, readNormConfig(k));
  int64_t rowsPerToken = 1;
  if (k.hasConfig("rows_per_token")) {
    QUERN_ASSIGN_OR_RETURN(rowsPerToken, k.getInteger("rows_per_token"));
  }
  if (rowsPerToken < 1 || k.dim("R") % rowsPerToken != 0)
    return invalidArgument(
        "config member rows_per_token " + std::to_string(rowsPerToken) +
        " does not divide the number of rows " + std::to_string(k.dim("R")));
  int64_t octets = k.dim("H") / 8;
  QUERN_ASSIGN_OR_RETURN(
      RowTeams teams,
      makeRowTeams(k, k.dim("R") / rowsPerToken, rowsPerToken, octets));
  InputBuffer x = k.getInput("x"), weight = k.getInput("weight");
  OutputBuffer out = k.getOutput("out");
  Expression base = teams.row * double(octets);
  auto read = [&](Expression octet) { return x.readOctet(base + octet); };
  Expression scale =
      buildNormScale(k, config, octets, teams.lanes, teams.lane, read);
  k.guard(
      static_cast<bool>(teams.isInside), [&] { return teams.isInside; },
      [&] {
        k.forEach(octets, teams.lanes, teams.lane, [&](Expression octet) {
          out.writeOctet(base + octet, applyNorm(k, config, read(octet), scale,
                                                 weight.readOctet(octet)));
        });
      });
  return Status::ok();
}

Status quern::buildAddRMSNorm(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "H", 8));
  QUERN_ASSIGN_OR_RETURN(NormConfig config, readNormConfig(k));
  int64_t octets = k.dim("H") / 8;
  QUERN_ASSIGN_OR_RETURN(RowTeams teams,
                         makeRowTeams(k, k.dim("T"), 1, octets));
  InputBuffer residual = k.getInput("residual"), delta = k.getInput("delta"),
              weight = k.getInput("weight");
  OutputBuffer sum = k.getOutput("sum"), out = k.getOutput("out");
  Expression base = teams.row * double(octets);
  auto read = [&](Expression octet) {
    Octet a = residual.readOctet(base + octet);
    Octet b = k.reorder(delta.readOctet(base + octet), a.order);
    return mapOctets([](Expression x, Expression y) { return x + y; }, a, b);
  };
  Expression scale =
      buildNormScale(k, config, octets, teams.lanes, teams.lane, read);
  k.forEach(octets, teams.lanes, teams.lane, [&](Expression octet) {
    Octet x = read(octet);
    sum.writeOctet(base + octet, x);
    out.writeOctet(base + octet,
                   applyNorm(k, config, x, scale, weight.readOctet(octet)));
  });
  return Status::ok();
}
