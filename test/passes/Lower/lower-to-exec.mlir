// RUN: quern-opt %s --qwen-lower-to-exec | FileCheck %s
// RUN: quern-opt %s --qwen-lower-to-exec > %t.once
// RUN: quern-opt %t.once --qwen-lower-to-exec | diff - %t.once

// The request of each op, fused or not.

qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
qwen.weight @layer.q.weight : tensor<16x16xbf16> from "a" at 0
qwen.weight @layer.k.weight : tensor<8x16xbf16> from "a" at 0
qwen.weight @layer.gate.weight : tensor<24x16xbf16> from "a" at 0
qwen.weight @layer.up.weight : tensor<24x16xbf16> from "a" at 0
qwen.weight @norm : tensor<16xbf16> from "a" at 0
qwen.weight @head_norm : tensor<4xbf16> from "a" at 0
qwen.state @k_cache key_cache : tensor<8x2x16x4xf16>
qwen.state @v_cache value_cache : tensor<8x2x16x4xf16>

// Weights first, each packing once; then constants, kernels, programs.
// CHECK: exec.weight @embed.plain plain [@embed] : tensor<40x16xbf16>
// CHECK-NEXT: exec.weight @norm.plain plain [@norm] : tensor<16xbf16>
// CHECK-NEXT: exec.weight @layer.q_k.weight.concatenate concatenate [@layer.q.weight, @layer.k.weight] : tensor<24x16xbf16>
// CHECK-NEXT: exec.weight @head_norm.plain plain [@head_norm] : tensor<4xbf16>
// CHECK-NEXT: exec.weight @layer.k.weight.plain plain [@layer.k.weight] : tensor<8x16xbf16>
// CHECK-NEXT: exec.weight @layer.gate_up.weight.interleave interleave [@layer.gate.weight, @layer.up.weight] : tensor<48x16xbf16>
// CHECK-NEXT: exec.constant @inverse_frequencies dense<[1.000000e+00, 5.000000e-01]> : tensor<2xf32>
// CHECK-NEXT: exec.kernel @embedding_t2_16 family "embedding" arguments [#exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<40x16xbf16>>, #exec.argument<write, tensor<2x16xf32>>] config {}
// CHECK-NEXT: exec.kernel @rope_table_t2_4 family "rope_table" arguments [#exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<2xf32>>, #exec.argument<write, tensor<2x4xf32>>] config {attention_factor = 1.500000e+00 : f64}
// CHECK-NEXT: exec.kernel @rms_norm_t2_16 family "rms_norm" arguments [#exec.argument<read, tensor<2x16xf32>>, #exec.argument<read, tensor<16xbf16>>, #exec.argument<write, tensor<2x16xf16>>] config {count = "tokens", epsilon = 9.765625E-4 : f64, rows_per_token = 1 : i64, unit_offset = true}
// CHECK-NEXT: exec.kernel @linear_t2_16x24 family "linear" arguments [#exec.argument<read, tensor<2x16xf16>>, #exec.argument<read, tensor<24x16xbf16>>, #exec.argument<write, tensor<2x24xf16>>] config {count = "tokens", epilogue = "none"}
// CHECK-NEXT: exec.kernel @rms_norm_t2_4x4 family "rms_norm" arguments [#exec.argument<read, tensor<8x4xf16>>, #exec.argument<read, tensor<4xbf16>>, #exec.argument<write, tensor<8x4xf16>>] config {count = "tokens", epsilon = 9.765625E-4 : f64, rows_per_token = 4 : i64, unit_offset = false}
// CHECK-NEXT: exec.kernel @rope_t2_4x4 family "rope" arguments [#exec.argument<read, tensor<2x4x4xf16>>, #exec.argument<read, tensor<2x4xf32>>, #exec.argument<write, tensor<2x4x4xf16>>] config {}
// CHECK-NEXT: exec.kernel @linear_t2_16x8 family "linear"
// CHECK-NEXT: exec.kernel @cache_append_t2_2x4 family "cache_append" arguments [#exec.argument<read, tensor<2x2x4xf16>>, #exec.argument<read, tensor<2x2x4xf16>>, #exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<2x4xi32>>, #exec.argument<readwrite, tensor<8x2x16x4xf16>>, #exec.argument<readwrite, tensor<8x2x16x4xf16>>] config {}
// CHECK-NEXT: exec.kernel @attention_t2_4x4 family "attention" arguments [#exec.argument<read, tensor<2x4x4xf16>>, #exec.argument<read, tensor<8x2x16x4xf16>>, #exec.argument<read, tensor<8x2x16x4xf16>>, #exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<2x4xi32>>, #exec.argument<write, tensor<2x4x4xf16>>] config {scale = 5.000000e-01 : f64}
// CHECK-NEXT: exec.kernel @residual_add_t2_16 family "residual_add" arguments [#exec.argument<read, tensor<2x16xf32>>, #exec.argument<read, tensor<2x16xf16>>, #exec.argument<write, tensor<2x16xf32>>] config {}
// CHECK-NEXT: exec.kernel @qk_norm_rope_append_t2_2x4 family "qk_norm_rope_append" arguments [#exec.argument<read, tensor<2x24xf16>>, #exec.argument<read, tensor<2x4xf32>>, #exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<2xi32>>, #exec.argument<read, tensor<2x4xi32>>, #exec.argument<read, tensor<4xbf16>>, #exec.argument<read, tensor<4xbf16>>, #exec.argument<readwrite, tensor<8x2x16x4xf16>>, #exec.argument<readwrite, tensor<8x2x16x4xf16>>, #exec.argument<write, tensor<2x2x4xf16>>] config {epsilon = 9.765625E-4 : f64, gated = false, num_heads = 2 : i64, num_kv_heads = 2 : i64, unit_offset = false}
// CHECK-NEXT: exec.kernel @add_rms_norm_t2_16 family "add_rms_norm" arguments [#exec.argument<read, tensor<2x16xf32>>, #exec.argument<read, tensor<2x16xf16>>, #exec.argument<read, tensor<16xbf16>>, #exec.argument<write, tensor<2x16xf32>>, #exec.argument<write, tensor<2x16xf16>>] config {epsilon = 9.765625E-4 : f64, unit_offset = false}
// CHECK-NEXT: exec.kernel @linear_t2_16x48 family "linear" arguments [#exec.argument<read, tensor<2x16xf16>>, #exec.argument<read, tensor<48x16xbf16>>, #exec.argument<write, tensor<2x24xf16>>] config {count = "tokens", epilogue = "swiglu"}
// CHECK-NEXT: exec.kernel @swiglu_t2_24 family "swiglu" arguments [#exec.argument<read, tensor<2x24xf16>>, #exec.argument<read, tensor<2x24xf16>>, #exec.argument<write, tensor<2x24xf16>>] config {}
// CHECK-NEXT: exec.kernel @select_rows_r2_16 family "select_rows" arguments [#exec.argument<read, tensor<8x16xf32>>, #exec.argument<read, tensor<2xi32>>, #exec.argument<write, tensor<2x16xf32>>] config {}
// CHECK-NEXT: exec.kernel @rms_norm_r2_16 family "rms_norm" {{.*}} config {count = "rows"
// CHECK-NEXT: exec.kernel @linear_r2_16x40 family "linear" {{.*}} config {count = "rows", epilogue = "none"}
// CHECK-NEXT: exec.kernel @sample_r2_40 family "sample" arguments [#exec.argument<read, tensor<2x40xf32>>, #exec.argument<read, tensor<2x8xf32>>, #exec.argument<read, tensor<2x2xi32>>, #exec.argument<write, tensor<2xi32>>] config {}

