// RUN: quern-opt %s --split-input-file --verify-diagnostics

func.func @f(%x: tensor<?x48xf32>) {
  // expected-error @below {{expected codes of whole groups of 32 features and two factors for each, found 'tensor<?x12xi32>' and 'tensor<?x1x2xf32>'}}
  qwen.quantize_activations %x weight_bits 4 : tensor<?x48xf32> -> tensor<?x12xi32>, tensor<?x1x2xf32>
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>) {
  // expected-error @below {{has codes of 32 features, the input has 64}}
  qwen.quantize_activations %x weight_bits 4 : tensor<?x64xf32> -> tensor<?x8xi32>, tensor<?x1x2xf32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>) {
  // expected-error @below {{no encoding of weights has codes of 3 bits}}
  qwen.quantize_activations %x weight_bits 3 : tensor<?x32xf32> -> tensor<?x8xi32>, tensor<?x1x2xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<4x32xf32> from "a" at 0
func.func @f(%codes: tensor<?x8xi32>, %factors: tensor<?x1x2xf32>) {
  // expected-error @below {{weight @w is not quantised}}
  qwen.integer_linear %codes, %factors, [@w] : tensor<?x8xi32>, tensor<?x1x2xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4x32xf32> from "a" at 0 as !qwen.encoded<"q4">
// expected-note @below {{weight declared here}}
qwen.weight @b : tensor<4x32xf32> from "a" at 0 as !qwen.encoded<"int8">
func.func @f(%codes: tensor<?x8xi32>, %factors: tensor<?x1x2xf32>) {
  // expected-error @below {{weight @b is stored in another encoding than the first one}}
  qwen.integer_linear %codes, %factors, [@a, @b] : tensor<?x8xi32>, tensor<?x1x2xf32> -> tensor<?x8xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<4x32xf32> from "a" at 0 as !qwen.encoded<"q4">
func.func @f(%x: tensor<?x32xf32>) {
  %codes, %factors = qwen.quantize_activations %x weight_bits 8 : tensor<?x32xf32> -> tensor<?x8xi32>, tensor<?x1x2xf32>
  // expected-error @below {{weight @w has codes of other bits than the activations are for}}
  qwen.integer_linear %codes, %factors, [@w] : tensor<?x8xi32>, tensor<?x1x2xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @w : tensor<4x32xf32> from "a" at 0 as !qwen.encoded<"q4">
func.func @f(%codes: tensor<?x8xi32>, %factors: tensor<?x1x2xf32>) {
  // expected-error @below {{swiglu takes a gate and an up weight without parts}}
  qwen.integer_linear %codes, %factors, [@w] swiglu : tensor<?x8xi32>, tensor<?x1x2xf32> -> tensor<?x4xf32>
  return
}

// -----

qwen.weight @w : tensor<4x32xf32> from "a" at 0 as !qwen.encoded<"q4">
func.func @f(%codes: tensor<?x8xi32>, %factors: tensor<?x1x2xf32>) {
  // expected-error @below {{weights have 4 rows, expected the result's 6 features}}
  qwen.integer_linear %codes, %factors, [@w] : tensor<?x8xi32>, tensor<?x1x2xf32> -> tensor<?x6xf32>
  return
}
