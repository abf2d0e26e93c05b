//===- GluOps.td - gated linear units ----------------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_GLUOPS_TD
#define QUERN_DIALECTS_QWEN_IR_GLUOPS_TD

include "dialects/Qwen/IR/StructureOps.td"

def Qwen_SwigluOp : Qwen_Op<"swiglu",
    [Pure, SameOperandsAndResultType,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "gate activation times up";
  let description = [{
    result[t, i] = silu(gate[t, i]) * up[t, i] with silu(z) = z / (1 + exp(-z)).

    Example:
    ```mlir
    %2 = qwen.swiglu %0, %1 : tensor<?x192xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$gate, Qwen_Activation:$up);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($result)";
}

def Qwen_LinearSwigluOp : Qwen_Op<"linear_swiglu",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "gate and up products with SwiGLU";
  let description = [{
    result[t, i] = silu(sum_k x[t, k] gate[i, k]) * (sum_k x[t, k] up[i, k]).
    The two sums stay f32: they are not rounded to the compute type as the
    results of two qwen.linear would be. Formed by graph passes.

    Example:
    ```mlir
    %1 = qwen.linear_swiglu %0, @gate_proj.weight, @up_proj.weight : tensor<?x64xbf16> -> tensor<?x192xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, FlatSymbolRefAttr:$gate,
                       FlatSymbolRefAttr:$up);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $gate `,` $up attr-dict `:` type($x) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

#endif
