//===- HeadNorm.cpp - l2_norm, gated_rms_norm -----------------------------===//
//
// Norms of the heads of a token; a team of lanes has one head.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Norm.h"

using namespace quern;

/// Runs body(teams, row's first octet) for the heads that exist.
static Status
buildPerHead(KernelBuilder &k,
             llvm::function_ref<void(const RowTeams &, Expression)> body) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  int64_t octets = k.dim("D") / 8;
  QUERN_ASSIGN_OR_RETURN(RowTeams teams,
                         makeRowTeams(k, k.dim("T"), k.dim("HEADS"), octets));
  body(teams, teams.row * double(octets));
  return Status::ok();
}

/// Stores what `make` returns for each octet of the team's head.
static void storeHead(KernelBuilder &k, const RowTeams &teams, Expression base,
                      const OutputBuffer &out,
                      llvm::function_ref<Octet(Expression)> make) {
  k.guard(
      static_cast<bool>(teams.isInside), [&] { return teams.isInside; },
      [&] {
        k.forEach(k.dim("D") / 8, teams.lanes, teams.lane,
                  [&](Expression octet) {
                    out.writeOctet(base + octet, make(octet));
                  });
      });
}

Status quern::buildL2Norm(KernelBuilder &k) {
  QUERN_ASSIGN_OR_RETURN(double epsilon, k.getFloat("epsilon"));
  QUERN_ASSIGN_OR_RETURN(double scale, k.getFloat("scale"));
  InputBuffer x = k.getInput("x");
  OutputBuffer out = k.getOutput("out");
  return buildPerHead(k, [&](const RowTeams &teams, Expression base) {
    auto read = [&](Expression octet) { return x.readOctet(base + octet); };
    Expression squares =
        buildSquareSum(k, k.dim("D") / 8, teams.lanes, teams.lane, read);
    Expression factor = scale / sqrt(squares + epsilon);
    storeHead(k, teams, base, out, [&](Expression octet) {
      return mapOctet([&](Expression y) { return y * factor; }, read(octet));
    });
  });
}

Status quern::buildGatedRMSNorm(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "G", 8));
  QUERN_ASSIGN_OR_RETURN(NormConfig config, readNormConfig(k));
  QUERN_ASSIGN_OR_RETURN(int64_t offset, k.getInteger("gate_offset"));
  int64_t features = k.dim("HEADS") * k.dim("D");
  if (offset < 0 || offset > k.dim("G") - features)
    return invalidArgument("the gate takes " + std::to_string(features) +
                           " features from offset " + std::to_string(offset) +
                           " of " + std::to_string(k.dim("G")));
  if (offset % 8 != 0)
    return unsupported("config member gate_offset " + std::to_string(offset) +
                       " is not a multiple of 8");
  InputBuffer x = k.getInput("x"), gate = k.getInput("gate"),
              weight = k.getInput("weight");
  OutputBuffer out = k.getOutput("out");
  return buildPerHead(k, [&](const RowTeams &teams, Expression base) {
    int64_t octets = k.dim("D") / 8;
    auto read = [&](Expression octet) { return x.readOctet(base + octet); };
    Expression scale =
        buildNormScale(k, config, octets, teams.lanes, teams.lane, read);
    // Rows are the heads of all tokens.
    Expression token = k.getGroup(1);
    int64_t skipped = (k.dim("G") - features) / 8, begin = offset / 8;
    Expression gateBase = base + token * double(skipped) + double(begin);
    storeHead(k, teams, base, out, [&](Expression octet) {
      Octet normed =
          applyNorm(k, config, read(octet), scale, weight.readOctet(octet));
      Octet z = k.reorder(gate.readOctet(gateBase + octet), normed.order);
      return mapOctets(
          [](Expression value, Expression g) { return value * silu(g); },
          normed, z);
    });
  });
}
