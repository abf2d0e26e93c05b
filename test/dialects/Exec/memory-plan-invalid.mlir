// RUN: quern-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{repeats the step role tokens}}
exec.memory_plan arena 512 step 512 buffers [
  #exec.step_buffer<tokens, tensor<1xi32>, offset = 0>,
  #exec.step_buffer<tokens, tensor<1xi32>, offset = 256>]

// -----

// expected-error @+1 {{step buffer tokens at offset 0 overlaps the one before, which ends at 4}}
exec.memory_plan arena 512 step 512 buffers [
  #exec.step_buffer<rows, tensor<1xi32>, offset = 0>,
  #exec.step_buffer<tokens, tensor<1xi32>, offset = 0>]

// -----

// expected-error @+1 {{step buffers end at 260, beyond the step block of 256 bytes}}
exec.memory_plan arena 512 step 256 buffers [
  #exec.step_buffer<tokens, tensor<1xi32>, offset = 256>]

// -----

exec.memory_plan arena 512 step 256 buffers [
  // expected-error @+1 {{expected an offset of at most 2^61 that is a multiple of 256, found 4}}
  #exec.step_buffer<tokens, tensor<1xi32>, offset = 4>]

// -----

// expected-note @+1 {{the first}}
exec.memory_plan arena 0 step 0 buffers []
// expected-error @+1 {{is the second of the module}}
exec.memory_plan arena 0 step 0 buffers []
