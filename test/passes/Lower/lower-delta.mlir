// RUN: quern-opt %s --split-input-file --qwen-lower-to-exec | FileCheck %s

// Few tokens: the convolution stores its inputs, the rule appends.

qwen.weight @conv : tensor<64x1x4xbf16> from "a" at 0
qwen.weight @A_log : tensor<2xf32> from "a" at 0
qwen.weight @dt_bias : tensor<2xbf16> from "a" at 0
qwen.weight @norm : tensor<16xf32> from "a" at 0
qwen.state @conv_state convolution : tensor<3x16x64xbf16>
qwen.state @recurrent recurrent : tensor<3x2x16x16xf32>
qwen.state @keys delta_keys : tensor<3x32x1x16xf32>
qwen.state @updates delta_updates : tensor<3x32x2x16xf32>
qwen.state @decays delta_decays : tensor<3x32x2xf32>

// CHECK: exec.kernel @linear_t2_64x96
// CHECK-NEXT: exec.kernel @linear_t2_64x4
// CHECK-NEXT: exec.kernel @delta_inputs_append_t2_1x16x2x16x4 family "delta_inputs_append" arguments [#exec.argument<read, tensor<2x96xbf16>>, #exec.argument<read, tensor<2x4xf32>>, #exec.argument<read, tensor<64x1x4xbf16>>, #exec.argument<read, tensor<2xf32>>, #exec.argument<read, tensor<2xbf16>>, #exec.argument<read, tensor<3x16x64xbf16>>, #exec.argument<read, tensor<2x8xi32>>, #exec.argument<readwrite, tensor<3x16x64xbf16>>, #exec.argument<write, tensor<2x1x16xf32>>, #exec.argument<write, tensor<2x1x16xf32>>, #exec.argument<write, tensor<2x2x16xbf16>>, #exec.argument<write, tensor<2x2xf32>>, #exec.argument<write, tensor<2x2xf32>>] config {epsilon = {{.*}}}
// CHECK-NEXT: exec.kernel @delta_rule_t2_1x16x2x16 family "delta_rule" arguments [{{.*}}#exec.argument<read, tensor<3x2x16x16xf32>>, #exec.argument<read, tensor<3x32x1x16xf32>>, #exec.argument<read, tensor<3x32x2x16xf32>>, #exec.argument<read, tensor<3x32x2xf32>>, #exec.argument<read, tensor<2x8xi32>>, #exec.argument<readwrite, tensor<3x2x16x16xf32>>, #exec.argument<readwrite, tensor<3x32x1x16xf32>>, #exec.argument<readwrite, tensor<3x32x2x16xf32>>, #exec.argument<readwrite, tensor<3x32x2xf32>>, #exec.argument<write, tensor<2x2x16xbf16>>] config {}
// CHECK-NEXT: exec.kernel @gated_rms_norm_t2_2x16 family "gated_rms_norm" arguments [#exec.argument<read, tensor<2x2x16xbf16>>, #exec.argument<read, tensor<2x96xbf16>>, #exec.argument<read, tensor<16xf32>>, #exec.argument<write, tensor<2x2x16xbf16>>] config {epsilon = {{.*}}, gate_offset = 64 : i64}

