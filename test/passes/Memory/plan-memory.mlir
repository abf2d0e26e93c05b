// RUN: quern-opt %s --exec-plan-memory | FileCheck %s
// RUN: quern-opt %s --exec-plan-memory > %t.once
// RUN: quern-opt %t.once --exec-plan-memory | diff - %t.once

exec.kernel @make family "make" arguments [#exec.argument<write, tensor<256xf32>>] config {}
exec.kernel @map family "map" arguments [#exec.argument<read, tensor<256xf32>>, #exec.argument<write, tensor<256xf32>>] config {}
exec.kernel @head family "head" arguments [#exec.argument<read, tensor<1024xf32>>, #exec.argument<write, tensor<8xf32>>] config {}
exec.kernel @hide family "hide" arguments [#exec.argument<read, tensor<256xf32>>, #exec.argument<write, tensor<1024xf32>>] config {}

// The arena holds hidden (4096), logits (256) and two temporaries of 1024.
// The step block has the largest shape of each role, 256-aligned.
// CHECK: exec.memory_plan arena 6400 step 1792 buffers [#exec.step_buffer<token_ids, tensor<300xi32>, offset = 0>, #exec.step_buffer<sampling, tensor<8x8xf32>, offset = 1280>, #exec.step_buffer<tokens, tensor<8xi32>, offset = 1536>]

// Three buffers in a chain share two places.
// CHECK-LABEL: exec.program @prefill
// CHECK-SAME: arena_peak 6400
exec.program @prefill kind prefill tokens 300 rows 0 {
  %ids = exec.step token_ids : !exec.buffer<tensor<300xi32>>
  // CHECK: persistent hidden offset 0
  %h = exec.alloc persistent hidden : !exec.buffer<tensor<1024xf32>>
  // CHECK: exec.alloc offset 4352 : !exec.buffer<tensor<256xf32>>
  %a = exec.alloc : !exec.buffer<tensor<256xf32>>
  exec.dispatch @make(%a) : !exec.buffer<tensor<256xf32>>
  // CHECK: exec.alloc offset 5376 : !exec.buffer<tensor<256xf32>>
  %b = exec.alloc : !exec.buffer<tensor<256xf32>>
  exec.dispatch @map(%a, %b) : !exec.buffer<tensor<256xf32>>, !exec.buffer<tensor<256xf32>>
  // CHECK: exec.alloc offset 4352 : !exec.buffer<tensor<256xf32>>
  %c = exec.alloc : !exec.buffer<tensor<256xf32>>
  exec.dispatch @map(%b, %c) : !exec.buffer<tensor<256xf32>>, !exec.buffer<tensor<256xf32>>
  exec.dispatch @hide(%c, %h) : !exec.buffer<tensor<256xf32>>, !exec.buffer<tensor<1024xf32>>
}

// CHECK-LABEL: exec.program @head_program
// CHECK-SAME: arena_peak 4352
exec.program @head_program kind head tokens 300 rows 8 {
  %sampling = exec.step sampling : !exec.buffer<tensor<8x8xf32>>
  %tokens = exec.step tokens : !exec.buffer<tensor<8xi32>>
  // CHECK: persistent hidden offset 0
  %h = exec.alloc persistent hidden : !exec.buffer<tensor<1024xf32>>
  // CHECK: persistent logits offset 4096
  %l = exec.alloc persistent logits : !exec.buffer<tensor<8xf32>>
  exec.dispatch @head(%h, %l) : !exec.buffer<tensor<1024xf32>>, !exec.buffer<tensor<8xf32>>
}
