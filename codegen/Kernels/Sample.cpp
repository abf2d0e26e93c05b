//===- Sample.cpp - choosing the next token -------------------------------===//
//
// One workgroup per row of logits. Top-k and top-p are thresholds on the
// logit, found by bisection over the ordered integer keys of floats: each turn
// is one pass over the row that counts the logits above the middle and their
// weight. Then the inverse of the cumulative distribution in token order: each
// lane sums a chunk of the row, and the lane whose chunk holds the wanted
// fraction walks it. Greedy rows end after the first pass.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Rows.h"

using namespace quern;

/// What the kernel writes for a row with a NaN among its logits or whose
/// largest logit is infinite.
static constexpr double invalidToken = 0xffffffffu;

static Expression larger(Expression a, Expression b) { return max(a, b); }
static Expression smaller(Expression a, Expression b) { return min(a, b); }
static Expression add(Expression a, Expression b) { return a + b; }

/// An unsigned number that orders like the float.
static Expression orderedKey(Expression x) {
  Expression bits = bitsOf(x);
  return quern::select((bits & 0x80000000u) == 0, bits | 0x80000000u,
                       bits ^ 0xffffffffu);
}

namespace {

/// Entries of a sampling row.
struct Parameters {
  Expression temperature, topK, topP, minP, penalty, uniform;
};

/// The first pass over a row.
struct Extremes {
  Expression largest, smallest;
  Expression first; ///< Index of the largest, or invalidToken.
};

/// How much lies at or above a key.
struct Mass {
  Expression count;  ///< i32
  Expression weight; ///< f32
};

class SampleBuilder {
public:
  explicit SampleBuilder(KernelBuilder &k)
      : k(k), vocabulary(k.dim("V")), width(vocabulary % 4 == 0 ? 4 : 1),
        units(vocabulary / width) {}

  Status build() {
    // Many lanes also where workgroup memory is slow: lavapipe ends all loops
    // of an invocation silently after 65535 turns in total.
    k.setSubgroups(k.getTarget().rowSubgroups);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("R"), 1, "rows"));
    logits = width == 4 ? k.getInput("logits") : k.getScalarInput("logits");
    seen = k.getInput("seen");
    tokens = k.getRunOutput("tokens", 1);
    row = k.getGroup(1);
    lane = k.getSubgroup() * double(k.getSubgroupSize()) + k.getLane();
    readParameters();
    extremes = findExtremes();
    Expression isRandom =
        (parameters.temperature > 0) & (extremes.first != invalidToken);
    Expression token = k.branch(
        isRandom, [&] { return Expressions{drawToken()}; },
        [&] { return Expressions{extremes.first}; })[0];
    k.when(lane == 0, [&] { tokens.writeRun(row, {token}); });
    return Status::ok();
  }

