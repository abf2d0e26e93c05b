// RUN: quern-opt %s --split-input-file --verify-diagnostics

func.func @f(%p: tensor<?xi32>) {
  // expected-error @below {{'qwen.rope_table' op inverse_frequencies have type 'tensor<2xf64>', expected a 1D tensor of f32}}
  qwen.rope_table %p {inverse_frequencies = dense<1.0> : tensor<2xf64>} : tensor<?xi32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%p: tensor<?xi32>) {
  // expected-error @below {{'qwen.rope_table' op result has 6 columns, expected twice the 2 inverse_frequencies}}
  qwen.rope_table %p {inverse_frequencies = dense<1.0> : tensor<2xf32>} : tensor<?xi32> -> tensor<?x6xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xf32>, %t: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.rope' op table has 6 columns, expected an even number up to the head_dim 4}}
  qwen.rope %x, %t : tensor<?x2x4xf32>, tensor<?x6xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xf32>, %t: tensor<?x3xf32>) {
  // expected-error @below {{'qwen.rope' op table has 3 columns, expected an even number up to the head_dim 4}}
  qwen.rope %x, %t : tensor<?x2x4xf32>, tensor<?x3xf32>
  return
}

// -----

func.func @f(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf16>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.cache_append' op k has type 'tensor<?x2x4xf32>', v has type 'tensor<?x2x4xf16>', expected the same}}
  qwen.cache_append @k, @v, %k, %v, %s, %s, %t : tensor<?x2x4xf32>, tensor<?x2x4xf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

// expected-note @below {{state declared here}}
qwen.state @k key_cache : tensor<8x2x16x4xf16>
func.func @f(%k: tensor<?x2x4xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.cache_append' op state @k has entries 2x4 of 'f16', expected 2x4 of 'f32'}}
  qwen.cache_append @k, @v, %k, %k, %s, %s, %t : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

qwen.state @k key_cache : tensor<8x2x16x4xf32>
// expected-note @below {{state declared here}}
qwen.state @v value_cache : tensor<8x3x16x4xf32>
func.func @f(%k: tensor<?x2x4xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.cache_append' op state @v has entries 3x4 of 'f32', expected 2x4 of 'f32'}}
  qwen.cache_append @k, @v, %k, %k, %s, %s, %t : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

// The caches swapped.
qwen.state @k key_cache : tensor<8x2x16x4xf32>
// expected-note @below {{symbol declared here}}
qwen.state @v value_cache : tensor<8x2x16x4xf32>
func.func @f(%k: tensor<?x2x4xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.cache_append' op @v is not a qwen.state of kind key_cache}}
  qwen.cache_append @v, @k, %k, %k, %s, %s, %t : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

func.func @f(%k: tensor<?x2x4xf32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // expected-error @below {{operand #4 must be static 2D tensor of 32-bit signless integer values, slots x pages per slot}}
  qwen.cache_append @k, @v, %k, %k, %s, %s, %t : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op @k is not a qwen.state of kind key_cache}}
  qwen.attention %q, @k, @v, %s, %s, %t {scale = 0.5} : tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

// expected-note @below {{state declared here}}
qwen.state @k key_cache : tensor<8x2x16x4xf32>
qwen.state @v value_cache : tensor<8x2x16x4xf32>
func.func @f(%q: tensor<?x3x4xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op has 3 query heads, expected a multiple of the cache's 2}}
  qwen.attention %q, @k, @v, %s, %s, %t {scale = 0.5} : tensor<?x3x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op scale must be positive and finite}}
  qwen.attention %q, @k, @v, %s, %s, %t {scale = 0.0} : tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

func.func @f(%q: tensor<4x2x4xf32>, %s: tensor<5xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op operand #1 has first dimension 5, expected 4}}
  qwen.attention %q, @k, @v, %s, %s, %t {scale = 1.0} : tensor<4x2x4xf32>, tensor<5xi32>, tensor<5xi32>, tensor<2x4xi32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %g: tensor<?x8xbf16>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op gate has elements of 'bf16', expected 'f32'}}
  qwen.attention %q, @k, @v, %s, %s, %t gate %g : tensor<?x8xbf16> {scale = 1.0} : tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %g: tensor<?x15xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op gate takes 8 features from offset 8 of 15}}
  qwen.attention %q, @k, @v, %s, %s, %t gate %g : tensor<?x15xf32> {gate_offset = 8 : i64, scale = 1.0} : tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op has a gate_offset without a gate}}
  qwen.attention %q, @k, @v, %s, %s, %t {gate_offset = 8 : i64, scale = 1.0} : tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

func.func @f(%q: tensor<4x2x4xf32>, %g: tensor<3x8xf32>, %s: tensor<4xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op operand #1 has first dimension 3, expected 4}}
  qwen.attention %q, @k, @v, %s, %s, %t gate %g : tensor<3x8xf32> {scale = 1.0} : tensor<4x2x4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<2x4xi32>
  return
}

// -----

// expected-note @below {{state declared here}}
qwen.state @k key_cache : tensor<8x2x16x32x!qwen.int8_rows>
func.func @f(%k: tensor<?x2x16xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.cache_append' op state @k has entries 2x32 of '!qwen.int8_rows', expected 2x16 of 'f32'}}
  qwen.cache_append @k, @v, %k, %k, %s, %s, %t : tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}

// -----

// expected-note @below {{state declared here}}
qwen.state @k key_cache : tensor<8x2x16x16x!qwen.int8_rows>
// expected-note @below {{state declared here}}
qwen.state @v value_cache : tensor<8x2x16x16xf32>
func.func @f(%q: tensor<?x4x16xf32>, %s: tensor<?xi32>, %t: tensor<2x4xi32>) {
  // expected-error @below {{'qwen.attention' op has int8 rows in one of its caches, expected them in both or in none}}
  qwen.attention %q, @k, @v, %s, %s, %t {scale = 0.5} : tensor<?x4x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
  return
}
