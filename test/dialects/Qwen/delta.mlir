// RUN: quern-opt %s | quern-opt | FileCheck %s
// RUN: quern-opt %s --mlir-print-op-generic | quern-opt | FileCheck %s
// RUN: quern-opt %s --emit-bytecode | quern-opt | FileCheck %s

// Two key heads of 4, four value heads of 3: 2 * 8 + 12 = 28 channels.
qwen.weight @conv1d.weight : tensor<28x1x4xbf16> from "a" at 0
qwen.weight @A_log : tensor<4xf32> from "a" at 0
qwen.weight @dt_bias : tensor<4xbf16> from "a" at 0
qwen.weight @norm.weight : tensor<3xf32> from "a" at 0
qwen.weight @qkvz : tensor<40x16xbf16> from "a" at 0
qwen.weight @q_proj : tensor<16x16xbf16> from "a" at 0
qwen.weight @k_proj : tensor<4x16xbf16> from "a" at 0

// CHECK: qwen.state @recurrent recurrent : tensor<2x4x4x3xf32>
qwen.state @recurrent recurrent : tensor<2x4x4x3xf32>
// CHECK: qwen.state @convolution convolution : tensor<2x16x28xbf16>
qwen.state @convolution convolution : tensor<2x16x28xbf16>
// CHECK: qwen.state @keys delta_keys : tensor<2x32x2x4xf32>
qwen.state @keys delta_keys : tensor<2x32x2x4xf32>
// CHECK: qwen.state @updates delta_updates : tensor<2x32x4x3xf32>
qwen.state @updates delta_updates : tensor<2x32x4x3xf32>
// CHECK: qwen.state @decays delta_decays : tensor<2x32x4xf32>
qwen.state @decays delta_decays : tensor<2x32x4xf32>
qwen.state @k_cache key_cache : tensor<8x1x16x4xbf16>
qwen.state @v_cache value_cache : tensor<8x1x16x4xbf16>

// CHECK-LABEL: func.func @delta_net
func.func @delta_net(%x: tensor<?x16xbf16>, %ba: tensor<?x8xf32>,
    %sequences: tensor<?x8xi32> {qwen.role = "sequences"}) -> tensor<?x4x3xbf16> {
  // CHECK: %[[ROW:.*]] = qwen.linear %{{.*}}, [@qkvz] parts {{\[}}array<i64: 4, 4, 6, 6>] : tensor<?x16xbf16> -> tensor<?x40xbf16>
  %row = qwen.linear %x, [@qkvz] parts [array<i64: 4, 4, 6, 6>] : tensor<?x16xbf16> -> tensor<?x40xbf16>
  // The convolution takes the first 28 features.
  // CHECK: %[[Y:.*]] = qwen.causal_conv1d %[[ROW]], @conv1d.weight, @convolution, %{{.*}} : tensor<?x40xbf16>, tensor<?x8xi32> -> tensor<?x28xbf16>
  %y = qwen.causal_conv1d %row, @conv1d.weight, @convolution, %sequences : tensor<?x40xbf16>, tensor<?x8xi32> -> tensor<?x28xbf16>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xbf16> -> tensor<?x8xbf16>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xbf16> -> tensor<?x8xbf16>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xbf16> -> tensor<?x12xbf16>
  %q1 = qwen.split_heads %q0 : tensor<?x8xbf16> -> tensor<?x2x4xbf16>
  %k1 = qwen.split_heads %k0 : tensor<?x8xbf16> -> tensor<?x2x4xbf16>
  %v = qwen.split_heads %v0 : tensor<?x12xbf16> -> tensor<?x4x3xbf16>
  // CHECK: qwen.l2_norm %{{.*}} {epsilon = {{.*}}, scale = 5.000000e-01 : f64} : tensor<?x2x4xbf16> -> tensor<?x2x4xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xbf16> -> tensor<?x2x4xf32>
  // CHECK: qwen.l2_norm %{{.*}} {epsilon = 9.9999999999999995E-7 : f64} : tensor<?x2x4xbf16> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xbf16> -> tensor<?x2x4xf32>
  // CHECK: %[[DECAY:.*]], %[[BETA:.*]] = qwen.delta_gates %{{.*}}, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  // CHECK: %[[O:.*]] = qwen.gated_delta_rule %{{.*}}, %{{.*}}, %{{.*}}, %[[DECAY]], %[[BETA]], @recurrent, @keys, @updates, @decays, %{{.*}} : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xbf16>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xbf16>
  // CHECK: qwen.gated_rms_norm %[[O]], %[[ROW]], @norm.weight {epsilon = {{.*}}, gate_offset = 28 : i64} : tensor<?x4x3xbf16>, tensor<?x40xbf16> -> tensor<?x4x3xbf16>
  %n = qwen.gated_rms_norm %o, %row, @norm.weight {epsilon = 1.0e-6, gate_offset = 28 : i64} : tensor<?x4x3xbf16>, tensor<?x40xbf16> -> tensor<?x4x3xbf16>
  return %n : tensor<?x4x3xbf16>
}

