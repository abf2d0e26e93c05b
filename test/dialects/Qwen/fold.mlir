// RUN: quern-opt %s --canonicalize --cse | FileCheck %s

qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>

// CHECK-LABEL: func.func @merge_of_split
// CHECK-NEXT: return %arg0
func.func @merge_of_split(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = qwen.split_heads %x : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %1 = qwen.merge_heads %0 : tensor<?x2x4xf32> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @whole_slice
// CHECK-NEXT: return %arg0
func.func @whole_slice(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = qwen.slice_features %x offset 0 : tensor<?x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// An unused read goes, a write stays.
// CHECK-LABEL: func.func @effects
// CHECK-NEXT: qwen.cache_append
// CHECK-NEXT: return
func.func @effects(%x: tensor<1x2x4xf32>, %slots: tensor<1xi32>, %table: tensor<2x4xi32>) {
  %0 = qwen.attention %x, @k_cache, @v_cache, %slots, %slots, %table {scale = 0.5} : tensor<1x2x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32>
  qwen.cache_append @k_cache, @v_cache, %x, %x, %slots, %slots, %table : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32>
  return
}

// Two reads of a state are one value only if nothing writes between them.
// CHECK-LABEL: func.func @reads
// CHECK-COUNT-1: qwen.attention
// CHECK: qwen.cache_append
// CHECK-COUNT-1: qwen.attention
// CHECK-NOT: qwen.attention
// CHECK: return
func.func @reads(%x: tensor<1x2x4xf32>, %slots: tensor<1xi32>, %table: tensor<2x4xi32>) -> (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) {
  %0 = qwen.attention %x, @k_cache, @v_cache, %slots, %slots, %table {scale = 0.5} : tensor<1x2x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32>
  qwen.cache_append @k_cache, @v_cache, %x, %x, %slots, %slots, %table : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32>
  %1 = qwen.attention %x, @k_cache, @v_cache, %slots, %slots, %table {scale = 0.5} : tensor<1x2x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32>
  %2 = qwen.attention %x, @k_cache, @v_cache, %slots, %slots, %table {scale = 0.5} : tensor<1x2x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32>
  return %0, %1, %2 : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>
}
