//===- NormOps.td - normalisation and the residual stream --*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_NORMOPS_TD
#define QUERN_DIALECTS_QWEN_IR_NORMOPS_TD

include "dialects/Qwen/IR/StructureOps.td"

def Qwen_RmsNormOp : Qwen_Op<"rms_norm",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "root-mean-square norm over the last dimension";
  let description = [{
    result[.., i] = x[.., i] * rsqrt(mean_j x[.., j]^2 + epsilon) * w[i], with
    w[i] = weight[i], or 1 + weight[i] with `unit_offset`. Statistics and
    products are f32. Takes the residual stream [T, H] or heads [T, heads, D]
    (then each head is normed with the same weight [D]).

    Example:
    ```mlir
    %1 = qwen.rms_norm %0, @model.norm.weight {epsilon = 1.0e-6} : tensor<?x64xf32> -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins AnyTypeOf<[Qwen_Activation, Qwen_Heads]>:$x,
                       FlatSymbolRefAttr:$weight, F64Attr:$epsilon,
                       UnitAttr:$unit_offset);
  let results = (outs AnyTypeOf<[Qwen_Activation, Qwen_Heads]>:$result);
  let assemblyFormat = "$x `,` $weight attr-dict `:` type($x) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

def Qwen_ResidualAddOp : Qwen_Op<"residual_add",
    [Pure, AllTypesMatch<["residual", "result"]>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "adds a block's output to the residual stream";
  let description = [{
    result = residual + delta, in f32.

    Example:
    ```mlir
    %2 = qwen.residual_add %0, %1 : tensor<?x64xf32>, tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins Qwen_Residual:$residual, Qwen_Activation:$delta);
  let results = (outs Qwen_Residual:$result);
  let assemblyFormat = "$residual `,` $delta attr-dict `:` "
                       "type($residual) `,` type($delta)";
  let hasVerifier = 1;
}

def Qwen_AddRmsNormOp : Qwen_Op<"add_rms_norm",
    [Pure, AllTypesMatch<["residual", "sum"]>,
     DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "residual add and norm of the sum";
  let description = [{
    sum = residual + delta; normed = rms_norm(sum, weight): qwen.residual_add
    followed by qwen.rms_norm, number for number. Formed by graph passes.

    Example:
    ```mlir
    %sum, %n = qwen.add_rms_norm %0, %1, @model.norm.weight {epsilon = 1.0e-6}
        : tensor<?x64xf32>, tensor<?x64xbf16> -> tensor<?x64xf32>, tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins Qwen_Residual:$residual, Qwen_Activation:$delta,
                       FlatSymbolRefAttr:$weight, F64Attr:$epsilon,
                       UnitAttr:$unit_offset);
  let results = (outs Qwen_Residual:$sum, Qwen_Activation:$normed);
  let assemblyFormat = "$residual `,` $delta `,` $weight attr-dict `:` "
                       "type(operands) `->` type(results)";
  let hasVerifier = 1;
}

#endif
