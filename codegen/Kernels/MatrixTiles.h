//===- MatrixTiles.h - Tiles of a product on matrix units -------*- C++ -*-===//
#ifndef QUERN_CODEGEN_KERNELS_MATRIXTILES_H
#define QUERN_CODEGEN_KERNELS_MATRIXTILES_H

#include "codegen/Kernels/Linear.h"
#include "codegen/Kernels/MatrixUnit.h"

#include <optional>

namespace quern {

/// What a workgroup computes of a linear layer: tokens x weight rows, inputs in
/// steps. Powers of two.
struct MatrixTile {
  unsigned tokens, rows;
  unsigned subgroupTokens; ///< Of the tile of a subgroup.

  static constexpr unsigned depth = TargetDescription::mmaDepth;
  static constexpr unsigned subgroupRows = 32;
  /// Weight rows in a row whose products a lane gets.
  static constexpr unsigned rowsPerLane = 4;

  unsigned subgroups() const {
    return tokens / subgroupTokens * (rows / subgroupRows);
  }
};

/// The largest tile up to the target's that wastes no more than half of its
/// tokens, and that leaves work for every multiprocessor.
MatrixTile chooseMatrixTile(const TargetDescription &target,
                            const Linear &linear);

/// The type in which matrix units multiply, that of the inputs; nothing if the
/// target has none, or if they would round what other kernels do not.
std::optional<DataType> chooseMatrixElement(const KernelBuilder &k,
                                            const Linear &linear);

/// The product of a tile of inputs with a tile of weights by the lanes of a
/// workgroup. Several steps are under way at a time, from memory to workgroup
/// memory, and from there to registers. Weights that are encoded are multiplied
/// as codes, which are exact, and the sums of a group by its scale.
class MatrixProduct {
public:
  /// Sets the subgroups of the workgroup.
  MatrixProduct(KernelBuilder &k, const Linear &linear, const MatrixTile &tile,
                DataType element);

  /// Which row of its buffer a token or the first of `count` weight rows of the
  /// tile is, by its number there.
  using Place = llvm::function_ref<Expression(Expression, unsigned count)>;
  /// Takes a token and the first of four weight rows of the tile, and their
  /// products.
  using Store =
      llvm::function_ref<void(Expression, Expression, const Expressions &)>;
  void build(Place tokenPlace, Place rowPlace, Store store);

private:
  /// A turn of the loop; stages are offsets in workgroup memory.
  struct Turn {
    Expression step, used, following;
  };
  /// Rows that are copied; this lane's units begin at `octets`.
  struct Copied {
    InputBuffer buffer;
    unsigned slots = 0, firstUnit = 0;
    Expressions octets;
  };
  /// Scales and minima of the weight rows whose products this lane has.
  struct Factors {
    Expressions scales, minima;
  };

  Copied prepareCopies(std::string_view name, unsigned slots,
                       unsigned firstUnit, Place place);
  void copy(const Copied &copied, Expression step, Expression stage);
  void copyStep(Expression step, Expression stage);

  void prepareCodes(Place rowPlace);
  Expressions readCodes(Expression group);
  void writeCodes(llvm::ArrayRef<Expression> codes, Expression stage);
  Factors readFactors(Expression group);

  Expressions multiplyTurn(const Turn &turn, llvm::ArrayRef<Expression> sums,
                           Factors &factors);
  /// Adds the products of a stage to sums of fragments [tokens, rows]; `totals`
  /// gets the sums of the inputs of each fragment of tokens if there are some.
  void multiplyStage(Expression stage, Expressions &sums, Expressions *totals);

  /// Calls body(i, unit) for the units of so many slots that this lane has.
  void forUnits(unsigned slots,
                llvm::function_ref<void(size_t, Expression)> body);
  Expression getUnit(Expression slot, Expression chunk);
  /// A word of the weight as a pair of `element`.
  Expression convert(Expression word);
  double getStageUnits() const;

  KernelBuilder &k;
  int64_t octets, inputs, steps;
  MatrixTile tile;
  unsigned stages;
  DataType element, weightType;
  const EncodingInfo *encoding = nullptr;
  WorkgroupVectors memory;
  Expression lane, thread, subgroupToken, subgroupRow;
  Copied tokens, rows;
  llvm::SmallVector<WeightRows, 4> codeRows, factorRows;
};

/// Many tokens, 16-bit inputs: workgroups compute tiles on matrix units.
Status buildLinearMatrix(KernelBuilder &k, const Linear &linear,
                         DataType element);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_MATRIXTILES_H
