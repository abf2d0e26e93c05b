// RUN: quern-opt %s --qwen-specialize-experts --verify-diagnostics

qwen.weight @gate_up : tensor<4x12x8xf32> from "a" at 0
qwen.weight @down : tensor<4x8x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @below {{'qwen.experts' op has no static number of tokens}}
  qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>
  return
}
