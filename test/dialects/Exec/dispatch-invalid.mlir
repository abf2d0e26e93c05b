// RUN: quern-opt %s --split-input-file --verify-diagnostics

exec.program @p kind decode tokens 1 rows 1 {
  %0 = exec.alloc : !exec.buffer<tensor<4xf32>>
  // expected-error @+1 {{refers to @k, which does not exist}}
  exec.dispatch @k(%0) : !exec.buffer<tensor<4xf32>>
}

// -----

// expected-note @+1 {{the kernel}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
exec.program @p kind decode tokens 1 rows 1 {
  %0 = exec.alloc : !exec.buffer<tensor<4xf32>>
  // expected-error @+1 {{passes 2 buffers to a kernel with 1 arguments}}
  exec.dispatch @k(%0, %0) : !exec.buffer<tensor<4xf32>>, !exec.buffer<tensor<4xf32>>
}

// -----

// expected-note @+1 {{the kernel}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
exec.program @p kind decode tokens 1 rows 1 {
  %0 = exec.alloc : !exec.buffer<tensor<8xf32>>
  // expected-error @+1 {{argument 0: expected 4 elements of 'f32', found 'tensor<8xf32>'}}
  exec.dispatch @k(%0) : !exec.buffer<tensor<8xf32>>
}

// -----

// expected-note @+1 {{the kernel}}
exec.kernel @k family "f" arguments [#exec.argument<readwrite, tensor<4xi32>>] config {}
exec.program @p kind verify tokens 4 rows 4 {
  %0 = exec.step slots : !exec.buffer<tensor<4xi32>>
  // expected-error @+1 {{argument 0 is written by the kernel, but the buffer is read-only}}
  exec.dispatch @k(%0) : !exec.buffer<tensor<4xi32>>
}

// -----

// A buffer may have another shape than the argument, as both are dense.
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4x2xf32>>] config {}
exec.program @p kind decode tokens 1 rows 1 {
  %0 = exec.alloc : !exec.buffer<tensor<8xf32>>
  exec.dispatch @k(%0) : !exec.buffer<tensor<8xf32>>
}

// -----

qwen.weight @a : tensor<8x4xf32> from "f" at 0
// expected-note @+1 {{the weight}}
exec.weight @w plain [@a] panels 8 : tensor<8x4xf32>
// expected-note @+1 {{the kernel}}
exec.kernel @k family "linear" arguments [#exec.argument<read, tensor<8x4xf32>>, #exec.argument<write, tensor<4xf32>>] config {}
exec.program @p kind decode tokens 1 rows 1 {
  %w = exec.weight_ref @w : !exec.buffer<tensor<8x4xf32>>
  %x = exec.alloc : !exec.buffer<tensor<4xf32>>
  // expected-error @+1 {{argument 0: the kernel reads panels of 0 rows, the weight has 8}}
  exec.dispatch @k(%w, %x) : !exec.buffer<tensor<8x4xf32>>, !exec.buffer<tensor<4xf32>>
}

// -----

// Where the scales of int8 rows lie depends on the last two dimensions.
qwen.state @s key_cache : tensor<4x2x8x16x!qwen.int8_rows>
// expected-note @+1 {{the kernel}}
exec.kernel @k family "f" arguments [#exec.argument<readwrite, tensor<8x2x4x16x!qwen.int8_rows>>] config {}
exec.program @p kind decode tokens 1 rows 1 {
  %s = exec.state_ref @s : !exec.buffer<tensor<4x2x8x16x!qwen.int8_rows>>
  // expected-error @+1 {{argument 0: expected matrices as in 'tensor<8x2x4x16x!qwen.int8_rows>', found 'tensor<4x2x8x16x!qwen.int8_rows>'}}
  exec.dispatch @k(%s) : !exec.buffer<tensor<4x2x8x16x!qwen.int8_rows>>
}
