// RUN: quern-opt %s --qwen-fuse-delta-inputs | FileCheck %s
// RUN: quern-opt %s --qwen-fuse-delta-inputs > %t.once
// RUN: quern-opt %t.once --qwen-fuse-delta-inputs | diff - %t.once

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

// CHECK-LABEL: func.func @fuses
// CHECK-SAME: (%[[ROW:[^:]*]]: tensor<?x40xf32>, %[[BA:[^:]*]]: tensor<?x8xf32>, %[[S:[^:]*]]: tensor<?x8xi32>)
// CHECK-NEXT: %[[Q:.*]], %[[K:.*]], %[[V:.*]], %[[DECAY:.*]], %[[BETA:.*]] = qwen.delta_inputs %[[ROW]], %[[BA]], @conv, @A_log, @dt_bias, @state, %[[S]] {epsilon = 9.9999999999999995E-7 : f64} : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>
// CHECK-NEXT: qwen.gated_delta_rule %[[Q]], %[[K]], %[[V]], %[[DECAY]], %[[BETA]], @recurrent
// CHECK-NEXT: return
func.func @fuses(%row: tensor<?x40xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %y = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x40xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
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
  return %o : tensor<?x4x3xf32>
}

// The norms differ.
// CHECK-LABEL: func.func @other_epsilon
// CHECK-NOT: qwen.delta_inputs
// CHECK: return
func.func @other_epsilon(%row: tensor<?x28xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %y = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return %o : tensor<?x4x3xf32>
}

// Queries are scaled differently.
// CHECK-LABEL: func.func @other_scale
// CHECK-NOT: qwen.delta_inputs
// CHECK: return
func.func @other_scale(%row: tensor<?x28xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %y = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return %o : tensor<?x4x3xf32>
}

// Keys stand in front of queries.
// CHECK-LABEL: func.func @other_order
// CHECK-NOT: qwen.delta_inputs
// CHECK: return
func.func @other_order(%row: tensor<?x28xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %y = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return %o : tensor<?x4x3xf32>
}

// The normed keys are needed elsewhere.
// CHECK-LABEL: func.func @other_use
// CHECK-NOT: qwen.delta_inputs
// CHECK: return
func.func @other_use(%row: tensor<?x28xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> (tensor<?x4x3xf32>, tensor<?x2x4xf32>) {
  %y = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
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
  return %o, %k : tensor<?x4x3xf32>, tensor<?x2x4xf32>
}

// So is the convolution.
// CHECK-LABEL: func.func @convolution_in_use
// CHECK-NOT: qwen.delta_inputs
// CHECK: return
func.func @convolution_in_use(%row: tensor<?x28xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> (tensor<?x4x3xf32>, tensor<?x28xf32>) {
  %y = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
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
  return %o, %y : tensor<?x4x3xf32>, tensor<?x28xf32>
}

// Another op touches the state of the convolution.
// CHECK-LABEL: func.func @state_in_use
// CHECK-NOT: qwen.delta_inputs
// CHECK: return
func.func @state_in_use(%row: tensor<?x28xf32>, %ba: tensor<?x8xf32>, %sequences: tensor<?x8xi32>) -> tensor<?x4x3xf32> {
  %y = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<?x28xf32> -> tensor<?x8xf32>
  %k0 = qwen.slice_features %y offset 8 : tensor<?x28xf32> -> tensor<?x8xf32>
  %v0 = qwen.slice_features %y offset 16 : tensor<?x28xf32> -> tensor<?x12xf32>
  %q1 = qwen.split_heads %q0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %k1 = qwen.split_heads %k0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %v = qwen.split_heads %v0 : tensor<?x12xf32> -> tensor<?x4x3xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  %again = qwen.causal_conv1d %row, @conv, @state, %sequences : tensor<?x28xf32>, tensor<?x8xi32> -> tensor<?x28xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return %o : tensor<?x4x3xf32>
}
