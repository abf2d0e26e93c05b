// RUN: quern-opt %s --qwen-lower-to-exec | FileCheck %s
// RUN: quern-opt %s --qwen-lower-to-exec --exec-pack-panels=rows=8 | FileCheck %s --check-prefix=PANELS

// Experts of int8 activations: codes of x, and of what the down weights read,
// as rows of a token. Weights of other bits have codes of their own.

qwen.weight @gate_up : tensor<3x64x64xbf16> from "a" at 0 as !qwen.encoded<"q4">
qwen.weight @down : tensor<3x64x32xbf16> from "a" at 0 as !qwen.encoded<"int8">

// CHECK: exec.kernel @quantize_activations_t4_64 family "quantize_activations" arguments [#exec.argument<read, tensor<4x64xf16>>, #exec.argument<write, tensor<4x16xi32>>, #exec.argument<write, tensor<4x2x2xf32>>] config {count = "tokens", weight_bits = 4 : i64}
// CHECK-NEXT: exec.kernel @integer_expert_rows_t4_3x2x64x64 family "integer_expert_rows" arguments [#exec.argument<read, tensor<4x16xi32>>, #exec.argument<read, tensor<4x2x2xf32>>, #exec.argument<read, tensor<4x2xi32>>, #exec.argument<read, tensor<3x64x64x!qwen.encoded<"q4">>>, #exec.argument<write, tensor<4x2x32xf16>>] config {epilogue = "swiglu"}
// CHECK-NEXT: exec.kernel @quantize_activations_t4_64_0 family "quantize_activations" arguments [#exec.argument<read, tensor<4x64xf16>>, #exec.argument<write, tensor<4x16xi32>>, #exec.argument<write, tensor<4x2x2xf32>>] config {count = "tokens", weight_bits = 8 : i64}
// CHECK-NEXT: exec.kernel @integer_expert_sum_t4_3x2x32x64 family "integer_expert_sum" arguments [#exec.argument<read, tensor<4x2x8xi32>>, #exec.argument<read, tensor<4x2x1x2xf32>>, #exec.argument<read, tensor<4x2xi32>>, #exec.argument<read, tensor<4x2xf32>>, #exec.argument<read, tensor<3x64x32x!qwen.encoded<"int8">>>, #exec.argument<write, tensor<4x64xf16>>] config {}
// CHECK: exec.kernel @integer_expert_tiles_t4_3x2x4x64x64 family "integer_expert_tiles" arguments [#exec.argument<read, tensor<4x16xi32>>, #exec.argument<read, tensor<4x2x2xf32>>, #exec.argument<read, tensor<4x4xi32>>, {{.*}}] config {epilogue = "swiglu"}
// CHECK-NEXT: exec.kernel @integer_expert_tiles_t4_3x2x4x32x64 family "integer_expert_tiles" arguments [#exec.argument<read, tensor<4x2x8xi32>>, #exec.argument<read, tensor<4x2x1x2xf32>>, {{.*}}] config {epilogue = "none"}

// PANELS: exec.weight @gate_up.interleave interleave [@gate_up] panels 8
// PANELS: exec.weight @down.plain plain [@down] panels 8
// PANELS: exec.kernel @integer_expert_rows{{.*}} config {epilogue = "swiglu", weight_panels = 8 : i64}
// PANELS: exec.kernel @integer_expert_sum{{.*}} config {weight_panels = 8 : i64}
// PANELS: exec.kernel @integer_expert_tiles{{.*}} config {epilogue = "none", weight_panels = 8 : i64}

func.func @prefill(%x: tensor<4x64xf32> {qwen.role = "hidden"})
    -> (tensor<4x64xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 4 : i64, exec.rows = 0 : i64} {
  %n = qwen.rms_norm %x, @norm {epsilon = 1.0e-6} : tensor<4x64xf32> -> tensor<4x64xf16>
  %e, %w = qwen.router %n, @gate {normalize} : tensor<4x64xf16> -> tensor<4x2xi32>, tensor<4x2xf32>
  %a = qwen.experts %n, %e, %w, [@gate_up], [@down] int8_activations : tensor<4x64xf16>, tensor<4x2xi32>, tensor<4x2xf32>
  %b = qwen.experts %a, %e, %w, [@gate_up], [@down] tile 4 int8_activations : tensor<4x64xf16>, tensor<4x2xi32>, tensor<4x2xf32>
  %y = qwen.residual_add %x, %b : tensor<4x64xf32>, tensor<4x64xf16>
  return %y : tensor<4x64xf32>
}
qwen.weight @norm : tensor<64xbf16> from "a" at 0
qwen.weight @gate : tensor<3x64xf32> from "a" at 0
