// RUN: quern-opt %s | quern-opt | FileCheck %s
// RUN: quern-opt %s --mlir-print-op-generic | quern-opt | FileCheck %s
// RUN: quern-opt %s --emit-bytecode | quern-opt | FileCheck %s

// CHECK: qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40, context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = bf16>
module attributes {qwen.model = #qwen.model<family = "qwen3",
    num_hidden_layers = 1, vocab_size = 40, context_length = 64, num_slots = 2,
    page_size = 16, num_pages = 8, compute = bf16>} {

  // CHECK: qwen.weight @embed.weight : tensor<40x16xbf16> from "model.safetensors" at 8
  qwen.weight @embed.weight : tensor<40x16xbf16> from "model.safetensors" at 8
  // CHECK: qwen.weight @half : tensor<40x16xf32> from "a" at 8 as f16
  qwen.weight @half : tensor<40x16xf32> from "a" at 8 as f16
  // CHECK: qwen.weight @encoded : tensor<40x64xbf16> from "a" at 8 as !qwen.encoded<"q4-asymmetric">
  qwen.weight @encoded : tensor<40x64xbf16> from "a" at 8 as !qwen.encoded<"q4-asymmetric">
  // CHECK: qwen.weight @turned : tensor<2x40x16xbf16> from "a" at 8 transposed{{$}}
  qwen.weight @turned : tensor<2x40x16xbf16> from "a" at 8 transposed
  // CHECK: qwen.weight @turned_half : tensor<2x40x16xf32> from "a" at 8 transposed as f16
  qwen.weight @turned_half : tensor<2x40x16xf32> from "a" at 8 transposed as f16
  // CHECK: qwen.state @k_cache key_cache : tensor<8x2x16x4xbf16>
  qwen.state @k_cache key_cache : tensor<8x2x16x4xbf16>
  // CHECK: qwen.state @v_cache value_cache : tensor<8x2x16x4xbf16>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xbf16>
  // CHECK: qwen.state @int8_k_cache key_cache : tensor<8x2x16x32x!qwen.int8_rows>
  qwen.state @int8_k_cache key_cache : tensor<8x2x16x32x!qwen.int8_rows>
  // CHECK: qwen.state @int8_v_cache value_cache : tensor<8x2x16x32x!qwen.int8_rows>
  qwen.state @int8_v_cache value_cache : tensor<8x2x16x32x!qwen.int8_rows>
  qwen.weight @norm.weight : tensor<16xf32> from "a" at 0
  qwen.weight @head_norm.weight : tensor<4xf16> from "a" at 0
  qwen.weight @q.weight : tensor<16x16xbf16> from "a" at 0
  qwen.weight @k.weight : tensor<8x16xbf16> from "a" at 0
  qwen.weight @v.weight : tensor<8x16xbf16> from "a" at 0
  qwen.weight @gate.weight : tensor<24x16xbf16> from "a" at 0
  qwen.weight @up.weight : tensor<24x16xbf16> from "a" at 0

  // CHECK-LABEL: func.func @plain
  func.func @plain(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %page_table: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"}) {
    // CHECK: qwen.embedding %{{.*}}, @embed.weight : tensor<?xi32> -> tensor<?x16xf32>
    %x = qwen.embedding %ids, @embed.weight : tensor<?xi32> -> tensor<?x16xf32>
    // CHECK: qwen.rope_table %{{.*}} {inverse_frequencies = dense<[1.000000e+00, 5.000000e-01]> : tensor<2xf32>} : tensor<?xi32> -> tensor<?x4xf32>
    %table = qwen.rope_table %positions {inverse_frequencies = dense<[1.0, 0.5]> : tensor<2xf32>} : tensor<?xi32> -> tensor<?x4xf32>
    // CHECK: qwen.rope_table %{{.*}} {attention_factor = 1.500000e+00 : f64, inverse
    %yarn = qwen.rope_table %positions {attention_factor = 1.5, inverse_frequencies = dense<[1.0]> : tensor<1xf32>} : tensor<?xi32> -> tensor<?x2xf32>
    // CHECK: qwen.rms_norm %{{.*}}, @norm.weight {epsilon = 9.9999999999999995E-7 : f64} : tensor<?x16xf32> -> tensor<?x16xbf16>
    %n = qwen.rms_norm %x, @norm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xbf16>
    // CHECK: qwen.linear %{{.*}}, [@q.weight] : tensor<?x16xbf16> -> tensor<?x16xbf16>
    %q0 = qwen.linear %n, [@q.weight] : tensor<?x16xbf16> -> tensor<?x16xbf16>
    // CHECK: qwen.linear %{{.*}}, [@k.weight, @v.weight] : tensor<?x16xbf16> -> tensor<?x16xbf16>
    %kv = qwen.linear %n, [@k.weight, @v.weight] : tensor<?x16xbf16> -> tensor<?x16xbf16>
    // CHECK: qwen.slice_features %{{.*}} offset 8 : tensor<?x16xbf16> -> tensor<?x8xbf16>
    %k0 = qwen.slice_features %kv offset 0 : tensor<?x16xbf16> -> tensor<?x8xbf16>
    %v0 = qwen.slice_features %kv offset 8 : tensor<?x16xbf16> -> tensor<?x8xbf16>
    // CHECK: qwen.split_heads %{{.*}} : tensor<?x16xbf16> -> tensor<?x4x4xbf16>
    %q1 = qwen.split_heads %q0 : tensor<?x16xbf16> -> tensor<?x4x4xbf16>
    %k1 = qwen.split_heads %k0 : tensor<?x8xbf16> -> tensor<?x2x4xbf16>
    %v = qwen.split_heads %v0 : tensor<?x8xbf16> -> tensor<?x2x4xbf16>
    // CHECK: qwen.rms_norm %{{.*}}, @head_norm.weight {epsilon = {{.*}}, unit_offset} : tensor<?x4x4xbf16> -> tensor<?x4x4xbf16>
    %q2 = qwen.rms_norm %q1, @head_norm.weight {epsilon = 1.0e-6, unit_offset} : tensor<?x4x4xbf16> -> tensor<?x4x4xbf16>
    // CHECK: qwen.rope %{{.*}}, %{{.*}} : tensor<?x4x4xbf16>, tensor<?x4xf32>
    %q = qwen.rope %q2, %table : tensor<?x4x4xbf16>, tensor<?x4xf32>
    %k = qwen.rope %k1, %yarn : tensor<?x2x4xbf16>, tensor<?x2xf32>
    // CHECK: qwen.cache_append @k_cache, @v_cache, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x2x4xbf16>, tensor<?x2x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    qwen.cache_append @k_cache, @v_cache, %k, %v, %slots, %positions, %page_table : tensor<?x2x4xbf16>, tensor<?x2x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    // CHECK: qwen.attention %{{.*}}, @k_cache, @v_cache, %{{.*}}, %{{.*}}, %{{.*}} {scale = 5.000000e-01 : f64} : tensor<?x4x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %page_table {scale = 0.5} : tensor<?x4x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    // CHECK: qwen.merge_heads %{{.*}} : tensor<?x4x4xbf16> -> tensor<?x16xbf16>
    %m = qwen.merge_heads %a : tensor<?x4x4xbf16> -> tensor<?x16xbf16>
    // CHECK: qwen.residual_add %{{.*}}, %{{.*}} : tensor<?x16xf32>, tensor<?x16xbf16>
    %x1 = qwen.residual_add %x, %m : tensor<?x16xf32>, tensor<?x16xbf16>
    %gate = qwen.linear %m, [@gate.weight] : tensor<?x16xbf16> -> tensor<?x24xbf16>
    %up = qwen.linear %m, [@up.weight] : tensor<?x16xbf16> -> tensor<?x24xbf16>
    // CHECK: qwen.swiglu %{{.*}}, %{{.*}} : tensor<?x24xbf16>
    %glu = qwen.swiglu %gate, %up : tensor<?x24xbf16>
    // CHECK: qwen.select_rows %{{.*}}, %{{.*}} : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %x2 = qwen.select_rows %x1, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n2 = qwen.rms_norm %x2, @norm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xbf16>
    // CHECK: qwen.linear %{{.*}}, [@embed.weight] : tensor<?x16xbf16> -> tensor<?x40xf32>
    %logits = qwen.linear %n2, [@embed.weight] : tensor<?x16xbf16> -> tensor<?x40xf32>
    // CHECK: qwen.sample %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }

  // CHECK-LABEL: func.func @fused
  func.func @fused(%x: tensor<1x16xf32>, %d: tensor<1x16xbf16>,
      %qkv: tensor<1x32xbf16>, %table: tensor<1x4xf32>, %slots: tensor<1xi32>,
      %positions: tensor<1xi32>, %page_table: tensor<2x4xi32>)
      -> (tensor<1x16xf32>, tensor<1x24xbf16>, tensor<1x4x4xbf16>) {
    // CHECK: %[[SUM:.*]], %[[NORMED:.*]] = qwen.add_rms_norm %{{.*}}, %{{.*}}, @norm.weight {epsilon = {{.*}}} : tensor<1x16xf32>, tensor<1x16xbf16> -> tensor<1x16xf32>, tensor<1x16xbf16>
    %sum, %n = qwen.add_rms_norm %x, %d, @norm.weight {epsilon = 1.0e-6} : tensor<1x16xf32>, tensor<1x16xbf16> -> tensor<1x16xf32>, tensor<1x16xbf16>
    // CHECK: qwen.linear_swiglu %[[NORMED]], @gate.weight, @up.weight : tensor<1x16xbf16> -> tensor<1x24xbf16>
    %glu = qwen.linear_swiglu %n, @gate.weight, @up.weight : tensor<1x16xbf16> -> tensor<1x24xbf16>
    // CHECK: qwen.qk_norm_rope_append %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, @head_norm.weight, @head_norm.weight, @k_cache, @v_cache {epsilon = {{.*}}, num_heads = 4 : i64, num_kv_heads = 2 : i64} : tensor<1x32xbf16>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xbf16>
    %q = qwen.qk_norm_rope_append %qkv, %table, %slots, %positions, %page_table, @head_norm.weight, @head_norm.weight, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6} : tensor<1x32xbf16>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xbf16>
    return %sum, %glu, %q : tensor<1x16xf32>, tensor<1x24xbf16>, tensor<1x4x4xbf16>
  }
}
