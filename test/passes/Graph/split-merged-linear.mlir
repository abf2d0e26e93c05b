// RUN: quern-opt %s --qwen-split-merged-linear | FileCheck %s
// RUN: quern-opt %s --qwen-split-merged-linear > %t.once
// RUN: quern-opt %t.once --qwen-split-merged-linear | diff - %t.once

qwen.weight @a : tensor<16x16xbf16> from "f" at 0
qwen.weight @b : tensor<8x16xbf16> from "f" at 0
qwen.weight @c : tensor<8x16xbf16> from "f" at 0

// CHECK-LABEL: func.func @splits
// CHECK-SAME: %[[X:[^:]*]]:
// CHECK-NEXT: %[[A:.*]] = qwen.linear %[[X]], [@a] : tensor<?x16xf32> -> tensor<?x16xf32>
// CHECK-NEXT: %[[BC:.*]] = qwen.linear %[[X]], [@b, @c] : tensor<?x16xf32> -> tensor<?x16xf32>
// CHECK-NEXT: return %[[A]], %[[BC]]
func.func @splits(%x: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %abc = qwen.linear %x, [@a, @b, @c] : tensor<?x16xf32> -> tensor<?x32xf32>
  %a = qwen.slice_features %abc offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %bc = qwen.slice_features %abc offset 16 : tensor<?x32xf32> -> tensor<?x16xf32>
  return %a, %bc : tensor<?x16xf32>, tensor<?x16xf32>
}

// CHECK-LABEL: func.func @cuts_through_a_weight
// CHECK: qwen.linear %{{.*}}, [@a, @b]
// CHECK: qwen.slice_features %{{.*}} offset 8
func.func @cuts_through_a_weight(%x: tensor<?x16xf32>) -> tensor<?x8xf32> {
  %ab = qwen.linear %x, [@a, @b] : tensor<?x16xf32> -> tensor<?x24xf32>
  %s = qwen.slice_features %ab offset 8 : tensor<?x24xf32> -> tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}

// The merged rows are needed as a whole too.
// CHECK-LABEL: func.func @other_use
// CHECK: %[[AB:.*]] = qwen.linear %{{.*}}, [@a, @b]
// CHECK: %[[B:.*]] = qwen.linear %{{.*}}, [@b]
// CHECK: return %[[AB]], %[[B]]
func.func @other_use(%x: tensor<?x16xf32>) -> (tensor<?x24xf32>, tensor<?x8xf32>) {
  %ab = qwen.linear %x, [@a, @b] : tensor<?x16xf32> -> tensor<?x24xf32>
  %b = qwen.slice_features %ab offset 16 : tensor<?x24xf32> -> tensor<?x8xf32>
  return %ab, %b : tensor<?x24xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func @not_a_product
// CHECK: qwen.slice_features
func.func @not_a_product(%x: tensor<?x16xf32>) -> tensor<?x8xf32> {
  %s = qwen.slice_features %x offset 8 : tensor<?x16xf32> -> tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}

// Each product keeps the parts of its weights, and drops lists that are empty.
// CHECK-LABEL: func.func @parts
// CHECK: %[[A:.*]] = qwen.linear %{{.*}}, [@a] parts {{\[}}array<i64: 4, 4>] : tensor<?x16xf32> -> tensor<?x16xf32>
// CHECK: %[[B:.*]] = qwen.linear %{{.*}}, [@b] : tensor<?x16xf32> -> tensor<?x8xf32>
// CHECK: return %[[A]], %[[B]]
func.func @parts(%x: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>) {
  %ab = qwen.linear %x, [@a, @b] parts [array<i64: 4, 4>, array<i64>] : tensor<?x16xf32> -> tensor<?x24xf32>
  %a = qwen.slice_features %ab offset 0 : tensor<?x24xf32> -> tensor<?x16xf32>
  %b = qwen.slice_features %ab offset 16 : tensor<?x24xf32> -> tensor<?x8xf32>
  return %a, %b : tensor<?x16xf32>, tensor<?x8xf32>
}
