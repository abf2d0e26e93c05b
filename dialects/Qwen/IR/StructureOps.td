//===- StructureOps.td - weights, states, shapes -----------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_STRUCTUREOPS_TD
#define QUERN_DIALECTS_QWEN_IR_STRUCTUREOPS_TD

include "dialects/Qwen/IR/QwenAttrs.td"
include "dialects/Qwen/IR/QwenInterfaces.td"
include "dialects/Qwen/IR/QwenTypes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Qwen_WeightOp : Qwen_Op<"weight", [Symbol]> {
  let summary = "a tensor of the checkpoint";
  let description = [{
    Declares a weight by name, shape and element type as stored, and says where
    its bytes lie: `file` relative to the checkpoint folder and the byte
    `offset` of its first element in that file. The values never enter the IR.
    A `transposed` weight is a stack of matrices whose last two dimensions lie
    in that file in the other order; its type is what ops see.
    With `as`, its elements are converted to that type before anything uses
    them: f16, bf16, f32, or !qwen.encoded for a matrix of whole groups
    (--qwen-quantize-weights).

    Example:
    ```mlir
    qwen.weight @model.norm.weight : tensor<64xbf16>
        from "model.safetensors" at 4096
    qwen.weight @lm_head.weight : tensor<512x64xbf16>
        from "model.safetensors" at 8192 as !qwen.encoded<"int8">
    qwen.weight @mlp.experts.down_proj : tensor<8x64x48xbf16>
        from "model.safetensors" at 73728 transposed
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<Qwen_StaticTensor>:$type,
                       StrAttr:$file,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$offset,
                       UnitAttr:$transposed,
                       OptionalAttr<TypeAttr>:$stored);
  let assemblyFormat = [{
    $sym_name `:` $type `from` $file `at` $offset (`transposed` $transposed^)?
    (`as` $stored^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The element type that ops see: the stored one if there is one.
    ::mlir::Type getStoredElementType() {
      return getStored().value_or(getTensorType().getElementType());
    }
    ::mlir::RankedTensorType getTensorType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getType());
    }
    /// The shape of the tensor in the file.
    ::llvm::SmallVector<int64_t> getFileShape();
  }];
}

def Qwen_StateOp : Qwen_Op<"state", [Symbol]> {
  let summary = "a mutable buffer that lives from step to step";
  let description = [{
    `key_cache` and `value_cache` are paged: tensor<pages x Hk x page_size x D>.
    Token p of slot s lies in rows p mod page_size of page
    page_table[s][p / page_size]. The states of a gated delta net are per slot
    (qwen.gated_delta_rule, qwen.causal_conv1d): `recurrent`
    tensor<slots x Hv x Dk x Dv>, `convolution` tensor<slots x ring x channels>,
    `delta_keys` tensor<slots x ring x Hk x Dk>, `delta_updates`
    tensor<slots x ring x Hv x Dv> and `delta_decays` tensor<slots x ring x Hv>;
    position p lies in row p mod ring. All of them but `convolution` are f32.
    Caches have the type of activations or are int8 codes with a scale for each
    row (!qwen.int8_rows, see --qwen-quantize-kv-cache). A state is all zeros
    before the first step.

    Example:
    ```mlir
    qwen.state @layers.0.self_attn.k_cache key_cache : tensor<64x2x16x32xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Qwen_StateKindAttr:$kind,
                       TypeAttrOf<Qwen_StateTensor>:$type);
  let assemblyFormat = "$sym_name $kind `:` $type attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getType());
    }
  }];
}

def Qwen_SplitHeadsOp : Qwen_Op<"split_heads",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "views features as heads";
  let description = [{
    result[t, h, d] = x[t, h*D + d]. No number changes.

    Example:
    ```mlir
    %1 = qwen.split_heads %0 : tensor<?x128xf32> -> tensor<?x4x32xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x);
  let results = (outs Qwen_Heads:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Qwen_MergeHeadsOp : Qwen_Op<"merge_heads",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "views heads as features";
  let description = [{
    result[t, h*D + d] = x[t, h, d]. No number changes. Folds away over the
    qwen.split_heads that it undoes.

    Example:
    ```mlir
    %1 = qwen.merge_heads %0 : tensor<?x4x32xf32> -> tensor<?x128xf32>
    ```
  }];
  let arguments = (ins Qwen_Heads:$x);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Qwen_SliceFeaturesOp : Qwen_Op<"slice_features",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "a range of the features";
  let description = [{
    result[t, i] = x[t, offset + i]. No number changes. Folds away if it takes
    all features.

    Example:
    ```mlir
    %1 = qwen.slice_features %0 offset 128 : tensor<?x256xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$offset);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat =
      "$x `offset` $offset attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Qwen_ConcatFeaturesOp : Qwen_Op<"concat_features",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "the features of two tensors side by side";
  let description = [{
    result[t, i] = a[t, i] for i < N, b[t, i - N] from there on, with N the
    features of a. No number changes.

    Example:
    ```mlir
    %2 = qwen.concat_features %0, %1 : tensor<?x64xbf16>, tensor<?x64xbf16> -> tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$a, Qwen_Activation:$b);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` type(operands) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

def Qwen_SelectRowsOp : Qwen_Op<"select_rows",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface,
                                     ["getTokenOperands"]>]> {
  let summary = "the rows whose logits are wanted";
  let description = [{
    result[r, :] = x[rows[r], :] with 0 <= rows[r] < T; other values of rows
    give undefined numbers. The row dimension of the result is that of `rows`.

    Example:
    ```mlir
    %1 = qwen.select_rows %0, %rows : tensor<?x64xf32>, tensor<?xi32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, Qwen_TokenIntegers:$rows);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $rows attr-dict `:` type(operands) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

#endif
