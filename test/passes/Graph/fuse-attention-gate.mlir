// RUN: quern-opt %s --qwen-fuse-attention-gate | FileCheck %s
// RUN: quern-opt %s --qwen-fuse-attention-gate > %t.once
// RUN: quern-opt %t.once --qwen-fuse-attention-gate | diff - %t.once

qwen.weight @w : tensor<16x16xf32> from "a" at 0
qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>

// CHECK-LABEL: func.func @fuses
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<?x4x4xf32>, %[[ROW:[^:]*]]: tensor<?x48xf32>
// CHECK-NEXT: %[[A:.*]] = qwen.attention %[[Q]], @k_cache, @v_cache, %{{.*}}, %{{.*}}, %{{.*}} gate %[[ROW]] : tensor<?x48xf32> {gate_offset = 16 : i64, scale = 5.000000e-01 : f64}
// CHECK-NEXT: %[[M:.*]] = qwen.merge_heads %[[A]]
// CHECK-NEXT: return %[[M]]
func.func @fuses(%q: tensor<?x4x4xf32>, %row: tensor<?x48xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> tensor<?x16xf32> {
  %g = qwen.slice_features %row offset 16 : tensor<?x48xf32> -> tensor<?x16xf32>
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
  %y = qwen.sigmoid_gate %m, %g : tensor<?x16xf32>, tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// A gate that is a tensor of its own.
// CHECK-LABEL: func.func @whole_gate
// CHECK: qwen.attention {{.*}} gate %{{.*}} : tensor<?x16xf32> {scale = 5.000000e-01 : f64}
// CHECK-NOT: qwen.sigmoid_gate
// CHECK: return
func.func @whole_gate(%q: tensor<?x4x4xf32>, %row: tensor<?x48xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %g: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
  %y = qwen.sigmoid_gate %m, %g : tensor<?x16xf32>, tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// The slice stays if something else reads it.
// CHECK-LABEL: func.func @gate_with_other_use
// CHECK: %[[G:.*]] = qwen.slice_features
// CHECK: qwen.attention {{.*}} gate
// CHECK: return %{{.*}}, %[[G]]
func.func @gate_with_other_use(%q: tensor<?x4x4xf32>, %row: tensor<?x48xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %g = qwen.slice_features %row offset 16 : tensor<?x48xf32> -> tensor<?x16xf32>
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
  %y = qwen.sigmoid_gate %m, %g : tensor<?x16xf32>, tensor<?x16xf32>
  return %y, %g : tensor<?x16xf32>, tensor<?x16xf32>
}

// The attention is needed without its gate.
// CHECK-LABEL: func.func @other_use
// CHECK: qwen.sigmoid_gate
func.func @other_use(%q: tensor<?x4x4xf32>, %row: tensor<?x48xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %g = qwen.slice_features %row offset 16 : tensor<?x48xf32> -> tensor<?x16xf32>
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
  %y = qwen.sigmoid_gate %m, %g : tensor<?x16xf32>, tensor<?x16xf32>
  return %y, %m : tensor<?x16xf32>, tensor<?x16xf32>
}

// The gate is computed behind the attention.
// CHECK-LABEL: func.func @late_gate
// CHECK: qwen.sigmoid_gate
func.func @late_gate(%q: tensor<?x4x4xf32>, %row: tensor<?x48xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
  %g = qwen.linear %x, [@w] : tensor<?x16xf32> -> tensor<?x16xf32>
  %y = qwen.sigmoid_gate %m, %g : tensor<?x16xf32>, tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// It has a gate already.
// CHECK-LABEL: func.func @second_gate
// CHECK: qwen.sigmoid_gate
func.func @second_gate(%q: tensor<?x4x4xf32>, %row: tensor<?x48xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> tensor<?x16xf32> {
  %g = qwen.slice_features %row offset 16 : tensor<?x48xf32> -> tensor<?x16xf32>
  %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %pages gate %row : tensor<?x48xf32> {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
  %y = qwen.sigmoid_gate %m, %g : tensor<?x16xf32>, tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
