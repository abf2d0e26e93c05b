// RUN: quern-opt %s --split-input-file --verify-diagnostics

qwen.weight @gate : tensor<4x8xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.router' op result #1 must be 2D tensor of 32-bit float values}}
  qwen.router %x, @gate : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xbf16>
  return
}

// -----

qwen.weight @gate : tensor<4x8xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.router' op has 3 weights for 2 experts of a token}}
  qwen.router %x, @gate : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x3xf32>
  return
}

// -----

qwen.weight @gate : tensor<4x8xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.router' op chooses no expert}}
  qwen.router %x, @gate : tensor<?x8xf32> -> tensor<?x0xi32>, tensor<?x0xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @gate : tensor<4x8xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.router' op chooses 5 of 4 experts}}
  qwen.router %x, @gate : tensor<?x8xf32> -> tensor<?x5xi32>, tensor<?x5xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @gate : tensor<4x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.router' op weight @gate has shape 4x6, expected 4x8}}
  qwen.router %x, @gate : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.router' op @gate is not a qwen.weight}}
  qwen.router %x, @gate : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

qwen.weight @gate_up : tensor<4x12x8xf32> from "a" at 0
qwen.weight @down : tensor<3x8x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @below {{'qwen.experts' op has gate and up of 4 experts, but down of 3}}
  qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

qwen.weight @gate_up : tensor<4x12x8xf32> from "a" at 0
// expected-note @below {{weight declared here}}
qwen.weight @down : tensor<4x6x8xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @below {{'qwen.experts' op weight @down has shape 4x6x8, expected 4x8x6}}
  qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

qwen.weight @gate_up : tensor<4x12x8xf32> from "a" at 0
qwen.weight @down : tensor<4x8x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x2xi32>, %w: tensor<?x3xf32>) {
  // expected-error @below {{'qwen.experts' op weights has shape ?x3, expected that of experts, ?x2}}
  qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x3xf32>
  return
}

// -----

qwen.weight @a : tensor<6x8xf32> from "a" at 0
qwen.weight @down : tensor<1x8x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x1xi32>, %w: tensor<?x1xf32>) {
  // expected-error @below {{'qwen.experts' op names 3 weights for gate and up, expected 2 of each expert}}
  qwen.experts %x, %e, %w, [@a, @a, @a], [@down] : tensor<?x8xf32>, tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

qwen.weight @a : tensor<1x12x8xf32> from "a" at 0
qwen.weight @down : tensor<1x8x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x1xi32>, %w: tensor<?x1xf32>) {
  // expected-error @below {{'qwen.experts' op names 2 weights for gate and up, expected one of rank 3}}
  qwen.experts %x, %e, %w, [@a, @a], [@down] : tensor<?x8xf32>, tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

qwen.weight @a : tensor<6x8xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x1xi32>, %w: tensor<?x1xf32>) {
  // expected-error @below {{'qwen.experts' op names no weight for down}}
  qwen.experts %x, %e, %w, [@a, @a], [] : tensor<?x8xf32>, tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x1xi32>, %w: tensor<?x1xf32>) {
  // expected-error @below {{'qwen.experts' op names no weight for gate and up}}
  qwen.experts %x, %e, %w, [], [] : tensor<?x8xf32>, tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

qwen.weight @a : tensor<6x8xf32> from "a" at 0
// expected-note @below {{weight declared here}}
qwen.weight @b : tensor<6x8xbf16> from "a" at 0
qwen.weight @down : tensor<8x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %e: tensor<?x1xi32>, %w: tensor<?x1xf32>) {
  // expected-error @below {{'qwen.experts' op weight @b has element type 'bf16', expected that of @a, 'f32'}}
  qwen.experts %x, %e, %w, [@a, @b], [@down] : tensor<?x8xf32>, tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @gate : tensor<3x8xf32> from "a" at 0
qwen.weight @gate_up : tensor<4x12x8xf32> from "a" at 0
qwen.weight @down : tensor<4x8x6xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>) {
  %e, %w = qwen.router %x, @gate : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  // expected-error @below {{'qwen.experts' op has 4 experts, but its router chooses of 3}}
  qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xbf16>, %gate: tensor<?x1xbf16>) {
  // expected-error @below {{'qwen.scale_by_sigmoid' op operand #1 must be 2D tensor of 32-bit float values}}
  qwen.scale_by_sigmoid %x, %gate : tensor<?x8xbf16>, tensor<?x1xbf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xbf16>, %gate: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.scale_by_sigmoid' op has 8 gates per token, expected 1}}
  qwen.scale_by_sigmoid %x, %gate : tensor<?x8xbf16>, tensor<?x8xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @gate_up : tensor<4x16x32xbf16> from "a" at 0
qwen.weight @down : tensor<4x32x8xbf16> from "a" at 0
func.func @f(%x: tensor<?x32xf32>, %e: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @below {{'qwen.experts' op int8_activations: weight @gate_up is not quantised}}
  qwen.experts %x, %e, %w, [@gate_up], [@down] int8_activations : tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

qwen.weight @gate_up : tensor<2x64x32xbf16> from "a" at 0 as !qwen.encoded<"q4">
qwen.weight @down.0 : tensor<32x32xbf16> from "a" at 0 as !qwen.encoded<"q4">
// expected-note @below {{weight declared here}}
qwen.weight @down.1 : tensor<32x32xbf16> from "a" at 0 as !qwen.encoded<"int8">
func.func @f(%x: tensor<?x32xf32>, %e: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @below {{'qwen.experts' op int8_activations: weight @down.1 is stored in another encoding than the first one}}
  qwen.experts %x, %e, %w, [@gate_up], [@down.0, @down.1] int8_activations : tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>
  return
}
