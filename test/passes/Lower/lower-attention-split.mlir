// RUN: quern-opt %s --qwen-lower-to-exec=attention-workgroups=16 | FileCheck %s --check-prefixes=CHECK,SPLIT
// RUN: quern-opt %s --qwen-lower-to-exec=attention-workgroups=3 | FileCheck %s --check-prefixes=CHECK,WHOLE

// One token and two key heads: 16 workgroups are 8 splits of the positions,
// but no split is shorter than 128 of the 640 positions.

qwen.weight @norm : tensor<32xbf16> from "a" at 0
qwen.weight @qkv : tensor<96x32xbf16> from "a" at 0
qwen.weight @q : tensor<32x32xbf16> from "a" at 0
qwen.state @k_cache key_cache : tensor<20x2x64x8xf16>
qwen.state @v_cache value_cache : tensor<20x2x64x8xf16>

// CHECK: exec.kernel @linear_t1_32x96
// SPLIT-NEXT: exec.kernel @attention_split_t1_4x5x8 family "attention_split" arguments [#exec.argument<read, tensor<1x4x8xf16>>, #exec.argument<read, tensor<20x2x64x8xf16>>, #exec.argument<read, tensor<20x2x64x8xf16>>, #exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<1x10xi32>>, #exec.argument<write, tensor<1x4x5x8xf32>>, #exec.argument<write, tensor<1x4x5x2xf32>>] config {scale = 5.000000e-01 : f64}
// SPLIT-NEXT: exec.kernel @attention_merge_t1_4x5x8 family "attention_merge" arguments [#exec.argument<read, tensor<1x4x5x8xf32>>, #exec.argument<read, tensor<1x4x5x2xf32>>, #exec.argument<write, tensor<1x4x8xf16>>] config {}
// SPLIT-NEXT: exec.kernel @gated_attention_merge_t1_4x5x8 family "gated_attention_merge" arguments [#exec.argument<read, tensor<1x4x5x8xf32>>, #exec.argument<read, tensor<1x4x5x2xf32>>, #exec.argument<read, tensor<1x96xf16>>, #exec.argument<write, tensor<1x4x8xf16>>] config {gate_offset = 32 : i64}
// WHOLE-NEXT: exec.kernel @attention_t1_4x8 family "attention"
// WHOLE-NEXT: exec.kernel @gated_attention_t1_4x8 family "gated_attention"

// CHECK-LABEL: exec.program @decode
func.func @decode(%x: tensor<1x32xf32> {qwen.role = "hidden"},
    %slots: tensor<1xi32> {qwen.role = "slots"},
    %positions: tensor<1xi32> {qwen.role = "positions"},
    %pages: tensor<1x10xi32> {qwen.role = "page_table"})
    -> (tensor<1x32xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind decode>, exec.tokens = 1 : i64, exec.rows = 1 : i64} {
  %n = qwen.rms_norm %x, @norm {epsilon = 9.765625e-4} : tensor<1x32xf32> -> tensor<1x32xf16>
  // CHECK: exec.dispatch @linear_t1_32x32({{.*}}, %q.plain, %[[Q:.*]]) :
  %q0 = qwen.linear %n, [@q] : tensor<1x32xf16> -> tensor<1x32xf16>
  %q = qwen.split_heads %q0 : tensor<1x32xf16> -> tensor<1x4x8xf16>
  // CHECK: exec.dispatch @linear_t1_32x96({{.*}}, %qkv.plain, %[[GATE:.*]]) :
  %gate = qwen.linear %n, [@qkv] : tensor<1x32xf16> -> tensor<1x96xf16>
  // SPLIT: exec.dispatch @attention_split_t1_4x5x8(%[[Q]], %k_cache, %v_cache, %slots, %positions, %page_table, %[[P:.*]], %[[S:.*]]) label "attend" :
  // SPLIT: exec.dispatch @attention_merge_t1_4x5x8(%[[P]], %[[S]], %[[A:.*]]) label "attend" :
  // WHOLE: exec.dispatch @attention_t1_4x8(%[[Q]], {{.*}}, %[[A:.*]]) label "attend" :
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<1x4x8xf16>, tensor<1xi32>, tensor<1xi32>, tensor<1x10xi32> loc("attend")
  // SPLIT: exec.dispatch @attention_split_t1_4x5x8(%[[A]], {{.*}}, %[[P2:.*]], %[[S2:.*]]) :
  // SPLIT: exec.dispatch @gated_attention_merge_t1_4x5x8(%[[P2]], %[[S2]], %[[GATE]], %[[B:.*]]) :
  // WHOLE: exec.dispatch @gated_attention_t1_4x8(%[[A]], {{.*}}, %[[GATE]], %[[B:.*]]) :
  %b = qwen.attention %a, @k_cache, @v_cache, %slots, %positions, %pages gate %gate : tensor<1x96xf16> {scale = 0.5, gate_offset = 32 : i64} : tensor<1x4x8xf16>, tensor<1xi32>, tensor<1xi32>, tensor<1x10xi32>
  %m = qwen.merge_heads %b : tensor<1x4x8xf16> -> tensor<1x32xf16>
  // CHECK: exec.dispatch @residual_add_t1_32(%hidden, %[[B]], %logits) :
  %y = qwen.residual_add %x, %m : tensor<1x32xf32>, tensor<1x32xf16>
  return %y : tensor<1x32xf32>
}
