// RUN: quern-opt %s --split-input-file --verify-diagnostics

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<4x8xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op weight @w has shape 4x8, expected 4x6}}
  qwen.linear %x, [@w] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op @w is not a qwen.weight}}
  qwen.linear %x, [@w] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

// expected-note @below {{symbol declared here}}
qwen.state @w key_cache : tensor<1x1x4x6xf32>
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op @w is not a qwen.weight}}
  qwen.linear %x, [@w] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4x6xf32> from "a" at 0
qwen.weight @b : tensor<2x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op weights have 6 rows, expected the result's 4 features}}
  qwen.linear %x, [@a, @b] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op names no weight}}
  qwen.linear %x, [] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xbf16>) {
  // expected-error @below {{'qwen.linear' op result has element type 'f16', expected 'bf16' or f32}}
  qwen.linear %x, [@a] : tensor<?x6xbf16> -> tensor<?x4xf16>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @vector : tensor<6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op weight @vector has shape 6, expected 6x6}}
  qwen.linear %x, [@vector] : tensor<?x6xf32> -> tensor<?x6xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @table : tensor<40x16xf32> from "a" at 0
func.func @f(%ids: tensor<?xi32>) {
  // expected-error @below {{'qwen.embedding' op weight @table has shape 40x16, expected 40x8}}
  qwen.embedding %ids, @table : tensor<?xi32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%ids: tensor<?xi32>) {
  // expected-error @below {{result #0 must be 2D tensor of 32-bit float values, tokens x features}}
  qwen.embedding %ids, @table : tensor<?xi32> -> tensor<?x8xbf16>
  return
}

// -----

func.func @f(%ids: tensor<?xi64>) {
  // expected-error @below {{operand #0 must be 1D tensor of 32-bit signless integer values}}
  qwen.embedding %ids, @table : tensor<?xi64> -> tensor<?x8xf32>
  return
}

// -----

qwen.weight @gate : tensor<4x6xf32> from "a" at 0
// expected-note @below {{weight declared here}}
qwen.weight @up : tensor<5x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear_swiglu' op weight @up has shape 5x6, expected 4x6}}
  qwen.linear_swiglu %x, @gate, @up : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @gate : tensor<4x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xbf16>) {
  // expected-error @below {{'qwen.linear_swiglu' op changes the element type}}
  qwen.linear_swiglu %x, @gate, @gate : tensor<?x6xbf16> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%logits: tensor<?x33xf32>, %sampling: tensor<?x7xf32>, %seen: tensor<?x2xi32>) {
  // expected-error @below {{'qwen.sample' op sampling rows have 7 numbers, expected 8}}
  qwen.sample %logits, %sampling, %seen : tensor<?x33xf32>, tensor<?x7xf32>, tensor<?x2xi32> -> tensor<?xi32>
  return
}

// -----

func.func @f(%logits: tensor<?x33xf32>, %sampling: tensor<?x8xf32>, %seen: tensor<?x1xi32>) {
  // expected-error @below {{'qwen.sample' op seen rows have 1 words, expected 2 for 33 tokens}}
  qwen.sample %logits, %sampling, %seen : tensor<?x33xf32>, tensor<?x8xf32>, tensor<?x1xi32> -> tensor<?xi32>
  return
}

// -----

qwen.weight @a : tensor<4x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op has 2 lists of parts for 1 weights}}
  qwen.linear %x, [@a] parts [array<i64: 2>, array<i64>] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @a : tensor<4x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op parts are groups of 3 rows, weight @a has 4}}
  qwen.linear %x, [@a] parts [array<i64: 2, 1>] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op has a part of 0 rows of weight @a, which has 4}}
  qwen.linear %x, [@a] parts [array<i64: 2, 0>] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4x6xf32> from "a" at 0
func.func @f(%x: tensor<?x6xf32>) {
  // expected-error @below {{'qwen.linear' op has a part of 9223372036854775807 rows of weight @a, which has 4}}
  qwen.linear %x, [@a] parts [array<i64: 2, 9223372036854775807>] : tensor<?x6xf32> -> tensor<?x4xf32>
  return
}
