// RUN: quern-opt %s --qwen-quantize-activations | FileCheck %s

qwen.weight @q : tensor<64x64xbf16> from "f" at 0 as !qwen.encoded<"q4">
qwen.weight @gate : tensor<32x64xbf16> from "f" at 0 as !qwen.encoded<"q4">
qwen.weight @up : tensor<32x64xbf16> from "f" at 0 as !qwen.encoded<"q4">
qwen.weight @head : tensor<96x64xbf16> from "f" at 0 as !qwen.encoded<"int8">
qwen.weight @dense : tensor<64x64xbf16> from "f" at 0

// Products of the same inputs share the codes for weights of as many bits.
// CHECK-LABEL: func.func @products(
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf16>
func.func @products(%x: tensor<?x64xf16>) -> (tensor<?x64xf16>, tensor<?x32xf16>, tensor<?x96xf32>) {
  // CHECK: %[[CODES:.*]], %[[FACTORS:.*]] = qwen.quantize_activations %[[X]] weight_bits 4 : tensor<?x64xf16> -> tensor<?x16xi32>, tensor<?x2x2xf32>
  // CHECK: qwen.integer_linear %[[CODES]], %[[FACTORS]], [@q] parts {{.*}} : tensor<?x16xi32>, tensor<?x2x2xf32> -> tensor<?x64xf16>
  %0 = qwen.linear %x, [@q] parts [array<i64: 4, 4>] : tensor<?x64xf16> -> tensor<?x64xf16>
  // CHECK: qwen.integer_linear %[[CODES]], %[[FACTORS]], [@gate, @up] swiglu : tensor<?x16xi32>, tensor<?x2x2xf32> -> tensor<?x32xf16>
  %1 = qwen.linear_swiglu %x, @gate, @up : tensor<?x64xf16> -> tensor<?x32xf16>
  // CHECK: %[[WIDE:.*]], %[[SCALES:.*]] = qwen.quantize_activations %[[X]] weight_bits 8
  // CHECK: qwen.integer_linear %[[WIDE]], %[[SCALES]], [@head] : {{.*}} -> tensor<?x96xf32>
  %2 = qwen.linear %x, [@head] : tensor<?x64xf16> -> tensor<?x96xf32>
  return %0, %1, %2 : tensor<?x64xf16>, tensor<?x32xf16>, tensor<?x96xf32>
}

// CHECK-LABEL: func.func @plain
func.func @plain(%x: tensor<?x64xf16>) -> tensor<?x64xf16> {
  // CHECK-NOT: quantize_activations
  // CHECK: qwen.linear
  %0 = qwen.linear %x, [@dense] : tensor<?x64xf16> -> tensor<?x64xf16>
  return %0 : tensor<?x64xf16>
}

qwen.weight @gate_up : tensor<2x64x64xbf16> from "f" at 0 as !qwen.encoded<"q4">
qwen.weight @down : tensor<2x64x32xbf16> from "f" at 0 as !qwen.encoded<"int8">
qwen.weight @dense_down : tensor<2x64x32xbf16> from "f" at 0

// CHECK-LABEL: func.func @experts
func.func @experts(%x: tensor<?x64xf16>, %e: tensor<?x2xi32>, %w: tensor<?x2xf32>) -> (tensor<?x64xf16>, tensor<?x64xf16>) {
  // CHECK: qwen.experts %{{.*}}, [@gate_up], [@down] tile 4 int8_activations :
  %0 = qwen.experts %x, %e, %w, [@gate_up], [@down] tile 4 : tensor<?x64xf16>, tensor<?x2xi32>, tensor<?x2xf32>
  // One of its weights is not quantised.
  // CHECK: qwen.experts %{{.*}}, [@gate_up], [@dense_down] :
  %1 = qwen.experts %x, %e, %w, [@gate_up], [@dense_down] : tensor<?x64xf16>, tensor<?x2xi32>, tensor<?x2xf32>
  return %0, %1 : tensor<?x64xf16>, tensor<?x64xf16>
}
