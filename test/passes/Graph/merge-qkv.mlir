// RUN: quern-opt %s --qwen-merge-qkv | FileCheck %s
// RUN: quern-opt %s --qwen-merge-qkv > %t.once
// RUN: quern-opt %t.once --qwen-merge-qkv | diff - %t.once

qwen.weight @q : tensor<16x16xbf16> from "a" at 0
qwen.weight @k : tensor<8x16xbf16> from "a" at 0
qwen.weight @v : tensor<8x16xbf16> from "a" at 0
qwen.weight @v_f32 : tensor<8x16xf32> from "a" at 0
qwen.weight @norm : tensor<4xbf16> from "a" at 0
qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>

// CHECK-LABEL: func.func @merges
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x16xf32>
func.func @merges(%x: tensor<?x16xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>) -> tensor<?x4x4xf32> {
  // CHECK: %[[QKV:.*]] = qwen.linear %[[X]], [@q, @k, @v] : tensor<?x16xf32> -> tensor<?x32xf32>
  // CHECK-DAG: %[[Q:.*]] = qwen.slice_features %[[QKV]] offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  // CHECK-DAG: %[[K:.*]] = qwen.slice_features %[[QKV]] offset 16 : tensor<?x32xf32> -> tensor<?x8xf32>
  // CHECK-DAG: %[[V:.*]] = qwen.slice_features %[[QKV]] offset 24 : tensor<?x32xf32> -> tensor<?x8xf32>
  // CHECK-NOT: qwen.linear
  // CHECK-DAG: qwen.split_heads %[[Q]]
  // CHECK-DAG: qwen.split_heads %[[K]]
  // CHECK-DAG: qwen.split_heads %[[V]]
  %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
  %k = qwen.linear %x, [@k] : tensor<?x16xf32> -> tensor<?x8xf32>
  %v = qwen.linear %x, [@v] : tensor<?x16xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @norm {epsilon = 1.0e-6} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kh, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// Weights of two element types can't lie in one buffer.
// CHECK-LABEL: func.func @other_weight_type
// CHECK-COUNT-3: qwen.linear
func.func @other_weight_type(%x: tensor<?x16xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> tensor<?x4x4xf32> {
  %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
  %k = qwen.linear %x, [@k] : tensor<?x16xf32> -> tensor<?x8xf32>
  %v = qwen.linear %x, [@v_f32] : tensor<?x16xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kh, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qh, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// CHECK-LABEL: func.func @other_input
// CHECK-COUNT-3: qwen.linear
func.func @other_input(%x: tensor<?x16xf32>, %y: tensor<?x16xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> tensor<?x4x4xf32> {
  %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
  %k = qwen.linear %x, [@k] : tensor<?x16xf32> -> tensor<?x8xf32>
  %v = qwen.linear %y, [@v] : tensor<?x16xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kh, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qh, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// CHECK-LABEL: func.func @other_use
// CHECK-COUNT-3: qwen.linear
func.func @other_use(%x: tensor<?x16xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> (tensor<?x4x4xf32>, tensor<?x8xf32>) {
  %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
  %k = qwen.linear %x, [@k] : tensor<?x16xf32> -> tensor<?x8xf32>
  %v = qwen.linear %x, [@v] : tensor<?x16xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kh, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qh, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a, %v : tensor<?x4x4xf32>, tensor<?x8xf32>
}

// Queries and gates come from one weight, whose rows are grouped by head; the
// slices of its rows become slices of the merged ones.
// CHECK-LABEL: func.func @gated
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x16xf32>
qwen.weight @qg : tensor<32x16xbf16> from "a" at 0
func.func @gated(%x: tensor<?x16xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> tensor<?x16xf32> {
  // CHECK: %[[ROW:.*]] = qwen.linear %[[X]], [@qg, @k, @v] parts {{\[}}array<i64: 4, 4>, array<i64>, array<i64>] : tensor<?x16xf32> -> tensor<?x48xf32>
  // CHECK-DAG: %[[Q:.*]] = qwen.slice_features %[[ROW]] offset 0 : tensor<?x48xf32> -> tensor<?x16xf32>
  // CHECK-DAG: %[[G:.*]] = qwen.slice_features %[[ROW]] offset 16 : tensor<?x48xf32> -> tensor<?x16xf32>
  // CHECK-DAG: %[[K:.*]] = qwen.slice_features %[[ROW]] offset 32 : tensor<?x48xf32> -> tensor<?x8xf32>
  // CHECK-DAG: %[[V:.*]] = qwen.slice_features %[[ROW]] offset 40 : tensor<?x48xf32> -> tensor<?x8xf32>
  // CHECK-NOT: qwen.linear
  // CHECK-DAG: qwen.split_heads %[[Q]]
  // CHECK-DAG: qwen.split_heads %[[K]]
  // CHECK-DAG: qwen.split_heads %[[V]]
  // CHECK: qwen.sigmoid_gate %{{.*}}, %[[G]]
  %qg = qwen.linear %x, [@qg] parts [array<i64: 4, 4>] : tensor<?x16xf32> -> tensor<?x32xf32>
  %q = qwen.slice_features %qg offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %g = qwen.slice_features %qg offset 16 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.linear %x, [@k] : tensor<?x16xf32> -> tensor<?x8xf32>
  %v = qwen.linear %x, [@v] : tensor<?x16xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kh, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qh, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
  %y = qwen.sigmoid_gate %m, %g : tensor<?x16xf32>, tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// The product of queries and gates is needed as a whole.
// CHECK-LABEL: func.func @gated_other_use
// CHECK-COUNT-3: qwen.linear
func.func @gated_other_use(%x: tensor<?x16xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>) -> (tensor<?x4x4xf32>, tensor<?x32xf32>) {
  %qg = qwen.linear %x, [@qg] parts [array<i64: 4, 4>] : tensor<?x16xf32> -> tensor<?x32xf32>
  %q = qwen.slice_features %qg offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.linear %x, [@k] : tensor<?x16xf32> -> tensor<?x8xf32>
  %v = qwen.linear %x, [@v] : tensor<?x16xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kh, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qh, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a, %qg : tensor<?x4x4xf32>, tensor<?x32xf32>
}
