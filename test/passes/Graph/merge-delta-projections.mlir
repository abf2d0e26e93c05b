// RUN: quern-opt %s --qwen-merge-delta-projections | FileCheck %s
// RUN: quern-opt %s --qwen-merge-delta-projections > %t.once
// RUN: quern-opt %t.once --qwen-merge-delta-projections | diff - %t.once

// Two key heads of 4, four value heads of 3: 28 channels.
qwen.weight @qkv : tensor<28x16xbf16> from "a" at 0
qwen.weight @z : tensor<12x16xbf16> from "a" at 0
qwen.weight @z_f32 : tensor<12x16xf32> from "a" at 0
qwen.weight @conv : tensor<28x1x4xbf16> from "a" at 0
qwen.weight @A_log : tensor<4xf32> from "a" at 0
qwen.weight @dt_bias : tensor<4xbf16> from "a" at 0
qwen.weight @norm : tensor<3xf32> from "a" at 0
qwen.state @recurrent recurrent : tensor<2x4x4x3xf32>
qwen.state @state convolution : tensor<2x16x28xf32>
qwen.state @keys delta_keys : tensor<2x32x2x4xf32>
qwen.state @updates delta_updates : tensor<2x32x4x3xf32>
qwen.state @decays delta_decays : tensor<2x32x4xf32>

// CHECK-LABEL: func.func @merges
// CHECK-SAME: (%[[X:[^:]*]]: tensor<?x16xf32>
// CHECK-NEXT: %[[ROW:.*]] = qwen.linear %[[X]], [@qkv, @z] : tensor<?x16xf32> -> tensor<?x40xf32>
// CHECK-NEXT: qwen.causal_conv1d %[[ROW]], @conv, @state, %{{.*}} : tensor<?x40xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
// CHECK-NOT: qwen.linear
// CHECK: qwen.gated_rms_norm %{{.*}}, %[[ROW]], @norm {epsilon = {{.*}}, gate_offset = 28 : i64} : tensor<?x4x3xf32>, tensor<?x40xf32> -> tensor<?x4x3xf32>
func.func @merges(%x: tensor<?x16xf32>, %other: tensor<?x16xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %qkv = qwen.linear %x, [@qkv] : tensor<?x16xf32> -> tensor<?x28xf32>
  %z = qwen.linear %x, [@z] : tensor<?x16xf32> -> tensor<?x12xf32>
  %y = qwen.causal_conv1d %qkv, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  %n = qwen.gated_rms_norm %o, %z, @norm {epsilon = 1.0e-6} : tensor<?x4x3xf32>, tensor<?x12xf32> -> tensor<?x4x3xf32>
  return %n : tensor<?x4x3xf32>
}

// The gate comes from other rows.
// CHECK-LABEL: func.func @other_input
// CHECK-COUNT-2: qwen.linear
// CHECK: return
func.func @other_input(%x: tensor<?x16xf32>, %other: tensor<?x16xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %qkv = qwen.linear %x, [@qkv] : tensor<?x16xf32> -> tensor<?x28xf32>
  %z = qwen.linear %other, [@z] : tensor<?x16xf32> -> tensor<?x12xf32>
  %y = qwen.causal_conv1d %qkv, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  %n = qwen.gated_rms_norm %o, %z, @norm {epsilon = 1.0e-6} : tensor<?x4x3xf32>, tensor<?x12xf32> -> tensor<?x4x3xf32>
  return %n : tensor<?x4x3xf32>
}

// Weights of two element types can't lie in one buffer.
// CHECK-LABEL: func.func @other_weight_type
// CHECK-COUNT-2: qwen.linear
// CHECK: return
func.func @other_weight_type(%x: tensor<?x16xf32>, %other: tensor<?x16xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %qkv = qwen.linear %x, [@qkv] : tensor<?x16xf32> -> tensor<?x28xf32>
  %z = qwen.linear %x, [@z_f32] : tensor<?x16xf32> -> tensor<?x12xf32>
  %y = qwen.causal_conv1d %qkv, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  %n = qwen.gated_rms_norm %o, %z, @norm {epsilon = 1.0e-6} : tensor<?x4x3xf32>, tensor<?x12xf32> -> tensor<?x4x3xf32>
  return %n : tensor<?x4x3xf32>
}

// The gate is needed elsewhere.
// CHECK-LABEL: func.func @other_use
// CHECK-COUNT-2: qwen.linear
// CHECK: return
func.func @other_use(%x: tensor<?x16xf32>, %other: tensor<?x16xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> (tensor<?x4x3xf32>, tensor<?x12xf32>) {
  %qkv = qwen.linear %x, [@qkv] : tensor<?x16xf32> -> tensor<?x28xf32>
  %z = qwen.linear %x, [@z] : tensor<?x16xf32> -> tensor<?x12xf32>
  %y = qwen.causal_conv1d %qkv, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  %n = qwen.gated_rms_norm %o, %z, @norm {epsilon = 1.0e-6} : tensor<?x4x3xf32>, tensor<?x12xf32> -> tensor<?x4x3xf32>
  return %n, %z : tensor<?x4x3xf32>, tensor<?x12xf32>
}
