//===- ExpertTiles.h - Tiles of sorted pairs --------------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_KERNELS_EXPERTTILES_H
#define QUERN_CODEGEN_KERNELS_EXPERTTILES_H

#include "codegen/Kernels/Linear.h"

namespace quern {

/// The sizes that tiles of up to M rows can have, largest first: M, M / 2, ...,
/// 1. All have room for M pairs; one of size s holds s / 2 + 1 to s of them, at
/// its start. The tiles of a size lie together, the sizes follow each other in
/// this order, and tile_ends[SIZES] has the end of each. Unsupported if M is no
/// power of two or larger than a subgroup.
Result<std::vector<int64_t>> getTileSizes(const KernelBuilder &k);

/// Tiles of at least so many rows are for matrix units.
inline constexpr int64_t leastMatrixTile = 16;

/// 16-bit inputs, tiles of at least leastMatrixTile rows: workgroups compute
/// them on matrix units.
Status buildExpertMatrix(KernelBuilder &k, const Linear &linear,
                         DataType element);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_EXPERTTILES_H
