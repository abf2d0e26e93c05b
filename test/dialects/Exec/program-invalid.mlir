// RUN: quern-opt %s --split-input-file --verify-diagnostics

// expected-note @+1 {{the program}}
exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{can't be inside an exec.program}}
  %0 = arith.constant 0 : i32
}

// -----

exec.program @p kind decode tokens 1 rows 1 {
  // expected-note @+1 {{first used here}}
  %0 = exec.step slots : !exec.buffer<tensor<1xi32>>
  // expected-error @+1 {{repeats a step role of the program}}
  %1 = exec.step slots : !exec.buffer<tensor<1xi32>>
}

// -----

exec.program @p kind decode tokens 1 rows 1 {
  // expected-note @+1 {{first used here}}
  %0 = exec.alloc persistent logits : !exec.buffer<tensor<1xf32>>
  // expected-error @+1 {{repeats a persistent role of the program}}
  %1 = exec.alloc persistent logits : !exec.buffer<tensor<1xf32>>
}

// -----

// expected-note @+1 {{the program}}
exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{slots expects one entry per token, 1, found 'tensor<2xi32>'}}
  %0 = exec.step slots : !exec.buffer<tensor<2xi32>>
}

// -----

// expected-note @+1 {{the program}}
exec.program @p kind verify tokens 8 rows 4 {
  // expected-error @+1 {{sampling expects one entry per row, 4, found 'tensor<8x8xf32>'}}
  %0 = exec.step sampling : !exec.buffer<tensor<8x8xf32>>
}

// -----

exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{page_table expects rank 2 and elements of 'i32', found 'tensor<4xi32>'}}
  %0 = exec.step page_table : !exec.buffer<tensor<4xi32>>
}

// -----

exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{expected an offset that is a multiple of 256, found 4}}
  %0 = exec.alloc offset 4 : !exec.buffer<tensor<4xi32>>
}

// -----

// expected-note @+1 {{the type is stated here}}
qwen.state @s key_cache : tensor<8x2x16x4xf32>
exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{expected a buffer of 'tensor<8x2x16x4xf32>', found 'tensor<8x2x16x4xf16>'}}
  %0 = exec.state_ref @s : !exec.buffer<tensor<8x2x16x4xf16>>
}

// -----

exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{refers to @w, which does not exist}}
  %0 = exec.weight_ref @w : !exec.buffer<tensor<8xf16>>
}

// -----

// expected-note @+1 {{the type is stated here}}
exec.constant @c dense<0.0> : tensor<4xf32>
exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{expected a buffer of 'tensor<4xf32>', found 'tensor<2xf32>'}}
  %0 = exec.constant_ref @c : !exec.buffer<tensor<2xf32>>
}

// -----

// expected-error @+1 {{'exec.program' op attribute 'tokens' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive whose maximum value is 2147483647}}
exec.program @p kind decode tokens 4294967296 rows 1 {
}

// -----

exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{attribute 'offset' failed to satisfy constraint}}
  %0 = exec.alloc offset 9223372036854775552 : !exec.buffer<tensor<4xi32>>
}
