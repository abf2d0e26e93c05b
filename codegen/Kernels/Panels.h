//===- Panels.h - Weight panels and their products --------------*- C++ -*-===//
//
// A panel is as many weight rows as a subgroup has lanes: a lane owns a row,
// inputs are the same in all lanes, and nothing is summed across lanes. A
// workgroup is one subgroup.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_PANELS_H
#define QUERN_CODEGEN_KERNELS_PANELS_H

#include "codegen/Kernels/Linear.h"

#include <memory>

namespace quern {

/// What the weights are multiplied with.
enum class PanelInputs : uint8_t {
  Floats, ///< Argument x.
  Codes,  ///< Arguments codes and factors (qwen.quantize_activations).
};

/// Inputs and panels whose products are summed at once.
struct RegisterTile {
  int64_t tokens, width;
};
RegisterTile getRegisterTile(const TargetDescription &target,
                             PanelInputs inputs);

/// Products of input rows with panels of the argument "weight", which holds one
/// matrix or several, each of `linear.weightRows` rows.
class PanelProducts {
public:
  virtual ~PanelProducts() = default;
  /// products[t * panels.size() + p], one row in each lane; tokens count input
  /// rows. Of the last panel of a matrix some lanes may have no row: their
  /// products are those of the last one.
  virtual Expressions compute(llvm::ArrayRef<Expression> tokens,
                              Expression matrix,
                              llvm::ArrayRef<Expression> panels) = 0;

  /// Set if each weight is read once, so that it comes from memory: it is asked
  /// for ahead, where the target says so.
  bool readsFromMemory = false;
};

/// Where a step reads `count` words of each lane of a panel from `index` on,
/// asks for those of the step that is at most `bytesAhead` further; of none if
/// that is less than a step.
void prefetchAhead(const InputBuffer &weight, Expression index, int64_t count,
                   int64_t lanes, int64_t bytesAhead);
std::unique_ptr<PanelProducts> createDensePanelProducts(KernelBuilder &k,
                                                        const Linear &linear);
std::unique_ptr<PanelProducts> createIntegerPanelProducts(KernelBuilder &k,
                                                          const Linear &linear);
std::unique_ptr<PanelProducts>
createPanelProducts(KernelBuilder &k, const Linear &linear, PanelInputs inputs);

/// Whether the kernel's weights lie in panels: not, or an error, if they can't
/// be read so.
Result<bool> hasPanels(const KernelBuilder &k, const Linear &linear,
                       PanelInputs inputs);

/// InvalidArgument or Unsupported unless the arguments codes and factors and an
/// encoded weight of `inputs` columns make products.
Status checkCodes(const KernelBuilder &k, int64_t inputs);

/// The panels of a matrix that a workgroup computes, and their outputs.
class PanelColumns {
public:
  /// `width` panels for each workgroup, at most as many as there are.
  PanelColumns(KernelBuilder &k, const Linear &linear, int64_t width);

  /// Workgroups that cover all panels.
  int64_t getGroups() const { return (panels + width - 1) / width; }
  /// Sets `numbers` for workgroup `group`: neighbours, or `apart`, far from
  /// each other. Consecutive workgroups then read several streams, each of them
  /// sequential, which memory serves faster than one.
  void place(Expression group, bool apart);
  /// The output in the units that `store` writes.
  OutputBuffer getOutput();
  /// Stores the products of one output row, if there is such a row. `mayEnd`:
  /// there may be none.
  void store(const OutputBuffer &out, Expression row, bool mayEnd,
             llvm::function_ref<Expression()> isRow,
             llvm::ArrayRef<Expression> products);

  int64_t width;
  Expressions numbers; ///< What lies behind the last is the last.

private:
  void storePanel(const OutputBuffer &out, Expression row, Expression panel,
                  Expression product);
  /// Whether a row of two neighbours is stored at once: lanes then have outputs
  /// of two weight rows each.
  bool storesPairs() const;
  void storePair(const OutputBuffer &out, Expression row,
                 llvm::ArrayRef<Expression> products);

  KernelBuilder &k;
  Linear linear;
  int64_t lanes, panels;
  bool areApart = false;
  Expressions wanted; ///< May lie behind the last.
};

/// linear for tiles of tokens and panels.
Status buildPanelLinear(KernelBuilder &k, const Linear &linear,
                        PanelInputs inputs);

/// The families of experts. `linear.tokens` counts tokens, of tiles pairs.
Status buildPanelExpertRows(KernelBuilder &k, const Linear &linear,
                            PanelInputs inputs);
Status buildPanelExpertSum(KernelBuilder &k, const Linear &linear,
                           PanelInputs inputs);
Status buildPanelExpertTiles(KernelBuilder &k, const Linear &linear,
                             PanelInputs inputs);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_PANELS_H
