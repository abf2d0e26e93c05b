// RUN: quern-opt %s --qwen-fuse-qk-norm-rope-append | FileCheck %s
// RUN: quern-opt %s --qwen-fuse-qk-norm-rope-append > %t.once
// RUN: quern-opt %t.once --qwen-fuse-qk-norm-rope-append | diff - %t.once

qwen.weight @q_norm : tensor<4xbf16> from "a" at 0
qwen.weight @k_norm : tensor<4xbf16> from "a" at 0
qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>

// CHECK-LABEL: func.func @fuses
// CHECK-SAME: (%[[QKV:[^:]*]]: {{.*}}, %[[SLOTS:[^:]*]]: {{.*}}, %[[POSITIONS:[^:]*]]: {{.*}}, %[[PAGES:[^:]*]]: {{.*}}, %[[TABLE:[^:]*]]: tensor<?x4xf32>, %{{.*}}: tensor<?x4xf32>)
// CHECK-NEXT: %[[Q:.*]] = qwen.qk_norm_rope_append %[[QKV]], %[[TABLE]], %[[SLOTS]], %[[POSITIONS]], %[[PAGES]], @q_norm, @k_norm, @k_cache, @v_cache {epsilon = {{.*}}, num_heads = 4 : i64, num_kv_heads = 2 : i64} : tensor<?x32xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32> -> tensor<?x4x4xf32>
// CHECK-NEXT: qwen.attention %[[Q]], @k_cache, @v_cache
// CHECK-NEXT: return
func.func @fuses(%qkv: tensor<?x32xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>, %other: tensor<?x4xf32>) -> tensor<?x4x4xf32> {
  %q = qwen.slice_features %qkv offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.slice_features %qkv offset 16 : tensor<?x32xf32> -> tensor<?x8xf32>
  %v = qwen.slice_features %qkv offset 24 : tensor<?x32xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @q_norm {epsilon = 1.0e-6} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %kn = qwen.rms_norm %kh, @k_norm {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  %kr = qwen.rope %kn, %table : tensor<?x2x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kr, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// The norms differ.
// CHECK-LABEL: func.func @other_epsilon
// CHECK-NOT: qwen.qk_norm_rope_append
// CHECK: return
func.func @other_epsilon(%qkv: tensor<?x32xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>, %other: tensor<?x4xf32>) -> tensor<?x4x4xf32> {
  %q = qwen.slice_features %qkv offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.slice_features %qkv offset 16 : tensor<?x32xf32> -> tensor<?x8xf32>
  %v = qwen.slice_features %qkv offset 24 : tensor<?x32xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @q_norm {epsilon = 1.0e-6} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %kn = qwen.rms_norm %kh, @k_norm {epsilon = 1.0e-5} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  %kr = qwen.rope %kn, %table : tensor<?x2x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kr, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// Queries and keys are rotated differently.
// CHECK-LABEL: func.func @other_table
// CHECK-NOT: qwen.qk_norm_rope_append
// CHECK: return
func.func @other_table(%qkv: tensor<?x32xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>, %other: tensor<?x4xf32>) -> tensor<?x4x4xf32> {
  %q = qwen.slice_features %qkv offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.slice_features %qkv offset 16 : tensor<?x32xf32> -> tensor<?x8xf32>
  %v = qwen.slice_features %qkv offset 24 : tensor<?x32xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @q_norm {epsilon = 1.0e-6} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %kn = qwen.rms_norm %kh, @k_norm {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  %kr = qwen.rope %kn, %other : tensor<?x2x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kr, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// The keys are not where the op expects them.
// CHECK-LABEL: func.func @other_order
// CHECK-NOT: qwen.qk_norm_rope_append
// CHECK: return
func.func @other_order(%qkv: tensor<?x32xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>, %other: tensor<?x4xf32>) -> tensor<?x4x4xf32> {
  %q = qwen.slice_features %qkv offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.slice_features %qkv offset 8 : tensor<?x32xf32> -> tensor<?x8xf32>
  %v = qwen.slice_features %qkv offset 24 : tensor<?x32xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @q_norm {epsilon = 1.0e-6} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %kn = qwen.rms_norm %kh, @k_norm {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  %kr = qwen.rope %kn, %table : tensor<?x2x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kr, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// The keys are not normed.
// CHECK-LABEL: func.func @no_norm
// CHECK-NOT: qwen.qk_norm_rope_append
// CHECK: return
func.func @no_norm(%qkv: tensor<?x32xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>, %other: tensor<?x4xf32>) -> tensor<?x4x4xf32> {
  %q = qwen.slice_features %qkv offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.slice_features %qkv offset 16 : tensor<?x32xf32> -> tensor<?x8xf32>
  %v = qwen.slice_features %qkv offset 24 : tensor<?x32xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @q_norm {epsilon = 1.0e-6} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  %kr = qwen.rope %kh, %table : tensor<?x2x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kr, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a : tensor<?x4x4xf32>
}

// The rotated keys are needed elsewhere.
// CHECK-LABEL: func.func @other_use
// CHECK-NOT: qwen.qk_norm_rope_append
// CHECK: return
func.func @other_use(%qkv: tensor<?x32xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>, %other: tensor<?x4xf32>) -> (tensor<?x4x4xf32>, tensor<?x2x4xf32>) {
  %q = qwen.slice_features %qkv offset 0 : tensor<?x32xf32> -> tensor<?x16xf32>
  %k = qwen.slice_features %qkv offset 16 : tensor<?x32xf32> -> tensor<?x8xf32>
  %v = qwen.slice_features %qkv offset 24 : tensor<?x32xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @q_norm {epsilon = 1.0e-6} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %kn = qwen.rms_norm %kh, @k_norm {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  %kr = qwen.rope %kn, %table : tensor<?x2x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kr, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a, %kr : tensor<?x4x4xf32>, tensor<?x2x4xf32>
}

// Gates between the queries and the keys are left alone.
// CHECK-LABEL: func.func @gated
// CHECK-SAME: (%[[ROW:[^:]*]]: tensor<?x48xf32>
// CHECK-NEXT: %[[G:.*]] = qwen.slice_features %[[ROW]] offset 16
// CHECK-NEXT: %[[Q:.*]] = qwen.qk_norm_rope_append %[[ROW]], {{.*}} {epsilon = {{.*}}, gated, num_heads = 4 : i64, num_kv_heads = 2 : i64, unit_offset} : tensor<?x48xf32>
// CHECK-NEXT: qwen.attention %[[Q]]
// CHECK-NEXT: return %{{.*}}, %[[G]]
func.func @gated(%row: tensor<?x48xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>,
    %pages: tensor<2x4xi32>, %table: tensor<?x4xf32>) -> (tensor<?x4x4xf32>, tensor<?x16xf32>) {
  %q = qwen.slice_features %row offset 0 : tensor<?x48xf32> -> tensor<?x16xf32>
  %g = qwen.slice_features %row offset 16 : tensor<?x48xf32> -> tensor<?x16xf32>
  %k = qwen.slice_features %row offset 32 : tensor<?x48xf32> -> tensor<?x8xf32>
  %v = qwen.slice_features %row offset 40 : tensor<?x48xf32> -> tensor<?x8xf32>
  %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %kh = qwen.split_heads %k : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %vh = qwen.split_heads %v : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %qn = qwen.rms_norm %qh, @q_norm {epsilon = 1.0e-6, unit_offset} : tensor<?x4x4xf32> -> tensor<?x4x4xf32>
  %kn = qwen.rms_norm %kh, @k_norm {epsilon = 1.0e-6, unit_offset} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  %qr = qwen.rope %qn, %table : tensor<?x4x4xf32>, tensor<?x4xf32>
  %kr = qwen.rope %kn, %table : tensor<?x2x4xf32>, tensor<?x4xf32>
  qwen.cache_append @k_cache, @v_cache, %kr, %vh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %a = qwen.attention %qr, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %a, %g : tensor<?x4x4xf32>, tensor<?x16xf32>
}
