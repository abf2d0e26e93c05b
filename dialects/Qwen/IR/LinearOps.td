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

    `parts` has one list for each weight. An empty one leaves its rows as they
    are. Else the rows are groups of sum(list) rows, each of which holds a part
    of list[0] rows, one of list[1] rows, and so on; in W all first parts stand
    in front of all second parts: [q0 | g0 | q1 | g1] becomes [q0 | q1 | g0 | g1].

    Example:
    ```mlir
    %1 = qwen.linear %0, [@q_proj.weight, @k_proj.weight] : tensor<?x64xbf16> -> tensor<?x192xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, FlatSymbolRefArrayAttr:$weights,
                       OptionalAttr<TypedArrayAttrBase<DenseI64ArrayAttr,
                           "array of lists of rows">>:$parts);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$x,
                                 "::mlir::ArrayAttr":$weights),
      [{ build($_builder, $_state, result, x, weights, ::mlir::ArrayAttr()); }]>];
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $weights (`parts` $parts^)? attr-dict `:` type($x) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

#endif
