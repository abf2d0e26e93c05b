// RUN: quern-opt %s --split-input-file --verify-diagnostics

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<4xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.rms_norm' op weight @w has shape 4, expected 8}}
  qwen.rms_norm %x, @w {epsilon = 1.0e-6} : tensor<?x8xf32> -> tensor<?x8xf32>
  return
}

// -----

// The weight of a per-head norm has the size of a head.
// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<8xf32> from "a" at 0
func.func @f(%x: tensor<?x2x4xf32>) {
  // expected-error @below {{'qwen.rms_norm' op weight @w has shape 8, expected 4}}
  qwen.rms_norm %x, @w {epsilon = 1.0e-6} : tensor<?x2x4xf32> -> tensor<?x2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.rms_norm' op epsilon must be positive and finite}}
  qwen.rms_norm %x, @w {epsilon = 0.0} : tensor<?x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.rms_norm' op epsilon must be positive and finite}}
  qwen.rms_norm %x, @w {epsilon = 0x7FF8000000000000 : f64} : tensor<?x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.rms_norm' op result has shape ?x4, expected that of x, ?x8}}
  qwen.rms_norm %x, @w {epsilon = 1.0e-6} : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xbf16>) {
  // expected-error @below {{'qwen.rms_norm' op result has element type 'f32', expected 'bf16'}}
  qwen.rms_norm %x, @w {epsilon = 1.0e-6} : tensor<?x8xbf16> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x4xbf16>) {
  // expected-error @below {{'qwen.residual_add' op delta has shape ?x4, expected that of residual, ?x8}}
  qwen.residual_add %x, %y : tensor<?x8xf32>, tensor<?x4xbf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xbf16>) {
  // expected-error @below {{operand #0 must be 2D tensor of 32-bit float values, tokens x features}}
  qwen.residual_add %x, %x : tensor<?x8xbf16>, tensor<?x8xbf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x4xbf16>) {
  // expected-error @below {{'qwen.add_rms_norm' op delta has shape ?x4, expected that of residual, ?x8}}
  qwen.add_rms_norm %x, %y, @w {epsilon = 1.0e-6} : tensor<?x8xf32>, tensor<?x4xbf16> -> tensor<?x8xf32>, tensor<?x8xbf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x8xbf16>) {
  // expected-error @below {{'qwen.add_rms_norm' op normed has shape ?x4, expected that of residual, ?x8}}
  qwen.add_rms_norm %x, %y, @w {epsilon = 1.0e-6} : tensor<?x8xf32>, tensor<?x8xbf16> -> tensor<?x8xf32>, tensor<?x4xbf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x8xbf16>) {
  // expected-error @below {{'qwen.add_rms_norm' op epsilon must be positive and finite}}
  qwen.add_rms_norm %x, %y, @w {epsilon = -1.0} : tensor<?x8xf32>, tensor<?x8xbf16> -> tensor<?x8xf32>, tensor<?x8xbf16>
  return
}

// -----

// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<4xf32> from "a" at 0
func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x8xbf16>) {
  // expected-error @below {{'qwen.add_rms_norm' op weight @w has shape 4, expected 8}}
  qwen.add_rms_norm %x, %y, @w {epsilon = 1.0e-6} : tensor<?x8xf32>, tensor<?x8xbf16> -> tensor<?x8xf32>, tensor<?x8xbf16>
  return
}
