// RUN: quern-opt %s --split-input-file --verify-diagnostics --exec-plan-memory

exec.program @a kind verify tokens 8 rows 8 {
  // expected-note @+1 {{the other one}}
  %0 = exec.step page_table : !exec.buffer<tensor<2x4xi32>>
}
exec.program @b kind decode tokens 1 rows 1 {
  // expected-error @+1 {{has other rows than in another program}}
  %0 = exec.step page_table : !exec.buffer<tensor<2x8xi32>>
}

// -----

exec.kernel @make family "make" arguments [#exec.argument<write, tensor<1073741824x1073741824xf32>>] config {}
// expected-error @+1 {{has too large buffers}}
exec.program @a kind verify tokens 8 rows 8 {
  %0 = exec.alloc : !exec.buffer<tensor<1073741824x1073741824xf32>>
  %1 = exec.alloc : !exec.buffer<tensor<1073741824x1073741824xf32>>
  exec.dispatch @make(%0) : !exec.buffer<tensor<1073741824x1073741824xf32>>
  exec.dispatch @make(%1) : !exec.buffer<tensor<1073741824x1073741824xf32>>
}
