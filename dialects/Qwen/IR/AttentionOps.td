//===- AttentionOps.td - paged cache and attention ---------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_ATTENTIONOPS_TD
#define QUERN_DIALECTS_QWEN_IR_ATTENTIONOPS_TD

include "dialects/Qwen/IR/StructureOps.td"

// Reads or writes the states it names.
class Qwen_StateAccessOp<string mnemonic, list<Trait> traits = []>
    : Qwen_Op<mnemonic, !listconcat(traits,
          [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
           DeclareOpInterfaceMethods<SymbolUserOpInterface>,
           DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface,
                                     ["getTokenOperands"]>])>;

def Qwen_CacheAppendOp : Qwen_StateAccessOp<"cache_append"> {
  let summary = "stores keys and values of a step's tokens";
  let description = [{
    For every token t with p = positions[t], head h and page = page_table[
    slots[t]][p / page_size]: key_cache[page, h, p mod page_size] = k[t, h] and
    value_cache[page, h, p mod page_size] = v[t, h]. What a head reads of a page
    is contiguous. Values are stored as they are, or rounded to codes if a cache
    has int8 rows. Two tokens of a step never share slot and position.

    Example:
    ```mlir
    qwen.cache_append @k_cache, @v_cache, %k, %v, %slots, %positions, %page_table
        : tensor<?x2x32xbf16>, tensor<?x2x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<4x16xi32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$key_cache,
                       FlatSymbolRefAttr:$value_cache, Qwen_Heads:$k,
                       Qwen_Heads:$v, Qwen_TokenIntegers:$slots,
                       Qwen_TokenIntegers:$positions,
                       Qwen_PageTable:$page_table);
  let assemblyFormat = "$key_cache `,` $value_cache `,` operands attr-dict `:` "
                       "type(operands)";
  let hasVerifier = 1;
}

def Qwen_AttentionOp : Qwen_StateAccessOp<"attention",
    [AllTypesMatch<["q", "result"]>]> {
  let summary = "causal grouped-query attention over the paged cache";
  let description = [{
    Token t attends to positions 0..positions[t] of its slot (all tokens of the
    step have been appended). With g = h / (Hq / Hk): score[p] = scale *
    sum_d q[t, h, d] * key[p, g, d]; result[t, h, :] = sum_p softmax(score)[p] *
    value[p, g, :]. Scores, softmax and sums are f32. With a gate [T, N] the
    result is multiplied by sigmoid(gate[t, gate_offset + h * D + d]) before it
    is rounded (formed by graph passes; see qwen.sigmoid_gate).

    Example:
    ```mlir
    %1 = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %page_table {scale = 0.125}
        : tensor<?x4x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<4x16xi32>
    ```
  }];
  let arguments = (ins Qwen_Heads:$q, Optional<Qwen_Activation>:$gate,
                       FlatSymbolRefAttr:$key_cache,
                       FlatSymbolRefAttr:$value_cache,
                       Qwen_TokenIntegers:$slots, Qwen_TokenIntegers:$positions,
                       Qwen_PageTable:$page_table, F64Attr:$scale,
                       DefaultValuedAttr<ConfinedAttr<I64Attr,
                           [IntNonNegative]>, "0">:$gate_offset);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$q,
      "::mlir::FlatSymbolRefAttr":$key_cache,
      "::mlir::FlatSymbolRefAttr":$value_cache, "::mlir::Value":$slots,
      "::mlir::Value":$positions, "::mlir::Value":$page_table,
      "::mlir::FloatAttr":$scale),
      [{ build($_builder, $_state, result, q, ::mlir::Value(), key_cache,
               value_cache, slots, positions, page_table, scale); }]>];
  let results = (outs Qwen_Heads:$result);
  let assemblyFormat = "$q `,` $key_cache `,` $value_cache `,` $slots `,` "
                       "$positions `,` $page_table "
                       "(`gate` $gate^ `:` type($gate))? attr-dict `:` type($q) "
                       "`,` type($slots) `,` type($positions) `,` "
                       "type($page_table)";
  let hasVerifier = 1;
}

def Qwen_SigmoidGateOp : Qwen_Op<"sigmoid_gate",
    [Pure, AllTypesMatch<["x", "result"]>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "the output gate of an attention";
  let description = [{
    result[t, i] = x[t, i] * sigmoid(gate[t, i]) with sigmoid(z) = 1 / (1 +
    exp(-z)). Gated attention puts it in front of o_proj.

    Example:
    ```mlir
    %1 = qwen.sigmoid_gate %0, %gate : tensor<?x128xbf16>, tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, Qwen_Activation:$gate);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $gate attr-dict `:` type($x) `,` type($gate)";
  let hasVerifier = 1;
}

def Qwen_QkNormRopeAppendOp : Qwen_StateAccessOp<"qk_norm_rope_append"> {
  let summary = "norm and rotation of queries and keys, cache append";
  let description = [{
    qkv holds per token Hq query heads, Hk key heads and Hk value heads of D
    features. q = rope(rms_norm(queries, q_norm), table), k =
    rope(rms_norm(keys, k_norm), table); k and the values are appended as by
    qwen.cache_append, q is the result. Between norm and rotation nothing is
    rounded: only q, k and v are, once (k to codes if its cache has int8
    rows). With `gated`, Hq gate heads stand
    between the queries and the keys and are left alone. Formed by graph passes.

    Example:
    ```mlir
    %q = qwen.qk_norm_rope_append %qkv, %table, %slots, %positions, %page_table,
        @q_norm.weight, @k_norm.weight, @k_cache, @v_cache
        {num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6}
        : tensor<?x256xbf16>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<4x16xi32>
        -> tensor<?x4x32xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$qkv, Qwen_RopeTable:$table,
                       Qwen_TokenIntegers:$slots, Qwen_TokenIntegers:$positions,
                       Qwen_PageTable:$page_table, FlatSymbolRefAttr:$q_norm,
                       FlatSymbolRefAttr:$k_norm, FlatSymbolRefAttr:$key_cache,
                       FlatSymbolRefAttr:$value_cache,
                       ConfinedAttr<I64Attr, [IntPositive]>:$num_heads,
                       ConfinedAttr<I64Attr, [IntPositive]>:$num_kv_heads,
                       F64Attr:$epsilon,
                       UnitAttr:$unit_offset, UnitAttr:$gated);
  let results = (outs Qwen_Heads:$result);
  let assemblyFormat = "$qkv `,` $table `,` $slots `,` $positions `,` "
                       "$page_table `,` $q_norm `,` $k_norm `,` $key_cache "
                       "`,` $value_cache attr-dict `:` type(operands) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

#endif
