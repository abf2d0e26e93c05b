// RUN: quern-opt %s --qwen-lower-to-exec | FileCheck %s

// Gates between queries and keys: the append leaves them alone, the attention
// reads them where they are.

qwen.weight @norm : tensor<16xbf16> from "a" at 0
qwen.weight @qkv : tensor<48x16xbf16> from "a" at 0
qwen.weight @q_norm : tensor<8xbf16> from "a" at 0
qwen.weight @k_norm : tensor<8xbf16> from "a" at 0
qwen.state @k_cache key_cache : tensor<8x1x16x8xf16>
qwen.state @v_cache value_cache : tensor<8x1x16x8xf16>

// CHECK: exec.kernel @linear_t4_16x48
// CHECK-NEXT: exec.kernel @rope_table
// CHECK-NEXT: exec.kernel @qk_norm_rope_append_t4_2x8 family "qk_norm_rope_append" {{.*}} config {epsilon = 9.765625E-4 : f64, gated = true, num_heads = 2 : i64, num_kv_heads = 1 : i64, unit_offset = true}
// CHECK-NEXT: exec.kernel @gated_attention_t4_2x8 family "gated_attention" arguments [#exec.argument<read, tensor<4x2x8xf16>>, #exec.argument<read, tensor<8x1x16x8xf16>>, #exec.argument<read, tensor<8x1x16x8xf16>>, #exec.argument<read, tensor<4xi32>>, #exec.argument<read, tensor<4xi32>>, #exec.argument<read, tensor<2x4xi32>>, #exec.argument<read, tensor<4x48xf16>>, #exec.argument<write, tensor<4x2x8xf16>>] config {gate_offset = 16 : i64, scale = 5.000000e-01 : f64}

// CHECK-LABEL: exec.program @prefill
func.func @prefill(%x: tensor<4x16xf32> {qwen.role = "hidden"},
    %slots: tensor<4xi32> {qwen.role = "slots"},
    %positions: tensor<4xi32> {qwen.role = "positions"},
    %pages: tensor<2x4xi32> {qwen.role = "page_table"})
    -> (tensor<4x16xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 4 : i64, exec.rows = 0 : i64} {
  %n = qwen.rms_norm %x, @norm {epsilon = 9.765625e-4} : tensor<4x16xf32> -> tensor<4x16xf16>
  // CHECK: exec.dispatch @linear_t4_16x48({{.*}}, %qkv.plain, %[[QKV:.*]]) :
  %qkv = qwen.linear %n, [@qkv] : tensor<4x16xf16> -> tensor<4x48xf16>
  // CHECK: exec.dispatch @rope_table_t4_2({{.*}}, %[[TABLE:.*]]) :
  %table = qwen.rope_table %positions {inverse_frequencies = dense<[1.0]> : tensor<1xf32>, attention_factor = 1.0} : tensor<4xi32> -> tensor<4x2xf32>
  // CHECK: exec.dispatch @qk_norm_rope_append_t4_2x8(%[[QKV]], %[[TABLE]], %slots, %positions, %page_table, %q_norm.plain, %k_norm.plain, %k_cache, %v_cache, %[[Q:.*]]) :
  %q = qwen.qk_norm_rope_append %qkv, %table, %slots, %positions, %pages, @q_norm, @k_norm, @k_cache, @v_cache {num_heads = 2 : i64, num_kv_heads = 1 : i64, epsilon = 9.765625e-4, unit_offset, gated} : tensor<4x48xf16>, tensor<4x2xf32>, tensor<4xi32>, tensor<4xi32>, tensor<2x4xi32> -> tensor<4x2x8xf16>
  // CHECK: exec.dispatch @gated_attention_t4_2x8(%[[Q]], %k_cache, %v_cache, %slots, %positions, %page_table, %[[QKV]], %[[A:.*]]) :
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages gate %qkv : tensor<4x48xf16> {scale = 0.5, gate_offset = 16 : i64} : tensor<4x2x8xf16>, tensor<4xi32>, tensor<4xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<4x2x8xf16> -> tensor<4x16xf16>
  // CHECK: exec.dispatch @residual_add_t4_16(%hidden, %[[A]], %logits) :
  %y = qwen.residual_add %x, %m : tensor<4x16xf32>, tensor<4x16xf16>
  return %y : tensor<4x16xf32>
}
