//===- PackPanels.cpp - Weights of linear layers in panels ----------------===//
#include "dialects/Exec/IR/ExecOps.h"
#include "passes/Passes.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_PACKPANELSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {

/// The kernels that read a weight, and the rows that its matrices have for
/// them.
struct Readers {
  llvm::SmallSetVector<exec::KernelOp, 4> kernels;
  llvm::SmallSetVector<int64_t, 2> matrixRows;
};

class PackPanels : public quern::impl::PackPanelsPassBase<PackPanels> {
public:
  using PackPanelsPassBase::PackPanelsPassBase;

  void runOnOperation() override;

private:
  void collectReaders();
  bool fits(exec::WeightOp weight, const Readers &readers) const;
  /// Keeps row-major what a kernel reads that has to read another weight so.
  void dropMixed();

  llvm::MapVector<exec::WeightOp, Readers> weights;
  llvm::SetVector<exec::WeightOp> packed;
};

} // namespace

/// Whether kernels of this family multiply with weights of this kind in panels.
static bool multipliesPanels(exec::WeightOp weight, StringRef family) {
  bool isEncoded = qwen::getEncoding(weight.getTensorType().getElementType()) !=
                   Encoding::None;
  if (isEncoded && !family.consume_front("integer_"))
    return false;
  return family == "linear" || family == "expert_rows" ||
         family == "expert_sum" || family == "expert_tiles";
}

void PackPanels::collectReaders() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  module.walk([&](exec::DispatchOp dispatch) {
    auto kernel = symbols.lookup<exec::KernelOp>(dispatch.getKernel());
    for (auto [index, operand] : llvm::enumerate(dispatch.getOperands())) {
      auto reference = operand.getDefiningOp<exec::WeightRefOp>();
      if (!reference)
        continue;
      auto weight = symbols.lookup<exec::WeightOp>(reference.getWeight());
      if (!weight || weight.getTensorType().getRank() < 2)
        continue;
      Readers &readers = weights[weight];
      readers.kernels.insert(kernel);
      // A kernel may see a list of matrices as one, or as several.
      RankedTensorType seen = kernel.getArgument(index).getTensor();
      readers.matrixRows.insert(
          seen.getRank() < 2 ? 1 : seen.getDimSize(seen.getRank() - 2));
    }
  });
}

bool PackPanels::fits(exec::WeightOp weight, const Readers &readers) const {
  RankedTensorType type = weight.getTensorType();
  auto multiplies = [&](exec::KernelOp kernel) {
    return multipliesPanels(weight, kernel.getFamily());
  };
  auto reads = [&](exec::KernelOp kernel) {
    return multiplies(kernel) || kernel.getFamily() == "embedding";
  };
  return type.getShape().back() % 8 == 0 &&
         llvm::all_of(readers.matrixRows,
                      [&](int64_t count) { return count % rows == 0; }) &&
         llvm::all_of(readers.kernels, reads) &&
         llvm::any_of(readers.kernels, multiplies);
}

void PackPanels::dropMixed() {
  bool changed = true;
  while (changed) {
    llvm::SmallPtrSet<Operation *, 8> rowMajor;
    for (auto &[weight, readers] : weights)
      if (!packed.contains(weight))
        rowMajor.insert(readers.kernels.begin(), readers.kernels.end());
    changed = packed.remove_if([&](exec::WeightOp weight) {
      return llvm::any_of(weights[weight].kernels, [&](exec::KernelOp kernel) {
        return rowMajor.contains(kernel);
      });
    });
  }
}

void PackPanels::runOnOperation() {
  if (rows < 0 || rows == 1) {
    getOperation().emitError()
        << "rows: expected 0 or at least 2, found " << rows.getValue();
    return signalPassFailure();
  }
  if (rows == 0)
    return markAllAnalysesPreserved();
  weights.clear();
  packed.clear();
  collectReaders();
  for (auto &[weight, readers] : weights)
    if (fits(weight, readers))
      packed.insert(weight);
  dropMixed();
  Builder builder(&getContext());
  for (exec::WeightOp weight : packed) {
    weight.setPanels(rows);
    for (exec::KernelOp kernel : weights[weight].kernels) {
      NamedAttrList config(kernel.getConfig());
      config.set("weight_panels", builder.getI64IntegerAttr(rows));
      kernel.setConfigAttr(config.getDictionary(&getContext()));
    }
  }
  numWeights += packed.size();
}
