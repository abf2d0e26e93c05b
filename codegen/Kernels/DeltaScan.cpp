//===- DeltaScan.cpp - The delta rule token by token ----------------------===//
//
// The state stays in registers: a lane has an octet of columns and every
// teams-th quad of rows of them; lanes that share columns add their shares of
// S^T k and S^T q after each token. With S before the token and f = exp(decay):
//
//   u = beta (v - f S^T k), result = f S^T q + (k q) u, S = f S + k u^T
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/DeltaState.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

namespace {

/// Quads of rows in the registers of a lane, if the subgroup is large enough:
/// 16 rows of 8 columns.
constexpr int64_t maxQuads = 4;

class DeltaScanBuilder {
public:
  explicit DeltaScanBuilder(KernelBuilder &k)
      : k(k), state(k), sequences(k),
        newRecurrent(k.getOutput("new_recurrent")), out(k.getOutput("out")) {
    while (state.quads % (2 * teams) == 0 && 2 * teams <= k.getSubgroupSize() &&
           state.quads / teams > maxQuads)
      teams *= 2;
    while (state.octets % (2 * columns) == 0 &&
           2 * columns * teams <= k.getSubgroupSize())
      columns *= 2;
  }

  Status build() {
    k.setSubgroups(1);
    k.setGrid(0, state.octets / columns);
    k.setGrid(1, k.dim("HV"));
    k.setGrid(2, k.dim("N"));
    Expression lane = k.getLane();
    // Lanes beyond the last column compute the first ones once more.
    if (columns * teams < k.getSubgroupSize())
      lane = lane % double(columns * teams);
    team = lane % double(teams);
    SequenceRow row = sequences.read(k.getGroup(2));
    Expression column = k.getGroup(0) * double(columns) + lane / double(teams);
    k.when(row.count != 0, [&] {
      state.select(row, k.getGroup(1), column);
      Expressions rows =
          k.loop(row.first, row.first + row.count, 1, readState(),
                 [&](Expression token, llvm::ArrayRef<Expression> carried) {
                   return step(token, carried);
                 });
      forEachQuad([&](Expression quad, size_t at) {
        QuadRows part;
        for (unsigned r = 0; r != 4; ++r)
          part[r] = {rows[at + 2 * r], rows[at + 2 * r + 1]};
        state.writeRows(newRecurrent, quad, part);
      });
    });
    return Status::ok();
  }

private:
  /// The quads of this lane and where their rows are among the carried values.
  void forEachQuad(llvm::function_ref<void(Expression, size_t)> body) {
    for (int64_t i = 0; i != state.quads / teams; ++i)
      body(team + double(i * teams), i * 8);
  }

  /// The state in front of the step.
  Expressions readState() {
    Expressions rows;
    Expression scale = exp(state.getPendingDecay());
    forEachQuad([&](Expression quad, size_t) {
      for (const Octet &part :
           state.fold(quad, state.readRows(quad), state.getPending(), scale))
        rows.append({part.a, part.b});
    });
    return rows;
  }

  Expressions step(Expression token, llvm::ArrayRef<Expression> rows) {
    // Two vectors of S^T k, two of S^T q, and k q.
    Expressions sums(4, k.zeroVector()), keys;
    Expression products = k.zeroVector();
    forEachQuad([&](Expression quad, size_t at) {
      Expression key = state.readStepKeys(token, quad);
      Expression query = state.readStepQueries(token, quad);
      for (unsigned r = 0; r != 4; ++r)
        for (unsigned half = 0; half != 2; ++half) {
          Expression s = rows[at + 2 * r + half];
          sums[half] = fma(s, key[r], sums[half]);
          sums[2 + half] = fma(s, query[r], sums[2 + half]);
        }
      products = fma(key, query, products);
      keys.push_back(key);
    });
    sums.push_back(sum(products));
    reduceAcross(k, sums, 1, teams);

    Expression factor = exp(state.readStepDecay(token));
    Expression beta = state.readStepBeta(token);
    Octet value = state.readStepValue(token);
    Expression update[] = {(value.a - sums[0] * factor) * beta,
                           (value.b - sums[1] * factor) * beta};
    k.guard(
        teams > 1, [&] { return team == 0; },
        [&] {
          out.writeOctet(state.atResult(token),
                         {fma(update[0], sums[4], sums[2] * factor),
                          fma(update[1], sums[4], sums[3] * factor)});
        });
    Expressions next;
    for (size_t i = 0; i != rows.size(); ++i) {
      Expression key = keys[i / 8][i % 8 / 2];
      next.push_back(fma(update[i % 2], key, rows[i] * factor));
    }
    return next;
  }

  KernelBuilder &k;
  DeltaState state;
  Sequences sequences;
  OutputBuffer newRecurrent, out;
  unsigned columns = 1, teams = 1; ///< Lanes of a team; teams.
  Expression team;
};

} // namespace

Status quern::buildDeltaScan(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(DeltaState::check(k));
  uint64_t sequences = k.dim("N"), slots = k.dim("S");
  k.idealBytes = 2 * k.getArgument("recurrent").getBytes() / slots * sequences +
                 k.getArgument("q").getBytes() * 2 +
                 k.getArgument("v").getBytes() * 2;
  k.flops = 8 * uint64_t(k.dim("T")) * k.dim("HV") * k.dim("DK") * k.dim("DV");
  return DeltaScanBuilder(k).build();
}
