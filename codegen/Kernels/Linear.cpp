//===- Linear.cpp - linear: which variant, and the epilogues --------------===//
#include "codegen/Kernels/Linear.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/MatrixTiles.h"
#include "codegen/Kernels/Panels.h"

using namespace quern;

/// Up to this many tokens the weights are read once.
static constexpr int64_t maxTokensOfRows = 8;

Expressions quern::applyEpilogue(LinearEpilogue epilogue,
                                 llvm::ArrayRef<Expression> products) {
  if (epilogue == LinearEpilogue::None)
    return Expressions(products.begin(), products.end());
  Expressions outputs;
  for (size_t i = 0; i + 1 < products.size(); i += 2)
    outputs.push_back(silu(products[i]) * products[i + 1]);
  return outputs;
}

unsigned quern::chooseRows(const KernelBuilder &k, const Linear &linear,
                           unsigned wanted) {
  bool isWide = k.getType("out") == DataType::F32;
  unsigned least = isWide ? linear.perOutput() : 2 * linear.perOutput();
  unsigned rows = std::max(wanted, least);
  // Only scalar stores can stop in the middle of a run.
  while (!isWide && rows > least && linear.weightRows % rows != 0)
    rows /= 2;
  return rows;
}

OutputBuffer quern::getLinearOutput(KernelBuilder &k, const Linear &linear,
                                    unsigned rows) {
  unsigned run = rows / linear.perOutput();
  if (linear.weightRows % rows != 0)
    run = 1;
  return k.getRunOutput("out", run);
}

void quern::storeOutputs(KernelBuilder &k, const Linear &linear,
                         const OutputBuffer &out, Expression token,
                         Expression row, llvm::ArrayRef<Expression> products) {
  Expressions outputs = applyEpilogue(linear.epilogue, products);
  Expression first = row / double(linear.perOutput());
  Expression base = token * double(linear.outputs());
  if (linear.weightRows % int64_t(products.size()) == 0)
    return out.writeRun(base + first, outputs);
  for (size_t i = 0; i != outputs.size(); ++i)
    k.when(first + double(i) < double(linear.outputs()),
           [&] { out.writeRun(base + first + double(i), outputs[i]); });
}

Result<LinearEpilogue> quern::readLinearEpilogue(const KernelBuilder &k) {
  QUERN_ASSIGN_OR_RETURN(std::string epilogue, k.getString("epilogue", "none"));
  if (epilogue == "swiglu")
    return LinearEpilogue::Swiglu;
  if (epilogue == "none")
    return LinearEpilogue::None;
  return invalidArgument("config member epilogue is neither \"none\" nor "
                         "\"swiglu\"");
}

Status quern::checkOutputs(const KernelBuilder &k, const Linear &linear) {
  if (linear.weightRows == k.dim("N") * linear.perOutput())
    return Status::ok();
  return invalidArgument(
      "the weight has " + std::to_string(linear.weightRows) + " rows for " +
      std::to_string(k.dim("N")) + " outputs and epilogue " +
      (linear.epilogue == LinearEpilogue::Swiglu ? "swiglu" : "none"));
}

Status quern::buildLinear(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "K", 8));
  Linear linear{k.dim("T"), k.dim("K"), k.dim("W"), LinearEpilogue::None};
  QUERN_ASSIGN_OR_RETURN(linear.epilogue, readLinearEpilogue(k));
  QUERN_RETURN_IF_ERROR(checkOutputs(k, linear));
  if (k.getType("out") != DataType::F32)
    QUERN_RETURN_IF_ERROR(requireMultiple(k, "N", 8));
  k.flops = 2 * uint64_t(linear.tokens) * linear.inputs * linear.weightRows;
  QUERN_ASSIGN_OR_RETURN(bool inPanels,
                         hasPanels(k, linear, PanelInputs::Floats));
  if (inPanels)
    return buildPanelLinear(k, linear, PanelInputs::Floats);
  if (linear.tokens <= maxTokensOfRows)
    return buildLinearRows(k, linear);
  if (std::optional<DataType> element = chooseMatrixElement(k, linear))
    return buildLinearMatrix(k, linear, *element);
  return buildLinearTiles(k, linear);
}
