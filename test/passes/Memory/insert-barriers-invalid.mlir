// RUN: quern-opt %s --verify-diagnostics --exec-insert-barriers

exec.program @arena kind decode tokens 1 rows 1 {
  // expected-error @+1 {{has no offset; plan the memory first}}
  %a = exec.alloc : !exec.buffer<tensor<64xf32>>
}