// One state is read and written by one dispatch.
// CHECK-LABEL: exec.program @decode
// CHECK: exec.dispatch @delta_inputs_append_t2_1x16x2x16x4(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[CONV:[^,]*]], %{{[^,]*}}, %[[CONV]],
// CHECK: exec.dispatch @delta_rule_t2_1x16x2x16(%{{.*}}, %[[S:[^,]*]], %[[K:[^,]*]], %[[U:[^,]*]], %[[D:[^,]*]], %{{[^,]*}}, %[[S]], %[[K]], %[[U]], %[[D]],
func.func @decode(%r: tensor<2x64xf32> {qwen.role = "hidden"}, %s: tensor<2x8xi32> {qwen.role = "sequences"})
    -> (tensor<2x64xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind decode>, exec.tokens = 2 : i64, exec.rows = 2 : i64, exec.sequences = 2 : i64} {
  %h = qwen.rms_norm %r, @input_norm {epsilon = 1.0e-6} : tensor<2x64xf32> -> tensor<2x64xbf16>
  %x = qwen.linear %h, [@in_proj] : tensor<2x64xbf16> -> tensor<2x96xbf16>
  %ba = qwen.linear %h, [@in_proj_ba] : tensor<2x64xbf16> -> tensor<2x4xf32>
  %q, %k, %v, %g, %b = qwen.delta_inputs %x, %ba, @conv, @A_log, @dt_bias, @conv_state, %s {epsilon = 1.0e-6}
      : tensor<2x96xbf16>, tensor<2x4xf32>, tensor<2x8xi32>
      -> tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x16xbf16>, tensor<2x2xf32>, tensor<2x2xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %g, %b, @recurrent, @keys, @updates, @decays, %s
      : tensor<2x1x16xf32>, tensor<2x1x16xf32>, tensor<2x2x16xbf16>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x8xi32> -> tensor<2x2x16xbf16>
  %n = qwen.gated_rms_norm %o, %x, @norm {epsilon = 1.0e-6, gate_offset = 64 : i64} : tensor<2x2x16xbf16>, tensor<2x96xbf16> -> tensor<2x2x16xbf16>
  %m = qwen.merge_heads %n : tensor<2x2x16xbf16> -> tensor<2x32xbf16>
  %y = qwen.linear %m, [@out_proj] : tensor<2x32xbf16> -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}
qwen.weight @input_norm : tensor<64xf32> from "a" at 0
qwen.weight @out_proj : tensor<64x32xbf16> from "a" at 0
qwen.weight @in_proj : tensor<96x64xbf16> from "a" at 0
qwen.weight @in_proj_ba : tensor<4x64xbf16> from "a" at 0

// -----

// Many tokens, each op on its own.

qwen.weight @conv : tensor<64x1x4xbf16> from "a" at 0
qwen.weight @A_log : tensor<2xf32> from "a" at 0
qwen.weight @dt_bias : tensor<2xf32> from "a" at 0
qwen.state @conv_state convolution : tensor<3x16x64xf32>
qwen.state @recurrent recurrent : tensor<3x2x16x16xf32>
qwen.state @keys delta_keys : tensor<3x32x1x16xf32>
qwen.state @updates delta_updates : tensor<3x32x2x16xf32>
qwen.state @decays delta_decays : tensor<3x32x2xf32>