// CHECK-LABEL: func.func @fused
func.func @fused(%row: tensor<6x28xf16>, %ba: tensor<6x8xf32>, %z: tensor<6x12xf16>,
    %sequences: tensor<2x8xi32>) -> tensor<6x4x3xf16> {
  // The sequences of a step have their own number of rows.
  // CHECK: qwen.delta_inputs %{{.*}}, %{{.*}}, @conv1d.weight, @A_log, @dt_bias, @convolution16, %{{.*}} {epsilon = {{.*}}} : tensor<6x28xf16>, tensor<6x8xf32>, tensor<2x8xi32> -> tensor<6x2x4xf32>, tensor<6x2x4xf32>, tensor<6x4x3xf16>, tensor<6x4xf32>, tensor<6x4xf32>
  %q, %k, %v, %decay, %beta = qwen.delta_inputs %row, %ba, @conv1d.weight, @A_log, @dt_bias, @convolution16, %sequences {epsilon = 1.0e-6} : tensor<6x28xf16>, tensor<6x8xf32>, tensor<2x8xi32> -> tensor<6x2x4xf32>, tensor<6x2x4xf32>, tensor<6x4x3xf16>, tensor<6x4xf32>, tensor<6x4xf32>
  // CHECK: qwen.gated_delta_rule {{.*}}, @decays, %{{.*}} chunk 64 : tensor<6x2x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences chunk 64 : tensor<6x2x4xf32>, tensor<6x2x4xf32>, tensor<6x4x3xf16>, tensor<6x4xf32>, tensor<6x4xf32>, tensor<2x8xi32> -> tensor<6x4x3xf16>
  // CHECK: qwen.gated_rms_norm %{{.*}}, %{{.*}}, @norm.weight {epsilon = {{[^,]*}}} : tensor<6x4x3xf16>, tensor<6x12xf16>
  %n = qwen.gated_rms_norm %o, %z, @norm.weight {epsilon = 1.0e-6} : tensor<6x4x3xf16>, tensor<6x12xf16> -> tensor<6x4x3xf16>
  return %n : tensor<6x4x3xf16>
}
qwen.state @convolution16 convolution : tensor<2x4x28xf16>

// CHECK-LABEL: func.func @gated_attention
func.func @gated_attention(%x: tensor<?x16xbf16>, %table: tensor<?x2xf32>,
    %slots: tensor<?xi32>, %positions: tensor<?xi32>, %pages: tensor<2x4xi32>) -> tensor<?x8xbf16> {
  // CHECK: %[[QKV:.*]] = qwen.linear %{{.*}}, [@q_proj, @k_proj, @k_proj] parts {{\[}}array<i64: 4, 4>, array<i64>, array<i64>] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %qkv = qwen.linear %x, [@q_proj, @k_proj, @k_proj] parts [array<i64: 4, 4>, array<i64>, array<i64>] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  // CHECK: qwen.qk_norm_rope_append {{.*}} {epsilon = {{.*}}, gated, num_heads = 2 : i64, num_kv_heads = 1 : i64, unit_offset} : tensor<?x24xbf16>
  %q = qwen.qk_norm_rope_append %qkv, %table, %slots, %positions, %pages, @head, @head, @k_cache, @v_cache {epsilon = 1.0e-6, gated, num_heads = 2 : i64, num_kv_heads = 1 : i64, unit_offset} : tensor<?x24xbf16>, tensor<?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32> -> tensor<?x2x4xbf16>
  // CHECK: qwen.attention %{{.*}}, @k_cache, @v_cache, %{{.*}}, %{{.*}}, %{{.*}} gate %[[QKV]] : tensor<?x24xbf16> {gate_offset = 8 : i64, scale = 5.000000e-01 : f64} : tensor<?x2x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages gate %qkv : tensor<?x24xbf16> {gate_offset = 8 : i64, scale = 0.5} : tensor<?x2x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x2x4xbf16> -> tensor<?x8xbf16>
  // CHECK: qwen.attention %{{.*}} gate %[[GATE:.*]] : tensor<?x8xbf16> {scale =
  %b = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages gate %m : tensor<?x8xbf16> {scale = 0.5} : tensor<?x2x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  // CHECK: qwen.sigmoid_gate %[[GATE]], %{{.*}} : tensor<?x8xbf16>, tensor<?x8xbf16>
  %g = qwen.sigmoid_gate %m, %m : tensor<?x8xbf16>, tensor<?x8xbf16>
  // CHECK: qwen.concat_features %{{.*}}, %[[QKV]] : tensor<?x8xbf16>, tensor<?x24xbf16> -> tensor<?x32xbf16>
  %c = qwen.concat_features %g, %qkv : tensor<?x8xbf16>, tensor<?x24xbf16> -> tensor<?x32xbf16>
  %s = qwen.slice_features %c offset 0 : tensor<?x32xbf16> -> tensor<?x8xbf16>
  return %s : tensor<?x8xbf16>
}
qwen.weight @head : tensor<4xbf16> from "a" at 0
