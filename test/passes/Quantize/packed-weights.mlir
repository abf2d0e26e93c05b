// RUN: quern-opt %s --qwen-quantize-weights | FileCheck %s
// RUN: quern-opt %s --qwen-quantize-weights='weights=int8 head=keep' | FileCheck %s --check-prefix=INT8
// RUN: quern-opt %s --qwen-quantize-weights=weights=f32 | FileCheck %s --check-prefix=EXACT

// What the checkpoint quantised keeps its type, unless another is asked for.
// EXACT-NOT: {{ as }}

// CHECK: qwen.weight @q : tensor<64x64xf32> from "f" at 0 as !qwen.encoded<"q4-zero-point">
// INT8: qwen.weight @q : tensor<64x64xf32> from "f" at 0 as !qwen.encoded<"int8">
qwen.weight @q : tensor<64x64xf32> from "f" at 0 as !qwen.encoded<"q4-zero-point">
// INT8: qwen.weight @head : tensor<96x64xf32> from "f" at 1 as !qwen.encoded<"q4">
// CHECK: qwen.weight @head : tensor<96x64xf32> from "f" at 1 as !qwen.encoded<"q4">
qwen.weight @head : tensor<96x64xf32> from "f" at 1 as !qwen.encoded<"q4">

// One product has one type: the more precise.
// CHECK: qwen.weight @kept : tensor<64x64xf32> from "f" at 2 as bf16
qwen.weight @kept : tensor<64x64xf32> from "f" at 2 as !qwen.encoded<"q4">
// CHECK: qwen.weight @decoded : tensor<64x64xf32> from "f" at 3 as bf16
qwen.weight @decoded : tensor<64x64xf32> from "f" at 3 as bf16

// Experts whose rows are no multiple of 8 are decoded.
// CHECK: qwen.weight @gate_up : tensor<4x20x64xf32> from "f" at 4{{$}}
qwen.weight @gate_up : tensor<4x20x64xf32> from "f" at 4 as !qwen.encoded<"q4">
// CHECK: qwen.weight @down : tensor<4x64x10xf32> from "f" at 5 as bf16
qwen.weight @down : tensor<4x64x10xf32> from "f" at 5 as bf16

func.func @decode(%x: tensor<1x64xf32>, %e: tensor<1x2xi32>, %w: tensor<1x2xf32>, %s: tensor<1x8xf32>, %seen: tensor<1x3xi32>) -> (tensor<1x128xf32>, tensor<1xi32>) {
  %q = qwen.linear %x, [@q] : tensor<1x64xf32> -> tensor<1x64xf32>
  %y = qwen.experts %q, %e, %w, [@gate_up], [@down] : tensor<1x64xf32>, tensor<1x2xi32>, tensor<1x2xf32>
  %both = qwen.linear %y, [@kept, @decoded] : tensor<1x64xf32> -> tensor<1x128xf32>
  %l = qwen.linear %y, [@head] : tensor<1x64xf32> -> tensor<1x96xf32>
  %t = qwen.sample %l, %s, %seen : tensor<1x96xf32>, tensor<1x8xf32>, tensor<1x3xi32> -> tensor<1xi32>
  return %both, %t : tensor<1x128xf32>, tensor<1xi32>
}
