// RUN: quern-opt %s --split-input-file --verify-diagnostics

func.func @element(%a: memref<?xf16>, %i: index) {
  // expected-error @+1 {{'buffer' must be 1D memref of i32, f32, vector<4xi32> or vector<4xf32> values}}
  %x = kernel.read %a[%i] : memref<?xf16>
  return
}

// -----

func.func @rank(%a: memref<4x4xf32>, %i: index) {
  // expected-error @+1 {{'buffer' must be 1D memref of i32, f32, vector<4xi32> or vector<4xf32> values}}
  %x = kernel.read %a[%i] : memref<4x4xf32>
  return
}

// -----

func.func @binding(%i: index) {
  // expected-error @+1 {{attribute 'binding' failed to satisfy constraint}}
  %x = kernel.texel_fetch binding -1 [%i] : f32
  return
}

// -----

func.func @wide(%i: index) {
  // expected-error @+1 {{result #0 must be}}
  %x = kernel.texel_fetch binding 0 [%i] : vector<2xf32>
  return
}

// -----

// expected-error @+1 {{argument 0 has an unexpected attribute "kernel.binding" = -1 : i32}}
func.func @argument(%a: memref<?xf32> {kernel.binding = -1 : i32}) {
  return
}

// -----

// expected-error @+1 {{has an unexpected attribute "kernel.accesses" = 3}}
func.func @accesses() attributes {kernel.accesses = 3 : i64} {
  return
}

// -----

func.func @words(%a: i64) {
  // expected-error @+1 {{expected words of 32 bits, found 'i64'}}
  %x = kernel.byte_dot %a, %a, %a : i64
  return
}
