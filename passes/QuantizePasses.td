//===- QuantizePasses.td - Passes of the quantize phase ----*- tablegen -*-===//
#ifndef QUERN_PASSES_QUANTIZEPASSES_TD
#define QUERN_PASSES_QUANTIZEPASSES_TD

include "mlir/Pass/PassBase.td"

def QuantizeWeightsPass : Pass<"qwen-quantize-weights", "::mlir::ModuleOp"> {
  let summary = "Decides with which element type each weight is stored";
  let description = [{
    Says so at each qwen.weight; packing converts the numbers. What a weight is
    follows from the ops that read it: the embedding, the head (its product is
    sampled from), a router, a draft (read in a draft function), or a layer:
    every other product and the experts. A weight of two kinds, such as a tied
    embedding, takes the type of more bits; so do the weights of one product,
    which become one. What a checkpoint quantised comes with a type, which `keep`
    leaves alone unless the weights of one product differ.

    Before:
    ```mlir
    qwen.weight @embed : tensor<512x64xbf16> from "model.safetensors" at 0
    qwen.weight @down : tensor<64x192xbf16> from "model.safetensors" at 65536
    ```
    After, with weights=q4:
    ```mlir
    qwen.weight @embed : tensor<512x64xbf16> from "model.safetensors" at 0 as !qwen.encoded<"int8">
    qwen.weight @down : tensor<64x192xbf16> from "model.safetensors" at 65536 as !qwen.encoded<"q4">
    ```

    Requires: nothing; after fusion, so that it sees which weights become one.
    Guarantees: the weights of a qwen.linear, and of each of the two products of
    a qwen.experts, are stored with one type.
    Leaves alone: vectors, convolutions, A_log, the projections of gates
    (qwen.delta_gates, qwen.scale_by_sigmoid); matrices whose rows are no whole
    groups of 32, and experts whose rows are no multiple of 8.
    Numerics: weights are rounded to what their type can hold.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let options = [
    Option<"weights", "weights", "std::string", /*default=*/"",
           "Type of the layers' weights: keep, f32, bf16, f16 or an encoding of "
           "runtime/base/Encodings.inc">,
    Option<"embedding", "embedding", "std::string", /*default=*/"",
           "Likewise of the embedding; by default as `weights`, but int8 if "
           "that has fewer than 8 bits">,
    Option<"head", "head", "std::string", /*default=*/"",
           "Likewise of the head">,
    Option<"router", "router", "std::string", /*default=*/"",
           "Likewise of routers">,
    Option<"draft", "draft", "std::string", /*default=*/"",
           "Likewise of what draft functions alone read">
  ];
  let statistics = [
    Statistic<"numEncoded", "num-encoded", "Weights encoded in groups">,
    Statistic<"numConverted", "num-converted",
              "Weights converted to another float type">,
    Statistic<"numLeft", "num-left",
              "Weights that no encoding fits: rows of no whole groups">
  ];
}

def QuantizeActivationsPass
    : Pass<"qwen-quantize-activations", "::mlir::ModuleOp"> {
  let summary = "Multiplies quantised weights with int8 activations";
  let description = [{
    In front of each product whose weights are quantised, makes its inputs int8
    codes in groups of 32 (qwen.quantize_activations): CPUs multiply and sum
    codes several times faster than they convert weights to f32. Products that
    read the same inputs share the codes. Experts, which have inputs of their
    own in the middle, get `int8_activations`.

    Before:
    ```mlir
    qwen.weight @o_proj : tensor<64x64xbf16> from "model.safetensors" at 0 as !qwen.encoded<"q4">
    %y = qwen.linear %x, [@o_proj] : tensor<1x64xf32> -> tensor<1x64xf32>
    ```
    After:
    ```mlir
    %codes, %factors = qwen.quantize_activations %x weight_bits 4 : tensor<1x64xf32> -> tensor<1x16xi32>, tensor<1x2x2xf32>
    %y = qwen.integer_linear %codes, %factors, [@o_proj] : tensor<1x16xi32>, tensor<1x2x2xf32> -> tensor<1x64xf32>
    ```

    Requires: nothing; behind --qwen-quantize-weights.
    Guarantees: no qwen.linear or qwen.linear_swiglu has quantised weights, and
    no qwen.experts without `int8_activations` has only such.
    Leaves alone: routers, and experts of which a part is not quantised.
    Numerics: inputs are rounded to 8 bits in groups of 32.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [
    Statistic<"numProducts", "num-products", "Products of int8 activations">,
    Statistic<"numExperts", "num-experts", "Mixtures of int8 activations">,
    Statistic<"numQuantized", "num-quantized", "Activations made int8">
  ];
}

def QuantizeKVCachePass : Pass<"qwen-quantize-kv-cache", "::mlir::ModuleOp"> {
  let summary = "Makes the rows of key and value caches int8 codes";
  let description = [{
    Retypes the states; the ops that append and attend take caches of either
    kind. A row (head_dim elements of a head at one position) becomes int8 codes
    and one f32 scale: 8 + 32 / head_dim bits for each element.

    Before:
    ```mlir
    qwen.state @k_cache key_cache : tensor<64x2x16x128xbf16>
    qwen.state @v_cache value_cache : tensor<64x2x16x128xbf16>
    ```
    After:
    ```mlir
    qwen.state @k_cache key_cache : tensor<64x2x16x128x!qwen.int8_rows>
    qwen.state @v_cache value_cache : tensor<64x2x16x128x!qwen.int8_rows>
    ```

    Requires: heads of a multiple of 16 elements.
    Guarantees: all caches have int8 rows.
    Leaves alone: recurrent states, which are updated in place and would be
    rounded again at each step.
    Numerics: keys and values are rounded to 8 bits in groups of head_dim.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [
    Statistic<"numCaches", "num-caches", "Caches made int8 rows">
  ];
}

#endif
