//===- LinearOps.td - products with weight matrices --------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_LINEAROPS_TD
#define QUERN_DIALECTS_QWEN_IR_LINEAROPS_TD

include "dialects/Qwen/IR/StructureOps.td"

def Qwen_LinearOp : Qwen_Op<"linear",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "product with one or more weight matrices";
  let description = [{
    result[t, n] = sum_k x[t, k] * W[n, k], where W [N, K] is the weights
    stacked in the order given. Sums are f32; the result is rounded once to its
    element type, which is that of x or f32 (logits).

    Example:
    ```mlir
    %1 = qwen.linear %0, [@q_proj.weight, @k_proj.weight] : tensor<?x64xbf16> -> tensor<?x192xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, FlatSymbolRefArrayAttr:$weights);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $weights attr-dict `:` type($x) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

#endif
