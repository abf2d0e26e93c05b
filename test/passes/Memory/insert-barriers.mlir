// RUN: quern-opt %s --exec-insert-barriers | FileCheck %s
// RUN: quern-opt %s --exec-insert-barriers > %t.once
// RUN: quern-opt %t.once --exec-insert-barriers | diff - %t.once

qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
exec.kernel @make family "make" arguments [#exec.argument<write, tensor<64xf32>>] config {}
exec.kernel @map family "map" arguments [#exec.argument<read, tensor<64xf32>>, #exec.argument<write, tensor<64xf32>>] config {}
exec.kernel @append family "append" arguments [#exec.argument<read, tensor<64xf32>>, #exec.argument<readwrite, tensor<8x2x16x4xf32>>] config {}
exec.kernel @attend family "attend" arguments [#exec.argument<read, tensor<8x2x16x4xf32>>, #exec.argument<write, tensor<64xf32>>] config {}

// CHECK-LABEL: exec.program @arena
exec.program @arena kind decode tokens 1 rows 1 {
  %a = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  %b = exec.alloc offset 256 : !exec.buffer<tensor<64xf32>>
  %c = exec.alloc offset 512 : !exec.buffer<tensor<64xf32>>
  %d = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  // Independent: no barrier.
  // CHECK: exec.dispatch @make(%buffer)
  // CHECK-NEXT: exec.dispatch @make(%buffer_0)
  exec.dispatch @make(%a) : !exec.buffer<tensor<64xf32>>
  exec.dispatch @make(%b) : !exec.buffer<tensor<64xf32>>
  // Reads what the first wrote; the barrier serves the next one too.
  // CHECK-NEXT: exec.barrier
  // CHECK-NEXT: exec.dispatch @map(%buffer, %buffer_1)
  exec.dispatch @map(%a, %c) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<64xf32>>
  // Writes memory that the one before reads, under another name.
  // CHECK-NEXT: exec.barrier
  // CHECK-NEXT: exec.dispatch @map(%buffer_0, %buffer_2)
  exec.dispatch @map(%b, %d) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<64xf32>>
  // Two readers of one buffer need none.
  // CHECK-NEXT: exec.dispatch @map(%buffer_0, %buffer_1)
  exec.dispatch @map(%b, %c) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<64xf32>>
  // Writes what the one before wrote.
  // CHECK-NEXT: exec.barrier
  // CHECK-NEXT: exec.dispatch @make(%buffer_1)
  exec.dispatch @make(%c) : !exec.buffer<tensor<64xf32>>
}

// CHECK-LABEL: exec.program @states
exec.program @states kind verify tokens 8 rows 8 {
  %k = exec.state_ref @k_cache : !exec.buffer<tensor<8x2x16x4xf32>>
  %v = exec.state_ref @v_cache : !exec.buffer<tensor<8x2x16x4xf32>>
  %a = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  %b = exec.alloc offset 256 : !exec.buffer<tensor<64xf32>>
  // CHECK: exec.dispatch @append(%buffer, %k_cache)
  // CHECK-NEXT: exec.dispatch @append(%buffer, %v_cache)
  exec.dispatch @append(%a, %k) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<8x2x16x4xf32>>
  exec.dispatch @append(%a, %v) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<8x2x16x4xf32>>
  // CHECK-NEXT: exec.barrier
  // CHECK-NEXT: exec.dispatch @attend(%k_cache, %buffer_0)
  exec.dispatch @attend(%k, %b) : !exec.buffer<tensor<8x2x16x4xf32>>, !exec.buffer<tensor<64xf32>>
}

// A barrier that is there already counts.
// CHECK-LABEL: exec.program @present
exec.program @present kind prefill tokens 8 rows 0 {
  %a = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  // CHECK-COUNT-1: exec.barrier
  // CHECK-NOT: exec.barrier
  exec.dispatch @make(%a) : !exec.buffer<tensor<64xf32>>
  exec.barrier
  exec.dispatch @make(%a) : !exec.buffer<tensor<64xf32>>
}
