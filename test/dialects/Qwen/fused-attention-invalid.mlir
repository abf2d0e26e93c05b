// RUN: quern-opt %s --split-input-file --verify-diagnostics

// Rules of qwen.qk_norm_rope_append; four query heads and two of key and value.
func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op num_heads is 2, expected the result's 4}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {num_heads = 2 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6} : tensor<1x32xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op num_kv_heads is 3, expected a divisor of num_heads 4}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 3 : i64, epsilon = 1.0e-6} : tensor<1x32xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{attribute 'num_kv_heads' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 0 : i64, epsilon = 1.0e-6} : tensor<1x32xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

func.func @f(%qkv: tensor<1x30xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op qkv has 30 features of 'f32', expected 32 of 'f32'}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6} : tensor<1x30xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x6xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op table has 6 columns, expected an even number up to the head_dim 4}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6} : tensor<1x32xf32>, tensor<1x6xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op epsilon must be positive and finite}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 0.0} : tensor<1x32xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

qwen.weight @q : tensor<4xf32> from "a" at 0
// expected-note @below {{weight declared here}}
qwen.weight @k : tensor<8xf32> from "a" at 0
func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op weight @k has shape 8, expected 4}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6} : tensor<1x32xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

qwen.weight @q : tensor<4xf32> from "a" at 0
// expected-note @below {{state declared here}}
qwen.state @k_cache key_cache : tensor<8x1x16x4xf32>
func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op state @k_cache has entries 1x4 of 'f32', expected 2x4 of 'f32'}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @q, @k_cache, @v_cache {num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6} : tensor<1x32xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}

// -----

// Four query heads and their gates, two heads each of keys and values.
func.func @f(%qkv: tensor<1x32xf32>, %table: tensor<1x4xf32>, %s: tensor<1xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.qk_norm_rope_append' op qkv has 32 features of 'f32', expected 48 of 'f32'}}
  qwen.qk_norm_rope_append %qkv, %table, %s, %s, %t, @q, @k, @k_cache, @v_cache {gated, num_heads = 4 : i64, num_kv_heads = 2 : i64, epsilon = 1.0e-6} : tensor<1x32xf32>, tensor<1x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32> -> tensor<1x4x4xf32>
  return
}