// CHECK-LABEL: exec.program @prefill kind prefill tokens 2 rows 0 {
func.func @prefill(%ids: tensor<2xi32> {qwen.role = "token_ids"},
    %positions: tensor<2xi32> {qwen.role = "positions"},
    %slots: tensor<2xi32> {qwen.role = "slots"},
    %pages: tensor<2x4xi32> {qwen.role = "page_table"})
    -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  // CHECK: %[[HIDDEN:.*]] = exec.alloc persistent hidden : !exec.buffer<tensor<2x16xf32>>
  // CHECK: %[[X:.*]] = exec.alloc : !exec.buffer<tensor<2x16xf32>>
  // CHECK: exec.dispatch @embedding_t2_16(%token_ids, %embed.plain, %[[X]]) label "embed_tokens" :
  %x = qwen.embedding %ids, @embed : tensor<2xi32> -> tensor<2x16xf32> loc("embed_tokens")
  // CHECK: exec.dispatch @rope_table_t2_4(%positions, %inverse_frequencies, %[[TABLE:.*]]) :
  %table = qwen.rope_table %positions {inverse_frequencies = dense<[1.0, 0.5]> : tensor<2xf32>, attention_factor = 1.5} : tensor<2xi32> -> tensor<2x4xf32>
  %n = qwen.rms_norm %x, @norm {epsilon = 9.765625e-4, unit_offset} : tensor<2x16xf32> -> tensor<2x16xf16>
  // CHECK: exec.dispatch @linear_t2_16x24({{.*}}, %layer.q_k.weight.concatenate, %[[QK:.*]]) label "layer.{q,k}" :
  %qk = qwen.linear %n, [@layer.q.weight, @layer.k.weight] : tensor<2x16xf16> -> tensor<2x24xf16> loc(fused["layer.q", "layer.k"])
  // Heads are views.
  %h = qwen.split_heads %n : tensor<2x16xf16> -> tensor<2x4x4xf16>
  // CHECK: exec.dispatch @rms_norm_t2_4x4(%[[N:.*]], %head_norm.plain, %[[HN:.*]]) :
  %hn = qwen.rms_norm %h, @head_norm {epsilon = 9.765625e-4} : tensor<2x4x4xf16> -> tensor<2x4x4xf16>
  // CHECK: exec.dispatch @rope_t2_4x4(%[[HN]], %[[TABLE]], %[[Q:.*]]) :
  %q = qwen.rope %hn, %table : tensor<2x4x4xf16>, tensor<2x4xf32>
  // CHECK: exec.dispatch @linear_t2_16x8(
  %k0 = qwen.linear %n, [@layer.k.weight] : tensor<2x16xf16> -> tensor<2x8xf16>
  %k = qwen.split_heads %k0 : tensor<2x8xf16> -> tensor<2x2x4xf16>
  // CHECK: exec.dispatch @cache_append_t2_2x4(%[[K:.*]], %[[K]], %slots, %positions, %page_table, %k_cache, %v_cache) :
  qwen.cache_append @k_cache, @v_cache, %k, %k, %slots, %positions, %pages : tensor<2x2x4xf16>, tensor<2x2x4xf16>, tensor<2xi32>, tensor<2xi32>, tensor<2x4xi32>
  // CHECK: exec.dispatch @attention_t2_4x4(%[[Q]], %k_cache, %v_cache, %slots, %positions, %page_table, %[[A:.*]]) :
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<2x4x4xf16>, tensor<2xi32>, tensor<2xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<2x4x4xf16> -> tensor<2x16xf16>
  // CHECK: exec.dispatch @residual_add_t2_16(%[[X]], %[[A]], %[[S:.*]]) :
  %s = qwen.residual_add %x, %m : tensor<2x16xf32>, tensor<2x16xf16>
  // CHECK: exec.dispatch @qk_norm_rope_append_t2_2x4(%[[QK]], %[[TABLE]], %slots, %positions, %page_table, %head_norm.plain, %head_norm.plain, %k_cache, %v_cache, %{{.*}}) :
  %f = qwen.qk_norm_rope_append %qk, %table, %slots, %positions, %pages, @head_norm, @head_norm, @k_cache, @v_cache {num_heads = 2 : i64, num_kv_heads = 2 : i64, epsilon = 9.765625e-4} : tensor<2x24xf16>, tensor<2x4xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2x4xi32> -> tensor<2x2x4xf16>
  // The sum is the result of the program.
  // CHECK: exec.dispatch @add_rms_norm_t2_16(%[[S]], %[[A]], %norm.plain, %[[HIDDEN]], %[[N2:.*]]) :
  %sum, %n2 = qwen.add_rms_norm %s, %m, @norm {epsilon = 9.765625e-4} : tensor<2x16xf32>, tensor<2x16xf16> -> tensor<2x16xf32>, tensor<2x16xf16>
  // CHECK: exec.dispatch @linear_t2_16x48(%[[N2]], %layer.gate_up.weight.interleave, %[[G:.*]]) :
  %g = qwen.linear_swiglu %n2, @layer.gate.weight, @layer.up.weight : tensor<2x16xf16> -> tensor<2x24xf16>
  // CHECK: exec.dispatch @swiglu_t2_24(%[[G]], %[[G]], %{{.*}}) :
  %y = qwen.swiglu %g, %g : tensor<2x24xf16>
  return %sum : tensor<2x16xf32>
}

