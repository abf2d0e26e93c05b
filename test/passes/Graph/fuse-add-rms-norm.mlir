// RUN: quern-opt %s --qwen-fuse-add-rms-norm | FileCheck %s
// RUN: quern-opt %s --qwen-fuse-add-rms-norm > %t.once
// RUN: quern-opt %t.once --qwen-fuse-add-rms-norm | diff - %t.once

qwen.weight @a : tensor<16xbf16> from "f" at 0
qwen.weight @b : tensor<16xbf16> from "f" at 0

// CHECK-LABEL: func.func @fuses
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x16xf32>, %[[D:[^:]*]]: tensor<?x16xbf16>
// CHECK-NEXT: %[[SUM:.*]], %[[NORMED:.*]] = qwen.add_rms_norm %[[X]], %[[D]], @a {epsilon = {{.*}}} : tensor<?x16xf32>, tensor<?x16xbf16> -> tensor<?x16xf32>, tensor<?x16xbf16>
// CHECK-NEXT: qwen.residual_add %[[SUM]], %[[NORMED]]
func.func @fuses(%x: tensor<?x16xf32>, %d: tensor<?x16xbf16>) -> tensor<?x16xf32> {
  %s = qwen.residual_add %x, %d : tensor<?x16xf32>, tensor<?x16xbf16>
  %n = qwen.rms_norm %s, @a {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xbf16>
  %y = qwen.residual_add %s, %n : tensor<?x16xf32>, tensor<?x16xbf16>
  return %y : tensor<?x16xf32>
}

// CHECK-LABEL: func.func @keeps_unit_offset
// CHECK: qwen.add_rms_norm {{.*}} {epsilon = {{.*}}, unit_offset}
func.func @keeps_unit_offset(%x: tensor<?x16xf32>, %d: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %s = qwen.residual_add %x, %d : tensor<?x16xf32>, tensor<?x16xf32>
  %n = qwen.rms_norm %s, @a {epsilon = 1.0e-6, unit_offset} : tensor<?x16xf32> -> tensor<?x16xf32>
  return %n : tensor<?x16xf32>
}

// The sum is used between add and norm: the fused op stands in front of both.
// CHECK-LABEL: func.func @use_in_between
// CHECK-NEXT: %[[SUM:.*]], %[[NORMED:.*]] = qwen.add_rms_norm
// CHECK-NEXT: qwen.select_rows %[[SUM]]
func.func @use_in_between(%x: tensor<?x16xf32>, %d: tensor<?x16xf32>, %rows: tensor<?xi32>)
    -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %s = qwen.residual_add %x, %d : tensor<?x16xf32>, tensor<?x16xf32>
  %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
  %n = qwen.rms_norm %s, @a {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
  return %n, %r : tensor<?x16xf32>, tensor<?x16xf32>
}

// Only the first of two norms fits into the op.
// CHECK-LABEL: func.func @two_norms
// CHECK-NEXT: %[[SUM:.*]], %{{.*}} = qwen.add_rms_norm %{{.*}}, %{{.*}}, @a
// CHECK-NEXT: qwen.rms_norm %[[SUM]], @b
func.func @two_norms(%x: tensor<?x16xf32>, %d: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %s = qwen.residual_add %x, %d : tensor<?x16xf32>, tensor<?x16xf32>
  %a = qwen.rms_norm %s, @a {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
  %b = qwen.rms_norm %s, @b {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
  return %a, %b : tensor<?x16xf32>, tensor<?x16xf32>
}

// CHECK-LABEL: func.func @selected_rows
// CHECK: qwen.residual_add
// CHECK: qwen.rms_norm
func.func @selected_rows(%x: tensor<?x16xf32>, %d: tensor<?x16xf32>, %rows: tensor<?xi32>) -> tensor<?x16xf32> {
  %s = qwen.residual_add %x, %d : tensor<?x16xf32>, tensor<?x16xf32>
  %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
  %n = qwen.rms_norm %r, @a {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
  return %n : tensor<?x16xf32>
}
