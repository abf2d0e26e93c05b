//===- ExpertRows.cpp - experts, one grid over tokens and slots -----------===//
//
// As linear for one token, with the weight rows of the chosen expert. The sum
// over the slots is taken before the reduction across lanes, in the order of
// the slots.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Panels.h"

using namespace quern;

namespace {

/// A subgroup computes `rows` weight rows for one input row.
class ExpertRowsBuilder {
public:
  ExpertRowsBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear),
        rows(chooseRows(k, linear, k.getTarget().gemvRows)) {}

  /// Axis x counts weight rows, axis y tokens.
  Status begin() {
    k.setSubgroups(k.getTarget().subgroupsPerWorkgroup);
    int64_t perGroup = int64_t(rows) * k.getSubgroups();
    k.setGrid(0, (linear.weightRows + perGroup - 1) / perGroup);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, 1));
    x = k.getInput("x");
    experts = k.getInput("experts");
    weight = k.getInput("weight");
    out = getLinearOutput(k, linear, rows);
    lane = k.getLane();
    firstRow = (k.getGroup(0) * double(k.getSubgroups()) + k.getSubgroup()) *
               double(rows);
    return Status::ok();
  }

  /// Calls `body` in the subgroups that have rows.
  void guard(llvm::function_ref<void()> body) {
    k.guard(
        linear.weightRows % (int64_t(rows) * k.getSubgroups()) != 0,
        [&] { return firstRow < double(linear.weightRows); }, body);
  }

  /// This lane's share of the products of input row `pair` with the rows of
  /// the expert of `choice`.
  Expressions multiply(Expression input, Expression choice) {
    Expression expert =
        toIndex(min(experts.read(choice), k.i32(k.dim("E") - 1)));
    WeightRows chosen =
        getWeightRows(k, linear, weight, firstRow, rows).ofMatrix(expert);
    return accumulateShares(k, x, chosen, linear.octets(),
                            {input * double(linear.octets())});
  }

  /// Adds the lanes' shares and stores them as outputs of row `output`.
  void store(Expression output, Expressions products) {
    products = sumShares(k, products, 1);
    k.when(lane == 0,
           [&] { storeOutputs(k, linear, out, output, firstRow, products); });
  }

  unsigned getRows() const { return rows; }

private:
  KernelBuilder &k;
  Linear linear;
  unsigned rows;
  InputBuffer x, experts, weight;
  OutputBuffer out;
  Expression lane, firstRow;
};

} // namespace

/// Sets what the kernel computes and reads: the weights of as many experts as a
/// step can choose.
static void setCosts(KernelBuilder &k, const Linear &linear,
                     PanelInputs inputs) {
  k.flops = 2 * uint64_t(linear.tokens) * k.dim("K") * linear.inputs *
            linear.weightRows;
  uint64_t chosen = std::min(k.dim("E"), k.dim("T") * k.dim("K"));
  k.idealBytes = k.getArgument("weight").getBytes() / k.dim("E") * chosen +
                 k.getArgument("out").getBytes();
  if (inputs == PanelInputs::Floats)
    k.idealBytes += k.getArgument("x").getBytes();
  else
    k.idealBytes +=
        k.getArgument("codes").getBytes() + k.getArgument("factors").getBytes();
}

/// Whether to build the form whose lanes own rows.
static Result<bool> checkExperts(const KernelBuilder &k, const Linear &linear,
                                 PanelInputs inputs) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "C", 8));
  QUERN_RETURN_IF_ERROR(checkMatrices(k, "weight", linear.weightRows));
  if (k.getType("out") != DataType::F32)
    QUERN_RETURN_IF_ERROR(requireMultiple(k, "N", 8));
  QUERN_ASSIGN_OR_RETURN(bool inPanels, hasPanels(k, linear, inputs));
  if (inputs == PanelInputs::Floats)
    return inPanels;
  QUERN_RETURN_IF_ERROR(checkCodes(k, linear.inputs));
  return true;
}

static Status buildRows(KernelBuilder &k, PanelInputs inputs) {
  Linear linear{k.dim("T"), k.dim("C"), k.dim("W"), LinearEpilogue::None};
  QUERN_ASSIGN_OR_RETURN(linear.epilogue, readLinearEpilogue(k));
  QUERN_RETURN_IF_ERROR(checkOutputs(k, linear));
  QUERN_ASSIGN_OR_RETURN(bool ownsRow, checkExperts(k, linear, inputs));
  setCosts(k, linear, inputs);
  if (ownsRow)
    return buildPanelExpertRows(k, linear, inputs);
  int64_t slots = k.dim("K");
  ExpertRowsBuilder builder(k, linear);
  QUERN_RETURN_IF_ERROR(builder.begin());
  k.setGrid(2, slots);
  Expression token = k.getGroup(1);
  Expression pair = token * double(slots) + k.getGroup(2);
  builder.guard([&] { builder.store(pair, builder.multiply(token, pair)); });
  return Status::ok();
}

static Status buildSum(KernelBuilder &k, PanelInputs inputs) {
  Linear linear{k.dim("T"), k.dim("C"), k.dim("N"), LinearEpilogue::None};
  QUERN_ASSIGN_OR_RETURN(bool ownsRow, checkExperts(k, linear, inputs));
  setCosts(k, linear, inputs);
  if (ownsRow)
    return buildPanelExpertSum(k, linear, inputs);
  int64_t slots = k.dim("K");
  ExpertRowsBuilder builder(k, linear);
  QUERN_RETURN_IF_ERROR(builder.begin());
  InputBuffer weights = k.getScalarInput("weights");
  Expression token = k.getGroup(1);
  builder.guard([&] {
    Expressions zeros(builder.getRows(), k.f32(0));
    Expressions sums =
        k.loop(k.index(0), k.index(slots), 1, zeros,
               [&](Expression slot, llvm::ArrayRef<Expression> carried) {
                 Expression pair = token * double(slots) + slot;
                 Expressions products = builder.multiply(pair, pair);
                 Expression scale = weights.read(pair);
                 for (size_t r = 0; r != products.size(); ++r)
                   products[r] = fma(products[r], scale, carried[r]);
                 return products;
               });
    builder.store(token, sums);
  });
  return Status::ok();
}

Status quern::buildExpertRows(KernelBuilder &k) {
  return buildRows(k, PanelInputs::Floats);
}
Status quern::buildIntegerExpertRows(KernelBuilder &k) {
  return buildRows(k, PanelInputs::Codes);
}
Status quern::buildExpertSum(KernelBuilder &k) {
  return buildSum(k, PanelInputs::Floats);
}
Status quern::buildIntegerExpertSum(KernelBuilder &k) {
  return buildSum(k, PanelInputs::Codes);
}
