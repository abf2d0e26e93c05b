//===- EmbeddingOps.td - token embedding -------------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_EMBEDDINGOPS_TD
#define QUERN_DIALECTS_QWEN_IR_EMBEDDINGOPS_TD

include "dialects/Qwen/IR/StructureOps.td"

def Qwen_EmbeddingOp : Qwen_Op<"embedding",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "rows of the embedding table";
  let description = [{
    result[t, :] = f32(weight[ids[t], :]) with weight [V, H]. The residual
    stream starts here, so the result is f32 whatever the table's dtype. Ids
    outside 0..V-1 give undefined numbers; the host checks them.

    Example:
    ```mlir
    %0 = qwen.embedding %ids, @model.embed_tokens.weight : tensor<?xi32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Qwen_TokenIntegers:$ids, FlatSymbolRefAttr:$weight);
  let results = (outs Qwen_Residual:$result);
  let assemblyFormat = "$ids `,` $weight attr-dict `:` type($ids) `->` "
                       "type($result)";
}

#endif
