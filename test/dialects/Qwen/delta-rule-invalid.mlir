// RUN: quern-opt %s --split-input-file --verify-diagnostics

func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x5xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op k has shape ?x2x5, expected that of q, ?x2x4}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x5xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x3x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op has 3 value heads, expected a multiple of the 2 key heads}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x3x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x5xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op decay has 5 heads, expected 4}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x5xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x2xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op beta has 2 heads, expected 4}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op the result has shape ?x4x4, expected that of v, ?x4x3}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x4xf32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xbf16>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{operand #0 must be 3D tensor of 32-bit float values, tokens x heads x head_dim}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xbf16>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{attribute 'chunk' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s chunk 0 : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

// expected-note @below {{symbol declared here}}
qwen.state @r key_cache : tensor<2x4x4x3xf32>
func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op @r is not a qwen.state of kind recurrent}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

// expected-note @below {{state declared here}}
qwen.state @r recurrent : tensor<2x4x3x4xf32>
func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op state @r has the type 'tensor<2x4x3x4xf32>', expected to end in 4x4x3}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

qwen.state @r recurrent : tensor<2x4x4x3xf32>
func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op @k is not a qwen.state of kind delta_keys}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

qwen.state @r recurrent : tensor<2x4x4x3xf32>
// expected-note @below {{state declared here}}
qwen.state @k delta_keys : tensor<2x32x4x4xf32>
func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op state @k has the type 'tensor<2x32x4x4xf32>', expected to end in 32x2x4}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

qwen.state @r recurrent : tensor<2x4x4x3xf32>
qwen.state @k delta_keys : tensor<2x32x2x4xf32>
// expected-note @below {{state declared here}}
qwen.state @u delta_updates : tensor<2x16x4x3xf32>
func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op state @u has the type 'tensor<2x16x4x3xf32>', expected to end in 32x4x3}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

qwen.state @r recurrent : tensor<2x4x4x3xf32>
qwen.state @k delta_keys : tensor<2x32x2x4xf32>
qwen.state @u delta_updates : tensor<2x32x4x3xf32>
// expected-note @below {{state declared here}}
qwen.state @d delta_decays : tensor<2x32x2xf32>
func.func @f(%q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x4x3xf32>, %d: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.gated_delta_rule' op state @d has the type 'tensor<2x32x2xf32>', expected to end in 32x4}}
  qwen.gated_delta_rule %q, %k, %v, %d, %b, @r, @k, @u, @d, %s : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x3xf32>
  return
}

// -----

func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op epsilon must be positive and finite}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 0.0} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op k has shape ?x2x3, expected that of q, ?x2x4}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x3xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op has 5 value heads, expected a multiple of the 2 key heads}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x5x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op decay has 2 heads, expected 4}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x2xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op beta has 2 heads, expected 4}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x2xf32>
  return
}

// -----

func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x4xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op ba has 4 heads, expected 8}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op v has another element type than x}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x27xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op has 28 channels of 27 features}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x27xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4xf32> from "a" at 0
// expected-note @below {{weight declared here}}
qwen.weight @b : tensor<5xf32> from "a" at 0
func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op weight @b has shape 5, expected 4}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4xf32> from "a" at 0
qwen.weight @b : tensor<4xf32> from "a" at 0
// expected-note @below {{weight declared here}}
qwen.weight @w : tensor<27x1x4xf32> from "a" at 0
func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op weight @w has shape 27x1x4, expected 28x1x4}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}

// -----

qwen.weight @a : tensor<4xf32> from "a" at 0
qwen.weight @b : tensor<4xf32> from "a" at 0
qwen.weight @w : tensor<28x1x4xf32> from "a" at 0
// expected-note @below {{state declared here}}
qwen.state @s convolution : tensor<2x2x28xbf16>
func.func @f(%x: tensor<?x28xbf16>, %ba: tensor<?x8xf32>, %s: tensor<?x8xi32>) {
  // expected-error @below {{'qwen.delta_inputs' op state @s keeps 2 tokens, expected at least 4}}
  qwen.delta_inputs %x, %ba, @w, @a, @b, @s, %s {epsilon = 1.0e-6} : tensor<?x28xbf16>, tensor<?x8xf32>, tensor<?x8xi32> -> tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x4x3xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
  return
}
