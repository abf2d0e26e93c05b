// RUN: quern-opt %s --qwen-lower-to-exec | FileCheck %s

// Both forms of a mixture of experts; weights in matrices of each expert and
// in one tensor each.

qwen.weight @gate : tensor<3x16xf32> from "a" at 0
qwen.weight @e.0.gate_proj : tensor<8x16xbf16> from "a" at 0
qwen.weight @e.0.up_proj : tensor<8x16xbf16> from "a" at 0
qwen.weight @e.0.down_proj : tensor<16x8xbf16> from "a" at 0
qwen.weight @e.1.gate_proj : tensor<8x16xbf16> from "a" at 0
qwen.weight @e.1.up_proj : tensor<8x16xbf16> from "a" at 0
qwen.weight @e.1.down_proj : tensor<16x8xbf16> from "a" at 0
qwen.weight @e.2.gate_proj : tensor<8x16xbf16> from "a" at 0
qwen.weight @e.2.up_proj : tensor<8x16xbf16> from "a" at 0
qwen.weight @e.2.down_proj : tensor<16x8xbf16> from "a" at 0
qwen.weight @gate_up_proj : tensor<3x16x16xbf16> from "a" at 0
qwen.weight @down_proj : tensor<3x16x8xbf16> from "a" at 0

// CHECK: exec.weight @gate.plain plain [@gate] : tensor<3x16xf32>
// CHECK-NEXT: exec.weight @e.0.gate_proj_2.up_proj.interleave interleave [@e.0.gate_proj, @e.0.up_proj, @e.1.gate_proj, @e.1.up_proj, @e.2.gate_proj, @e.2.up_proj] : tensor<48x16xbf16>
// CHECK-NEXT: exec.weight @{{.*}}.concatenate concatenate [@e.0.down_proj, @e.1.down_proj, @e.2.down_proj] : tensor<48x8xbf16>
// CHECK-NEXT: exec.weight @gate_up_proj.interleave interleave [@gate_up_proj] : tensor<3x16x16xbf16>
// CHECK-NEXT: exec.weight @down_proj.plain plain [@down_proj] : tensor<3x16x8xbf16>
// CHECK: exec.kernel @linear_t4_16x3 family "linear" {{.*}}#exec.argument<write, tensor<4x3xf32>>] config {count = "tokens", epilogue = "none"}
// CHECK-NEXT: exec.kernel @router_t4_3x2 family "router" arguments [#exec.argument<read, tensor<4x3xf32>>, #exec.argument<write, tensor<4x2xi32>>, #exec.argument<write, tensor<4x2xf32>>] config {count = "tokens", normalize = true}
// CHECK-NEXT: exec.kernel @expert_rows_t4_3x2x16x16 family "expert_rows" arguments [#exec.argument<read, tensor<4x16xf16>>, #exec.argument<read, tensor<4x2xi32>>, #exec.argument<read, tensor<3x16x16xbf16>>, #exec.argument<write, tensor<4x2x8xf16>>] config {epilogue = "swiglu"}
// CHECK-NEXT: exec.kernel @expert_sum_t4_3x2x8x16 family "expert_sum" arguments [#exec.argument<read, tensor<4x2x8xf16>>, #exec.argument<read, tensor<4x2xi32>>, #exec.argument<read, tensor<4x2xf32>>, #exec.argument<read, tensor<3x16x8xbf16>>, #exec.argument<write, tensor<4x16xf16>>] config {}
// 8 pairs of 3 experts fill at most 4 tiles of 4, 2 or 1 rows.
// CHECK-NEXT: exec.kernel @expert_count_t4_3x2 family "expert_count" arguments [#exec.argument<read, tensor<4x2xi32>>, #exec.argument<write, tensor<3xi32>>] config {}
// CHECK-NEXT: exec.kernel @expert_sort_t4_3x2x4 family "expert_sort" arguments [#exec.argument<read, tensor<4x2xi32>>, #exec.argument<read, tensor<3xi32>>, #exec.argument<write, tensor<4x4xi32>>, #exec.argument<write, tensor<4xi32>>, #exec.argument<write, tensor<3xi32>>] config {}
// CHECK-NEXT: exec.kernel @expert_tiles_t4_3x2x4x16x16 family "expert_tiles" arguments [#exec.argument<read, tensor<4x16xf16>>, #exec.argument<read, tensor<4x4xi32>>, #exec.argument<read, tensor<4xi32>>, #exec.argument<read, tensor<3xi32>>, #exec.argument<read, tensor<3x16x16xbf16>>, #exec.argument<write, tensor<4x2x8xf16>>] config {epilogue = "swiglu"}
// CHECK-NEXT: exec.kernel @expert_tiles_t4_3x2x4x8x16 family "expert_tiles" arguments [#exec.argument<read, tensor<4x2x8xf16>>, {{.*}}#exec.argument<write, tensor<4x2x16xf32>>] config {epilogue = "none"}
// CHECK-NEXT: exec.kernel @expert_combine_t4_2x16 family "expert_combine" arguments [#exec.argument<read, tensor<4x2x16xf32>>, #exec.argument<read, tensor<4x2xf32>>, #exec.argument<write, tensor<4x16xf16>>] config {}
// CHECK-NEXT: exec.kernel @linear_t4_16x1
// CHECK-NEXT: exec.kernel @scale_by_sigmoid_t4_16 family "scale_by_sigmoid" arguments [#exec.argument<read, tensor<4x16xf16>>, #exec.argument<read, tensor<4x1xf32>>, #exec.argument<write, tensor<4x16xf16>>] config {}
// CHECK-NEXT: exec.kernel @residual_add

qwen.weight @shared_gate : tensor<1x16xbf16> from "a" at 0

// CHECK-LABEL: exec.program @prefill
func.func @prefill(%x: tensor<4x16xf32> {qwen.role = "hidden"})
    -> (tensor<4x16xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 4 : i64, exec.rows = 0 : i64} {
  %n = qwen.rms_norm %x, @norm {epsilon = 1.0e-6} : tensor<4x16xf32> -> tensor<4x16xf16>
  %e, %w = qwen.router %n, @gate {normalize} : tensor<4x16xf16> -> tensor<4x2xi32>, tensor<4x2xf32>
  %a = qwen.experts %n, %e, %w, [@e.0.gate_proj, @e.0.up_proj, @e.1.gate_proj, @e.1.up_proj, @e.2.gate_proj, @e.2.up_proj], [@e.0.down_proj, @e.1.down_proj, @e.2.down_proj] : tensor<4x16xf16>, tensor<4x2xi32>, tensor<4x2xf32>
  %b = qwen.experts %a, %e, %w, [@gate_up_proj], [@down_proj] tile 4 : tensor<4x16xf16>, tensor<4x2xi32>, tensor<4x2xf32>
  %g = qwen.linear %n, [@shared_gate] : tensor<4x16xf16> -> tensor<4x1xf32>
  %s = qwen.scale_by_sigmoid %b, %g : tensor<4x16xf16>, tensor<4x1xf32>
  %y = qwen.residual_add %x, %s : tensor<4x16xf32>, tensor<4x16xf16>
  return %y : tensor<4x16xf32>
}
qwen.weight @norm : tensor<16xbf16> from "a" at 0
