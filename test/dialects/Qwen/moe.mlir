// RUN: quern-opt %s | quern-opt | FileCheck %s
// RUN: quern-opt %s --mlir-print-op-generic | quern-opt | FileCheck %s
// RUN: quern-opt %s --emit-bytecode | quern-opt | FileCheck %s

qwen.weight @gate.weight : tensor<2x16xf32> from "a" at 0
qwen.weight @gate_up_proj : tensor<2x24x16xbf16> from "a" at 0
qwen.weight @down_proj : tensor<2x16x12xbf16> from "a" at 0
qwen.weight @experts.0.gate : tensor<12x16xbf16> from "a" at 0
qwen.weight @experts.0.up : tensor<12x16xbf16> from "a" at 0
qwen.weight @experts.0.down : tensor<16x12xbf16> from "a" at 0
qwen.weight @experts.1.gate : tensor<12x16xbf16> from "a" at 0
qwen.weight @experts.1.up : tensor<12x16xbf16> from "a" at 0
qwen.weight @experts.1.down : tensor<16x12xbf16> from "a" at 0

// CHECK-LABEL: func.func @moe
func.func @moe(%x: tensor<?x16xbf16>, %gate: tensor<?x1xf32>) -> tensor<?x16xbf16> {
  // CHECK: %[[E:.*]], %[[W:.*]] = qwen.router %{{.*}}, @gate.weight : tensor<?x16xbf16> -> tensor<?x1xi32>, tensor<?x1xf32>
  %e, %w = qwen.router %x, @gate.weight : tensor<?x16xbf16> -> tensor<?x1xi32>, tensor<?x1xf32>
  // CHECK: qwen.router %{{.*}}, @gate.weight {normalize} : tensor<?x16xbf16> -> tensor<?x2xi32>, tensor<?x2xf32>
  %e2, %w2 = qwen.router %x, @gate.weight {normalize} : tensor<?x16xbf16> -> tensor<?x2xi32>, tensor<?x2xf32>
  // CHECK: qwen.experts %{{.*}}, %[[E]], %[[W]], [@gate_up_proj], [@down_proj] : tensor<?x16xbf16>, tensor<?x1xi32>, tensor<?x1xf32>
  %y = qwen.experts %x, %e, %w, [@gate_up_proj], [@down_proj] : tensor<?x16xbf16>, tensor<?x1xi32>, tensor<?x1xf32>
  // CHECK: qwen.experts %{{.*}}, %{{.*}}, %{{.*}}, [@experts.0.gate, @experts.0.up, @experts.1.gate, @experts.1.up], [@experts.0.down, @experts.1.down] tile 16 : tensor<?x16xbf16>, tensor<?x2xi32>, tensor<?x2xf32>
  %z = qwen.experts %y, %e2, %w2, [@experts.0.gate, @experts.0.up, @experts.1.gate, @experts.1.up], [@experts.0.down, @experts.1.down] tile 16 : tensor<?x16xbf16>, tensor<?x2xi32>, tensor<?x2xf32>
  // CHECK: qwen.scale_by_sigmoid %{{.*}}, %{{.*}} : tensor<?x16xbf16>, tensor<?x1xf32>
  %s = qwen.scale_by_sigmoid %z, %gate : tensor<?x16xbf16>, tensor<?x1xf32>
  return %s : tensor<?x16xbf16>
}