private:
  void readParameters() {
    InputBuffer sampling = k.getScalarInput("sampling");
    auto read = [&](unsigned at) {
      return sampling.read(row * double(k.dim("PARAMETERS")) + double(at));
    };
    parameters = {read(0), read(1), read(2), read(3), read(4), read(5)};
    hasPenalty = (parameters.penalty > 0) & (parameters.penalty != 1);
  }

  //===--------------------------------------------------------------------===//
  // Passes over the row
  //===--------------------------------------------------------------------===//

  /// The logits of a unit after the repetition penalty.
  Expressions readUnit(Expression unit, bool penalised) {
    Expression value = logits.read(row * double(units) + unit);
    Expressions parts = {value};
    if (width == 4)
      parts = {value[0], value[1], value[2], value[3]};
    if (!penalised)
      return parts;
    // The bits of a unit are in one word.
    Expression token = unit * double(width);
    Expression word = seen.read(row * double(k.dim("W")) + token / 32);
    for (unsigned i = 0; i != width; ++i) {
      Expression bit = (word >> toI32((token + double(i)) % 32)) & 1;
      Expression reduced =
          quern::select(parts[i] > 0, parts[i] / parameters.penalty,
                        parts[i] * parameters.penalty);
      parts[i] = quern::select(bit == 1, reduced, parts[i]);
    }
    return parts;
  }

  /// Carries values through body(token, logit, values) for logits of `unit`.
  using Visit = llvm::function_ref<void(Expression, Expression, Expressions &)>;
  Expressions visitUnit(Expression unit, bool penalised,
                        llvm::ArrayRef<Expression> carried, Visit visit) {
    Expressions values(carried.begin(), carried.end());
    Expressions parts = readUnit(unit, penalised);
    for (unsigned i = 0; i != width; ++i)
      visit(toI32(unit * double(width) + double(i)), parts[i], values);
    return values;
  }

  /// All logits, lanes taking turns.
  Expressions scan(llvm::ArrayRef<Expression> init, Visit visit) {
    auto pass = [&](bool penalised) {
      return k.accumulate(
          units, k.launch.workgroupSize[0], lane, init,
          [&](Expression unit, llvm::ArrayRef<Expression> carried) {
            return visitUnit(unit, penalised, carried, visit);
          });
    };
    return k.branch(
        hasPenalty, [&] { return pass(true); }, [&] { return pass(false); });
  }

  /// The logits of this lane's chunk of the row, in token order.
  Expressions scanChunk(llvm::ArrayRef<Expression> init, Visit visit) {
    int64_t lanes = k.launch.workgroupSize[0];
    int64_t chunk = (units + lanes - 1) / lanes;
    double size = double(chunk);
    Expression first = min(lane * size, k.index(units));
    Expression end = min(first + size, k.index(units));
    auto pass = [&](bool penalised) {
      return k.loop(first, end, 1, init,
                    [&](Expression unit, llvm::ArrayRef<Expression> carried) {
                      return visitUnit(unit, penalised, carried, visit);
                    });
    };
    return k.branch(
        hasPenalty, [&] { return pass(true); }, [&] { return pass(false); });
  }

  Extremes findExtremes() {
    Expressions found =
        scan({k.f32(-INFINITY), k.f32(INFINITY), k.i32(-1), k.i32(0)},
             [&](Expression token, Expression logit, Expressions &values) {
               Expression isLarger = logit > values[0];
               values[0] = quern::select(isLarger, logit, values[0]);
               values[1] = quern::min(values[1], logit);
               values[2] = quern::select(isLarger, token, values[2]);
               values[3] = quern::select(logit != logit, k.i32(1), values[3]);
             });
    Expression largest = k.reduceWorkgroup(found[0], larger);
    Expression smallest = k.reduceWorkgroup(found[1], smaller);
    Expression first = k.reduceWorkgroup(
        quern::select(found[0] == largest, found[2], k.i32(-1)), smaller);
    Expression hasNaN = k.reduceWorkgroup(found[3], larger);
    Expression isValid =
        (hasNaN == 0) & (largest < INFINITY) & (largest > -INFINITY);
    return {largest, smallest,
            quern::select(isValid, first, k.i32(invalidToken))};
  }

  /// Proportional to the probability of a token.
  Expression weigh(Expression logit) {
    return exp((logit - extremes.largest) / parameters.temperature);
  }

  Mass measure(Expression key) {
    Expressions found =
        scan({k.i32(0), k.f32(0)},
             [&](Expression, Expression logit, Expressions &values) {
               Expression isAbove = orderedKey(logit) >= key;
               values[0] = values[0] + toI32(isAbove);
               values[1] =
                   values[1] + quern::select(isAbove, weigh(logit), k.f32(0));
             });
    return {k.reduceWorkgroup(found[0], add), k.reduceWorkgroup(found[1], add)};
  }

  //===--------------------------------------------------------------------===//
  // Thresholds
  //===--------------------------------------------------------------------===//

  /// The largest key whose mass is still enough, or one that has the same
  /// logits above it. `low` has `lowCount` logits above it and is enough.
  Expression bisect(Expression low, Expression lowCount,
                    llvm::function_ref<Expression(const Mass &)> isEnough) {
    Expression high = orderedKey(extremes.largest) + 1;
    return k.loopWhile(
        {low, high, lowCount, k.i32(0)},
        [&](llvm::ArrayRef<Expression> v) {
          return (v[1] - v[0] > 1) & (v[2] - v[3] > 1);
        },
        [&](llvm::ArrayRef<Expression> v) {
          Expression middle = v[0] + ((v[1] - v[0]) >> 1);
          Mass mass = measure(middle);
          Expression enough = isEnough(mass);
          return Expressions{quern::select(enough, middle, v[0]),
                             quern::select(enough, v[1], middle),
                             quern::select(enough, mass.count, v[2]),
                             quern::select(enough, v[3], mass.count)};
        })[0];
  }

  /// Tokens with keys below it are not drawn.
  Expression findThreshold() {
    Expression all = orderedKey(extremes.smallest);
    Expression limit = parameters.topK;
    Expression byCount =
        k.branch((limit >= 1) & (limit < double(vocabulary)),
                 [&] {
                   Expression wanted = toI32(limit);
                   return Expressions{
                       bisect(all, k.i32(vocabulary), [&](const Mass &mass) {
                         return mass.count >= wanted;
                       })};
                 },
                 [&] { return Expressions{all}; })[0];
    return k.branch(
        parameters.topP < 1,
        [&] {
          Mass total = measure(byCount);
          Expression wanted = total.weight * parameters.topP;
          return Expressions{
              bisect(byCount, total.count,
                     [&](const Mass &mass) { return mass.weight >= wanted; })};
        },
        [&] { return Expressions{byCount}; })[0];
  }

  //===--------------------------------------------------------------------===//
  // Drawing
  //===--------------------------------------------------------------------===//

  Expression drawToken() {
    Expression threshold = findThreshold();
    Expression least = quern::min(parameters.minP, k.f32(1));
    // The weight of a token that may be drawn, else 0.
    auto keep = [&](Expression logit) {
      Expression weight = weigh(logit);
      return quern::select((orderedKey(logit) >= threshold) & (weight >= least),
                           weight, k.f32(0));
    };
    Expressions chunk =
        scanChunk({k.f32(0), k.i32(0)},
                  [&](Expression token, Expression logit, Expressions &values) {
                    Expression weight = keep(logit);
                    values[0] = values[0] + weight;
                    values[1] = quern::select(weight > 0, token + 1, values[1]);
                  });
    PrefixSum prefix = k.scanWorkgroup(chunk[0]);
    Expression wanted = parameters.uniform * prefix.total;
    Expressions found =
        scanChunk({prefix.before, k.i32(-1)},
                  [&](Expression token, Expression logit, Expressions &values) {
                    Expression weight = keep(logit);
                    values[0] = values[0] + weight;
                    Expression isHere = (weight > 0) & (values[0] > wanted) &
                                        (values[1] == 0xffffffffu);
                    values[1] = quern::select(isHere, token, values[1]);
                  });
    Expression token = k.reduceWorkgroup(found[1], smaller);
    // Rounding can leave the sum of the last token short of what is wanted.
    Expression last = k.reduceWorkgroup(chunk[1], larger) - 1;
    return quern::select(token == 0xffffffffu, last, token);
  }

  KernelBuilder &k;
  int64_t vocabulary;
  unsigned width; ///< Logits of a unit.
  int64_t units;
  InputBuffer logits, seen;
  OutputBuffer tokens;
  Expression row, lane, hasPenalty;
  Parameters parameters;
  Extremes extremes;
};

} // namespace

Status quern::buildSample(KernelBuilder &k) {
  if (k.dim("W") != (k.dim("V") + 31) / 32 || k.dim("PARAMETERS") != 8)
    return invalidArgument("expected sampling rows of 8 numbers and seen rows "
                           "of one bit per token");
  return SampleBuilder(k).build();
}
