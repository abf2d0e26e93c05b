// RUN: quern-opt %s --split-input-file --verify-diagnostics

qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
qwen.state @s convolution : tensor<2x16x8xf32>
func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op changes the element type}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x8xbf16>
  return
}

// -----

qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
qwen.state @s convolution : tensor<2x16x8xf32>
func.func @f(%x: tensor<?x6xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op has 8 channels of 6 features}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x6xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op weight @w has shape 8x1x4, expected 7x1x4}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x7xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<8x4xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op weight @w has shape 8x4, expected 8x1x4}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
// expected-note @below {{symbol declared here}}
qwen.state @s delta_decays : tensor<2x16x8xf32>
func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op @s is not a qwen.state of kind convolution}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op @w is not a qwen.weight}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
// expected-note @below {{state declared here}}
qwen.state @s convolution : tensor<2x16x9xf32>
func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op state @s has the type 'tensor<2x16x9xf32>', expected to end in 8}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
// expected-note @below {{state declared here}}
qwen.state @s convolution : tensor<2x16x8xbf16>
func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op state @s has elements of 'bf16', expected 'f32'}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
// expected-note @below {{state declared here}}
qwen.state @s convolution : tensor<2x3x8xf32>
func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op state @s keeps 3 tokens, expected at least 4}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %s: tensor<?x6xi32>) {
  // expected-error @below {{operand #1 must be 2D tensor of 32-bit signless integer values, sequences x 8}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<?x8xf32>, tensor<?x6xi32> -> tensor<?x8xf32>
  return
}

// -----

qwen.weight @w : tensor<8x1x4xf32> from "a" at 0
qwen.state @s convolution : tensor<2x16x8xf32>
func.func @f(%x: tensor<4x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.causal_conv1d' op result #0 has first dimension ?, expected 4}}
  qwen.causal_conv1d %x, @w, @s, %s : tensor<4x8xf32>, tensor<?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xbf16>) {
  // expected-error @below {{'qwen.l2_norm' op epsilon must be positive and finite}}
  qwen.l2_norm %x {epsilon = 0.0} : tensor<?x2x4xbf16> -> tensor<?x2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xbf16>) {
  // expected-error @below {{'qwen.l2_norm' op the result has shape ?x4x2, expected that of x, ?x2x4}}
  qwen.l2_norm %x {epsilon = 1.0e-6} : tensor<?x2x4xbf16> -> tensor<?x4x2xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xbf16>) {
  // expected-error @below {{result #0 must be 3D tensor of 32-bit float values, tokens x heads x head_dim}}
  qwen.l2_norm %x {epsilon = 1.0e-6} : tensor<?x2x4xbf16> -> tensor<?x2x4xbf16>
  return
}

// -----

func.func @f(%ba: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.delta_gates' op decay has 3 heads, expected 4}}
  qwen.delta_gates %ba, @a, @b : tensor<?x8xf32> -> tensor<?x3xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%ba: tensor<?x9xf32>) {
  // expected-error @below {{'qwen.delta_gates' op ba has 9 features, expected two for each of 4 heads}}
  qwen.delta_gates %ba, @a, @b : tensor<?x9xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%ba: tensor<?x8xbf16>) {
  // expected-error @below {{operand #0 must be 2D tensor of 32-bit float values, tokens x features}}
  qwen.delta_gates %ba, @a, @b : tensor<?x8xbf16> -> tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @a : tensor<5xf32> from "a" at 0
func.func @f(%ba: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.delta_gates' op weight @a has shape 5, expected 4}}
  qwen.delta_gates %ba, @a, @b : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4xf32> from "a" at 0
// expected-note @below {{weight declared here}}
qwen.weight @b : tensor<4x1xf32> from "a" at 0
func.func @f(%ba: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.delta_gates' op weight @b has shape 4x1, expected 4}}
  qwen.delta_gates %ba, @a, @b : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xf32>, %z: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.gated_rms_norm' op epsilon must be positive and finite}}
  qwen.gated_rms_norm %x, %z, @w {epsilon = -1.0} : tensor<?x2x4xf32>, tensor<?x8xf32> -> tensor<?x2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xf32>, %z: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.gated_rms_norm' op the result has shape ?x1x4, expected that of x, ?x2x4}}
  qwen.gated_rms_norm %x, %z, @w {epsilon = 1.0e-6} : tensor<?x2x4xf32>, tensor<?x8xf32> -> tensor<?x1x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xf32>, %z: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.gated_rms_norm' op gate takes 8 features from offset 1 of 8}}
  qwen.gated_rms_norm %x, %z, @w {epsilon = 1.0e-6, gate_offset = 1 : i64} : tensor<?x2x4xf32>, tensor<?x8xf32> -> tensor<?x2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xf32>, %z: tensor<?x8xf32>) {
  // expected-error @below {{attribute 'gate_offset' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  qwen.gated_rms_norm %x, %z, @w {epsilon = 1.0e-6, gate_offset = -1 : i64} : tensor<?x2x4xf32>, tensor<?x8xf32> -> tensor<?x2x4xf32>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<8xf32> from "a" at 0
func.func @f(%x: tensor<?x2x4xf32>, %z: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.gated_rms_norm' op weight @w has shape 8, expected 4}}
  qwen.gated_rms_norm %x, %z, @w {epsilon = 1.0e-6} : tensor<?x2x4xf32>, tensor<?x8xf32> -> tensor<?x2x4xf32>
  return
}
