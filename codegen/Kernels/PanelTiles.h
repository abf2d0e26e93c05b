//===- PanelTiles.h - Panels times tiles of inputs --------------*- C++ -*-===//
//
// Linear layers of many tokens on CPUs with tile registers: tiles of 16 input
// rows are multiplied with panels (kernel.tile_products).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_PANELTILES_H
#define QUERN_CODEGEN_KERNELS_PANELTILES_H

#include "codegen/Kernels/Panels.h"

namespace quern {

/// Whether the target has tile registers and the layer enough tokens and
/// weights that fit them: bf16 numbers or int8 codes, in panels.
bool fitsTiles(const KernelBuilder &k, const Linear &linear,
               PanelInputs inputs);

/// linear and integer_linear. Floats are the sums of three bf16, which is exact
/// but for numbers below 2^-110; codes are exact.
Status buildTileLinear(KernelBuilder &k, const Linear &linear,
                       PanelInputs inputs);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_PANELTILES_H