// CHECK-LABEL: exec.program @head kind head tokens 8 rows 2 {
func.func @head(%x: tensor<8x16xf32> {qwen.role = "hidden"},
    %rows: tensor<2xi32> {qwen.role = "rows"},
    %sampling: tensor<2x8xf32> {qwen.role = "sampling"},
    %seen: tensor<2x2xi32> {qwen.role = "seen_tokens"})
    -> (tensor<2x40xf32> {qwen.role = "logits"}, tensor<2xi32> {qwen.role = "tokens"})
    attributes {exec.program_kind = #exec<program_kind head>, exec.tokens = 8 : i64, exec.rows = 2 : i64} {
  // CHECK: exec.dispatch @select_rows_r2_16(%hidden, %rows, %[[R:.*]]) :
  %r = qwen.select_rows %x, %rows : tensor<8x16xf32>, tensor<2xi32> -> tensor<2x16xf32>
  %n = qwen.rms_norm %r, @norm {epsilon = 9.765625e-4} : tensor<2x16xf32> -> tensor<2x16xf16>
  // CHECK: exec.dispatch @linear_r2_16x40(%{{.*}}, %embed.plain, %logits) :
  %logits = qwen.linear %n, [@embed] : tensor<2x16xf16> -> tensor<2x40xf32>
  // CHECK: exec.dispatch @sample_r2_40(%logits, %sampling, %seen_tokens, %tokens) :
  %tokens = qwen.sample %logits, %sampling, %seen : tensor<2x40xf32>, tensor<2x8xf32>, tensor<2x2xi32> -> tensor<2xi32>
  return %logits, %tokens : tensor<2x40xf32>, tensor<2xi32>
}
// CHECK-NOT: qwen.
// CHECK-NOT: func.func
