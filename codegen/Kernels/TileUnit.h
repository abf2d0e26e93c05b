//===- TileUnit.h - Products on tile registers ------------------*- C++ -*-===//
//
// kernel.tile_products as expressions.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_TILEUNIT_H
#define QUERN_CODEGEN_KERNELS_TILEUNIT_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

/// Input rows of a tile, and weight rows of a panel.
inline constexpr int64_t kTileRows = 16;

enum class TileElement : uint8_t { Int8, BF16 };

/// Tiles of input rows. Sizes are in words.
struct InputTiles {
  Expression memory;
  Expressions starts;     ///< Of each tile.
  int64_t rowStride;      ///< From one row to the next.
  int64_t parts = 1;      ///< A row is the sum of so many.
  int64_t partStride = 0; ///< From one part to the next.
};

struct TilePanels {
  Expression memory;
  Expressions starts; ///< Of each panel.
  int64_t words;      ///< Of a row.
};

/// products[(tile * panels + panel) * kTileRows + row], in each lane that of a
/// weight row: exact i32 of codes, f32 of bf16 numbers.
Expressions multiplyTiles(TileElement element, const InputTiles &inputs,
                          const TilePanels &panels);

/// The numbers of an even-odd octet rounded to bf16, four words; `rest` becomes
/// what is left of them.
Expression takeBFloats(Octet &rest);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_TILEUNIT_H
