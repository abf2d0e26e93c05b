//===- RotaryOps.td - rotary position embedding ------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_ROTARYOPS_TD
#define QUERN_DIALECTS_QWEN_IR_ROTARYOPS_TD

include "dialects/Qwen/IR/StructureOps.td"

def Qwen_RopeTableOp : Qwen_Op<"rope_table",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "cosines and sines of a step's positions";
  let description = [{
    angle[t, j] = f32(positions[t]) * inverse_frequencies[j], rounded to f32
    before the cosine is taken; result[t, j] = cos(angle[t, j]) *
    attention_factor and result[t, RD/2 + j] = sin(angle[t, j]) *
    attention_factor for 0 <= j < RD/2, RD the rotary dimension. Scaling of the
    frequencies (YaRN) is in the numbers already.

    Example:
    ```mlir
    %0 = qwen.rope_table %positions {inverse_frequencies = dense<[1.0, 0.1]> : tensor<2xf32>} : tensor<?xi32> -> tensor<?x4xf32>
    ```
  }];
  let arguments = (ins Qwen_TokenIntegers:$positions,
                       ElementsAttr:$inverse_frequencies,
                       DefaultValuedAttr<F64Attr, "1.0">:$attention_factor);
  let results = (outs Qwen_RopeTable:$result);
  let assemblyFormat = "$positions attr-dict `:` type($positions) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

def Qwen_RopeOp : Qwen_Op<"rope",
    [Pure, AllTypesMatch<["x", "result"]>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "rotates heads by their position";
  let description = [{
    With c = table[t, j], s = table[t, RD/2 + j], a = x[t, h, j] and
    b = x[t, h, RD/2 + j] for 0 <= j < RD/2: result[t, h, j] = a*c - b*s and
    result[t, h, RD/2 + j] = b*c + a*s; entries from RD on pass through.

    Example:
    ```mlir
    %1 = qwen.rope %0, %table : tensor<?x4x32xbf16>, tensor<?x32xf32>
    ```
  }];
  let arguments = (ins Qwen_Heads:$x, Qwen_RopeTable:$table);
  let results = (outs Qwen_Heads:$result);
  let assemblyFormat = "$x `,` $table attr-dict `:` type($x) `,` type($table)";
  let hasVerifier = 1;
}

#endif
