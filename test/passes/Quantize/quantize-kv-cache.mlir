// RUN: quern-opt %s --qwen-quantize-kv-cache | FileCheck %s
// RUN: quern-opt %s --qwen-quantize-kv-cache | quern-opt --qwen-quantize-kv-cache | FileCheck %s

// CHECK: qwen.state @k_cache key_cache : tensor<8x2x16x32x!qwen.int8_rows>
qwen.state @k_cache key_cache : tensor<8x2x16x32xbf16>
// CHECK: qwen.state @v_cache value_cache : tensor<8x2x16x32x!qwen.int8_rows>
qwen.state @v_cache value_cache : tensor<8x2x16x32xbf16>
// One that is not read: of a draft layer, say.
// CHECK: qwen.state @draft.k_cache key_cache : tensor<8x2x16x16x!qwen.int8_rows>
qwen.state @draft.k_cache key_cache : tensor<8x2x16x16xf32>
// CHECK: qwen.state @recurrent recurrent : tensor<2x4x32x32xf32>
qwen.state @recurrent recurrent : tensor<2x4x32x32xf32>
// CHECK: qwen.state @convolution convolution : tensor<2x16x32xbf16>
qwen.state @convolution convolution : tensor<2x16x32xbf16>

// The ops stay as they are.
// CHECK-LABEL: func.func @attend
func.func @attend(%q: tensor<?x4x32xbf16>, %k: tensor<?x2x32xbf16>,
    %slots: tensor<?xi32>, %pages: tensor<2x4xi32>) -> tensor<?x4x32xbf16> {
  // CHECK: qwen.cache_append @k_cache, @v_cache, %{{.*}} : tensor<?x2x32xbf16>, tensor<?x2x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  qwen.cache_append @k_cache, @v_cache, %k, %k, %slots, %slots, %pages : tensor<?x2x32xbf16>, tensor<?x2x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  // CHECK: qwen.attention %{{.*}}, @k_cache, @v_cache, %{{.*}} : tensor<?x4x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  %0 = qwen.attention %q, @k_cache, @v_cache, %slots, %slots, %pages {scale = 0.5} : tensor<?x4x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return %0 : tensor<?x4x32xbf16>
}
