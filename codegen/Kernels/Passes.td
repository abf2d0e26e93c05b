//===- Passes.td - Passes on kernel functions ------------*- tablegen -*-===//
#ifndef QUERN_CODEGEN_KERNELS_PASSES_TD
#define QUERN_CODEGEN_KERNELS_PASSES_TD

include "mlir/Pass/PassBase.td"

def ExpandBytesPass : Pass<"kernel-expand-bytes"> {
  let summary = "Makes accesses and products of less than words ones of words";
  let description = [{
    For targets without instructions for them: `kernel.read_half` reads the word
    and takes one of its halves; `kernel.byte_dot` shifts the bytes out of the
    words, multiplies and adds them.

    Before:
    ```mlir
    %scale = kernel.read_half %buffer[%i] : memref<?xi32>
    ```
    After:
    ```mlir
    %word = arith.divui %i, %c2 : index
    %pair_bits = kernel.read %buffer[%word] : memref<?xi32>
    %pair = kernel.unpack_half %pair_bits : i32 -> vector<2xf32>
    ```
    and a select between its two components.

    Requires: nothing. Guarantees: neither op is left. Numerics: unchanged.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::vector::VectorDialect"];
  let statistics = [
    Statistic<"numExpanded", "num-expanded", "Ops expanded">
  ];
}

#endif // QUERN_CODEGEN_KERNELS_PASSES_TD
