// RUN: quern-opt %s --qwen-quantize-kv-cache --qwen-lower-to-exec=attention-workgroups=16 --exec-plan-memory | FileCheck %s

// The type of the states is that of the kernels' arguments; queries and results
// keep theirs.

qwen.state @k_cache key_cache : tensor<20x2x64x16xf16>
qwen.state @v_cache value_cache : tensor<20x2x64x16xf16>

// CHECK: qwen.state @k_cache key_cache : tensor<20x2x64x16x!qwen.int8_rows>
// CHECK: exec.kernel @cache_append_t1_2x16 family "cache_append" arguments [#exec.argument<read, tensor<1x2x16xf16>>, #exec.argument<read, tensor<1x2x16xf16>>, #exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<1x10xi32>>, #exec.argument<readwrite, tensor<20x2x64x16x!qwen.int8_rows>>, #exec.argument<readwrite, tensor<20x2x64x16x!qwen.int8_rows>>]
// CHECK: exec.kernel @attention_split_t1_4x5x16 family "attention_split" arguments [#exec.argument<read, tensor<1x4x16xf16>>, #exec.argument<read, tensor<20x2x64x16x!qwen.int8_rows>>, #exec.argument<read, tensor<20x2x64x16x!qwen.int8_rows>>,
// CHECK-SAME: #exec.argument<write, tensor<1x4x5x16xf32>>, #exec.argument<write, tensor<1x4x5x2xf32>>]

// CHECK-LABEL: exec.program @decode
func.func @decode(%x: tensor<1x64xf32> {qwen.role = "hidden"},
    %slots: tensor<1xi32> {qwen.role = "slots"},
    %positions: tensor<1xi32> {qwen.role = "positions"},
    %pages: tensor<1x10xi32> {qwen.role = "page_table"})
    -> (tensor<1x64xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind decode>, exec.tokens = 1 : i64, exec.rows = 1 : i64} {
  %n = qwen.rms_norm %x, @norm {epsilon = 9.765625e-4} : tensor<1x64xf32> -> tensor<1x64xf16>
  %q = qwen.split_heads %n : tensor<1x64xf16> -> tensor<1x4x16xf16>
  %k0 = qwen.slice_features %n offset 0 : tensor<1x64xf16> -> tensor<1x32xf16>
  %k = qwen.split_heads %k0 : tensor<1x32xf16> -> tensor<1x2x16xf16>
  // CHECK: exec.state_ref @k_cache : !exec.buffer<tensor<20x2x64x16x!qwen.int8_rows>>
  // CHECK: exec.dispatch @cache_append_t1_2x16
  qwen.cache_append @k_cache, @v_cache, %k, %k, %slots, %positions, %pages : tensor<1x2x16xf16>, tensor<1x2x16xf16>, tensor<1xi32>, tensor<1xi32>, tensor<1x10xi32>
  // CHECK: exec.dispatch @attention_split_t1_4x5x16
  %a0 = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<1x4x16xf16>, tensor<1xi32>, tensor<1xi32>, tensor<1x10xi32>
  %a = qwen.merge_heads %a0 : tensor<1x4x16xf16> -> tensor<1x64xf16>
  %y = qwen.residual_add %x, %a : tensor<1x64xf32>, tensor<1x64xf16>
  return %y : tensor<1x64xf32>
}

qwen.weight @norm : tensor<64xbf16> from "a" at 0