// CHECK: exec.kernel @causal_conv1d_t20_64x4 family "causal_conv1d" arguments [#exec.argument<read, tensor<20x64xf32>>, #exec.argument<read, tensor<64x1x4xbf16>>, #exec.argument<read, tensor<3x16x64xf32>>, #exec.argument<read, tensor<3x8xi32>>, #exec.argument<write, tensor<20x64xf32>>] config {}
// CHECK-NEXT: exec.kernel @convolution_append_t20_64 family "convolution_append" arguments [#exec.argument<read, tensor<20x64xf32>>, #exec.argument<read, tensor<3x8xi32>>, #exec.argument<readwrite, tensor<3x16x64xf32>>] config {}
// CHECK-NEXT: exec.kernel @slice_features_t20_64x16 family "slice_features" arguments [#exec.argument<read, tensor<20x64xf32>>, #exec.argument<write, tensor<20x16xf32>>] config {count = "tokens", offset = 0 : i64}
// CHECK: exec.kernel @l2_norm_t20_1x16 family "l2_norm" arguments [#exec.argument<read, tensor<20x1x16xf32>>, #exec.argument<write, tensor<20x1x16xf32>>] config {epsilon = {{.*}}, scale = 2.500000e-01 : f64}
// CHECK: exec.kernel @delta_gates_t20_2 family "delta_gates" arguments [#exec.argument<read, tensor<20x4xf32>>, #exec.argument<read, tensor<2xf32>>, #exec.argument<read, tensor<2xf32>>, #exec.argument<write, tensor<20x2xf32>>, #exec.argument<write, tensor<20x2xf32>>] config {}
// CHECK-NEXT: exec.kernel @delta_scan_t20_1x16x2x16 family "delta_scan" arguments [{{.*}}#exec.argument<read, tensor<3x8xi32>>, #exec.argument<readwrite, tensor<3x2x16x16xf32>>, #exec.argument<write, tensor<20x2x16xf32>>] config {}
// CHECK-NEXT: exec.kernel @delta_chunk_t20_1x16x2x16x8 family "delta_chunk" arguments [{{.*}}#exec.argument<read, tensor<3x8xi32>>, #exec.argument<readwrite, tensor<3x2x16x16xf32>>, #exec.argument<write, tensor<20x2x16xf32>>] config {chunk = 8 : i64}
// CHECK-NEXT: exec.kernel @sigmoid_gate_t20_32 family "sigmoid_gate"
// CHECK-NEXT: exec.kernel @concat_features_t20_32x32 family "concat_features" arguments [#exec.argument<read, tensor<20x32xf32>>, #exec.argument<read, tensor<20x32xf32>>, #exec.argument<write, tensor<20x64xf32>>] config {count = "tokens"}
func.func @prefill(%x: tensor<20x64xf32> {qwen.role = "hidden"}, %s: tensor<3x8xi32> {qwen.role = "sequences"})
    -> (tensor<20x64xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 20 : i64, exec.rows = 0 : i64, exec.sequences = 3 : i64} {
  %y = qwen.causal_conv1d %x, @conv, @conv_state, %s : tensor<20x64xf32>, tensor<3x8xi32> -> tensor<20x64xf32>
  %q0 = qwen.slice_features %y offset 0 : tensor<20x64xf32> -> tensor<20x16xf32>
  %k0 = qwen.slice_features %y offset 16 : tensor<20x64xf32> -> tensor<20x16xf32>
  %v0 = qwen.slice_features %y offset 32 : tensor<20x64xf32> -> tensor<20x32xf32>
  %q1 = qwen.split_heads %q0 : tensor<20x16xf32> -> tensor<20x1x16xf32>
  %k1 = qwen.split_heads %k0 : tensor<20x16xf32> -> tensor<20x1x16xf32>
  %v = qwen.split_heads %v0 : tensor<20x32xf32> -> tensor<20x2x16xf32>
  %q = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.25} : tensor<20x1x16xf32> -> tensor<20x1x16xf32>
  %k = qwen.l2_norm %k1 {epsilon = 1.0e-6} : tensor<20x1x16xf32> -> tensor<20x1x16xf32>
  %ba = qwen.slice_features %y offset 0 : tensor<20x64xf32> -> tensor<20x4xf32>
  %g, %b = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<20x4xf32> -> tensor<20x2xf32>, tensor<20x2xf32>
  %o = qwen.gated_delta_rule %q, %k, %v, %g, %b, @recurrent, @keys, @updates, @decays, %s chunk 1
      : tensor<20x1x16xf32>, tensor<20x1x16xf32>, tensor<20x2x16xf32>, tensor<20x2xf32>, tensor<20x2xf32>, tensor<3x8xi32> -> tensor<20x2x16xf32>
  %p = qwen.gated_delta_rule %q, %k, %o, %g, %b, @recurrent, @keys, @updates, @decays, %s chunk 8
      : tensor<20x1x16xf32>, tensor<20x1x16xf32>, tensor<20x2x16xf32>, tensor<20x2xf32>, tensor<20x2xf32>, tensor<3x8xi32> -> tensor<20x2x16xf32>
  %m = qwen.merge_heads %p : tensor<20x2x16xf32> -> tensor<20x32xf32>
  %z = qwen.sigmoid_gate %m, %v0 : tensor<20x32xf32>, tensor<20x32xf32>
  %c = qwen.concat_features %z, %m : tensor<20x32xf32>, tensor<20x32xf32> -> tensor<20x64xf32>
  return %c : tensor<20x64xf32>
}
