//===- Router.cpp - choosing the experts of a token -----------------------===//
//
// A subgroup finds the K greatest logits of its token one after the other:
// each time the greatest of those that come after the last one found, in order
// of value and then index. Nothing is stored in between.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelBuilder.h"
#include "codegen/Kernels/KernelFamilies.h"

#include <cmath>

using namespace quern;

namespace {

class RouterBuilder {
public:
  explicit RouterBuilder(KernelBuilder &k)
      : k(k), numExperts(k.dim("E")), slots(k.dim("K")) {}

  Status build() {
    if (slots > numExperts)
      return invalidArgument("chooses " + std::to_string(slots) + " of " +
                             std::to_string(numExperts) + " experts");
    QUERN_ASSIGN_OR_RETURN(bool normalize, k.getBool("normalize", false));
    k.setSubgroups(1);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), 1));
    logits = k.getScalarInput("logits");
    OutputBuffer experts = k.getRunOutput("experts", 1);
    OutputBuffer weights = k.getRunOutput("weights", 1);
    lane = k.getLane();
    token = k.getGroup(1);

    llvm::SmallVector<Choice> choices;
    Choice last{k.f32(INFINITY), k.i32(-1)};
    for (int64_t j = 0; j != slots; ++j)
      choices.push_back(last = findNext(last));
    Expression greatest = choices.front().value;
    Expressions powers;
    for (const Choice &choice : choices)
      powers.push_back(exp(choice.value - greatest));
    Expression total = normalize ? sumOf(powers) : sumOfAll(greatest);
    k.when(lane == 0, [&] {
      for (int64_t j = 0; j != slots; ++j) {
        Expression at = token * double(slots) + double(j);
        experts.writeRun(at, {choices[j].expert});
        weights.writeRun(at, {powers[j] / total});
      }
    });
    return Status::ok();
  }

private:
  struct Choice {
    Expression value, expert;
  };

  /// A NaN ranks with the least.
  Expression readLogit(Expression expert) {
    Expression logit = logits.read(token * double(numExperts) + expert);
    return select(logit == logit, logit, k.f32(-INFINITY));
  }

  Choice findNext(const Choice &last) {
    Expression none = k.i32(-1), next = last.expert + 1;
    Expressions best = k.accumulate(
        numExperts, k.getSubgroupSize(), lane, {k.f32(-INFINITY), none},
        [&](Expression expert, llvm::ArrayRef<Expression> carried) {
          Expression logit = readLogit(expert), number = toI32(expert);
          Expression isLeft =
              (logit < last.value) | ((logit == last.value) & (number >= next));
          Expression isBetter =
              isLeft & ((logit > carried[0]) | (carried[1] == none));
          return Expressions{select(isBetter, logit, carried[0]),
                             select(isBetter, number, carried[1])};
        });
    Expression value = k.reduceMax(best[0], k.getSubgroupSize());
    Expression expert =
        k.reduce(select(best[0] == value, best[1], none), k.getSubgroupSize(),
                 [](Expression a, Expression b) { return min(a, b); });
    return {value, expert};
  }

  Expression sumOf(llvm::ArrayRef<Expression> terms) {
    Expression total = terms.front();
    for (Expression term : terms.drop_front())
      total = total + term;
    return total;
  }

  Expression sumOfAll(Expression greatest) {
    Expression mine =
        k.accumulate(
             numExperts, k.getSubgroupSize(), lane, {k.f32(0)},
             [&](Expression expert, llvm::ArrayRef<Expression> carried) {
               return Expressions{carried[0] +
                                  exp(readLogit(expert) - greatest)};
             })
            .front();
    return k.reduceAdd(mine, k.getSubgroupSize());
  }

  KernelBuilder &k;
  int64_t numExperts, slots;
  InputBuffer logits;
  Expression lane, token;
};

} // namespace

Status quern::buildRouter(KernelBuilder &k) { return RouterBuilder(k).build(); }
