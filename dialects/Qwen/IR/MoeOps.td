//===- MoeOps.td - mixtures of experts ---------------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_MOEOPS_TD
#define QUERN_DIALECTS_QWEN_IR_MOEOPS_TD

include "dialects/Qwen/IR/StructureOps.td"

// k numbers per token, one for each chosen expert.
def Qwen_ExpertChoices : Qwen_TokenTensor<[I32], 2, "slots">;
def Qwen_ExpertWeights : Qwen_TokenTensor<[F32], 2, "slots">;

def Qwen_RouterOp : Qwen_Op<"router",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "chooses the experts of each token";
  let description = [{
    p[t, :] = softmax over all E experts of sum_i x[t, i] gate[e, i], in f32
    from the products on. experts[t, 0..k) are the k experts with the greatest
    p in descending order, the lower index first of equals; weights[t, j] =
    p[t, experts[t, j]], with `normalize` divided by their sum over j. The
    weights are f32 whatever the compute type. k is the second dimension of
    the results, E that of the weight.

    Example:
    ```mlir
    %experts, %weights = qwen.router %x, @gate.weight {normalize} : tensor<?x64xbf16> -> tensor<?x2xi32>, tensor<?x2xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, FlatSymbolRefAttr:$gate,
                       UnitAttr:$normalize);
  let results = (outs Qwen_ExpertChoices:$experts, Qwen_ExpertWeights:$weights);
  let assemblyFormat = "$x `,` $gate attr-dict `:` type($x) `->` "
                       "type(results)";
  let hasVerifier = 1;
}

def Qwen_ExpertsOp : Qwen_Op<"experts",
    [Pure, AllTypesMatch<["x", "result"]>,
     DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "the weighted sum of the chosen experts";
  let description = [{
    With e = experts[t, j]:

    hidden[t, j, i] = silu(sum_n x[t, n] G[e, i, n]) * (sum_n x[t, n] G[e, I + i, n])
    result[t, n] = sum_j weights[t, j] sum_i hidden[t, j, i] D[e, n, i]

    `hidden` is rounded to the element type of x; the sum over the k slots is
    f32, in the order of the slots. G [E, 2I, H], the gate rows of each expert
    in front of its up rows, is one weight of that shape, or 2E matrices
    [I, H]: gate and up of expert 0, gate and up of expert 1, ... D [E, H, I]
    is one weight of that shape or E matrices [H, I]. An expert that does not
    exist gives undefined numbers.

    With `int8_activations`, all of whose weights are quantised, the numbers x
    and `hidden` are first rounded to those that qwen.quantize_activations of
    them stands for.

    `tile` says how the sum is computed, not what: absent, each (token, slot)
    reads its expert's weights; else the (token, slot) pairs are sorted by
    expert on the device and computed in tiles of that many rows. Set by
    --qwen-specialize-experts.

    Example:
    ```mlir
    %y = qwen.experts %x, %experts, %weights, [@gate_up_proj], [@down_proj] : tensor<?x64xbf16>, tensor<?x2xi32>, tensor<?x2xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, Qwen_ExpertChoices:$experts,
                       Qwen_ExpertWeights:$weights,
                       FlatSymbolRefArrayAttr:$gate_up,
                       FlatSymbolRefArrayAttr:$down,
                       OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$tile,
                       UnitAttr:$int8_activations);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $experts `,` $weights `,` $gate_up `,` $down "
                       "(`tile` $tile^)? (`int8_activations` "
                       "$int8_activations^)? attr-dict `:` type($x) `,` "
                       "type($experts) `,` type($weights)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// E and I, from the symbols of a verified op.
    struct Sizes {
      int64_t numExperts;
      int64_t intermediateSize;
    };
    Sizes getSizes(::mlir::SymbolTableCollection &symbols);
    /// The encodings of the gate and up weights and of the down weights of a
    /// verified op.
    std::pair<::quern::Encoding, ::quern::Encoding>
    getEncodings(::mlir::SymbolTableCollection &symbols);
  }];
}

def Qwen_ScaleBySigmoidOp : Qwen_Op<"scale_by_sigmoid",
    [Pure, AllTypesMatch<["x", "result"]>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "scales each token by the sigmoid of its gate";
  let description = [{
    result[t, i] = x[t, i] / (1 + exp(-gate[t, 0])): the shared expert. The
    gate is f32.

    Example:
    ```mlir
    %y = qwen.scale_by_sigmoid %x, %gate : tensor<?x64xbf16>, tensor<?x1xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, Qwen_Residual:$gate);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $gate attr-dict `:` type($x) `,` "
                       "type($gate)";
  let hasVerifier = 1;
}

#endif
