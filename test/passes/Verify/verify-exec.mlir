// RUN: quern-opt %s --split-input-file --verify-diagnostics --exec-verify-exec

// expected-error @+1 {{has no exec.memory_plan}}
module {
}

// -----

exec.memory_plan arena 512 step 0 buffers []
exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{has no offset}}
  %a = exec.alloc : !exec.buffer<tensor<64xf32>>
}

// -----

exec.memory_plan arena 512 step 0 buffers []
exec.program @p kind decode tokens 1 rows 1 {
  // expected-error @+1 {{ends beyond the arena of 512 bytes}}
  %a = exec.alloc offset 512 : !exec.buffer<tensor<64xf32>>
}

// -----

exec.kernel @map family "map" arguments [#exec.argument<read, tensor<64xf32>>, #exec.argument<write, tensor<64xf32>>] config {}
exec.memory_plan arena 512 step 0 buffers []
exec.program @p kind decode tokens 1 rows 1 {
  // expected-note @+1 {{the buffer}}
  %a = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  %b = exec.alloc offset 256 : !exec.buffer<tensor<64xf32>>
  // expected-error @+1 {{reads a buffer that nothing has written}}
  exec.dispatch @map(%a, %b) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<64xf32>>
}

// -----

exec.kernel @make family "make" arguments [#exec.argument<write, tensor<64xf32>>] config {}
exec.kernel @map family "map" arguments [#exec.argument<read, tensor<64xf32>>, #exec.argument<write, tensor<64xf32>>] config {}
exec.memory_plan arena 512 step 0 buffers []
exec.program @p kind decode tokens 1 rows 1 {
  // expected-note @+1 {{at 0..256}}
  %a = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  // expected-error @+1 {{at 0..256 overlaps a buffer that is live at the same time}}
  %b = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  exec.dispatch @make(%a) : !exec.buffer<tensor<64xf32>>
  exec.barrier
  exec.dispatch @map(%a, %b) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<64xf32>>
}

// -----

exec.kernel @make family "make" arguments [#exec.argument<write, tensor<64xf32>>] config {}
exec.kernel @map family "map" arguments [#exec.argument<read, tensor<64xf32>>, #exec.argument<write, tensor<64xf32>>] config {}
exec.memory_plan arena 512 step 0 buffers []
exec.program @p kind decode tokens 1 rows 1 {
  // expected-note @+1 {{the buffer}}
  %a = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  %b = exec.alloc offset 256 : !exec.buffer<tensor<64xf32>>
  // expected-note @+1 {{the earlier one}}
  exec.dispatch @make(%a) : !exec.buffer<tensor<64xf32>>
  // expected-error @+1 {{needs a barrier: it reads what an earlier dispatch writes}}
  exec.dispatch @map(%a, %b) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<64xf32>>
}

// -----

// Write after read, through memory used again, two dispatches apart.
exec.kernel @make family "make" arguments [#exec.argument<write, tensor<64xf32>>] config {}
exec.kernel @map family "map" arguments [#exec.argument<read, tensor<64xf32>>, #exec.argument<write, tensor<64xf32>>] config {}
exec.memory_plan arena 1024 step 0 buffers []
exec.program @p kind decode tokens 1 rows 1 {
  %a = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  %b = exec.alloc offset 256 : !exec.buffer<tensor<64xf32>>
  %c = exec.alloc offset 512 : !exec.buffer<tensor<64xf32>>
  // expected-note @+1 {{the buffer}}
  %d = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  exec.dispatch @make(%a) : !exec.buffer<tensor<64xf32>>
  exec.barrier
  // expected-note @+1 {{the earlier one}}
  exec.dispatch @map(%a, %b) : !exec.buffer<tensor<64xf32>>, !exec.buffer<tensor<64xf32>>
  exec.dispatch @make(%c) : !exec.buffer<tensor<64xf32>>
  // expected-error @+1 {{needs a barrier: it writes what an earlier dispatch reads}}
  exec.dispatch @make(%d) : !exec.buffer<tensor<64xf32>>
}

// -----

qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
exec.kernel @append family "append" arguments [#exec.argument<readwrite, tensor<8x2x16x4xf32>>] config {}
exec.memory_plan arena 1024 step 0 buffers []
exec.program @p kind decode tokens 1 rows 1 {
  %a = exec.state_ref @k_cache : !exec.buffer<tensor<8x2x16x4xf32>>
  // expected-note @+1 {{the buffer}}
  %b = exec.state_ref @k_cache : !exec.buffer<tensor<8x2x16x4xf32>>
  // expected-note @+1 {{the earlier one}}
  exec.dispatch @append(%a) : !exec.buffer<tensor<8x2x16x4xf32>>
  // expected-error @+1 {{needs a barrier: it writes what an earlier dispatch writes}}
  exec.dispatch @append(%b) : !exec.buffer<tensor<8x2x16x4xf32>>
}

// -----

// expected-note @+1 {{the plan}}
exec.memory_plan arena 0 step 256 buffers [#exec.step_buffer<slots, tensor<1xi32>, offset = 0>]
exec.program @p kind verify tokens 8 rows 8 {
  // expected-error @+1 {{has no place of its size in the step block}}
  %0 = exec.step slots : !exec.buffer<tensor<8xi32>>
}

// -----

exec.memory_plan arena 8192 step 0 buffers []
exec.program @a kind prefill tokens 8 rows 0 {
  // expected-note @+1 {{the other one}}
  %0 = exec.alloc persistent hidden offset 0 : !exec.buffer<tensor<64xf32>>
}
exec.program @b kind head tokens 8 rows 8 {
  // expected-error @+1 {{lies at 256, but at 0 in another program}}
  %0 = exec.alloc persistent hidden offset 256 : !exec.buffer<tensor<64xf32>>
}

// -----

exec.memory_plan arena 8192 step 0 buffers []
exec.program @a kind prefill tokens 8 rows 0 {
  // expected-note @+1 {{the persistent buffer}}
  %0 = exec.alloc persistent hidden offset 0 : !exec.buffer<tensor<64xf32>>
}
exec.program @b kind head tokens 8 rows 8 {
  // expected-error @+1 {{overlaps a persistent buffer}}
  %0 = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
}

// -----

// expected-note @+1 {{the kernel}}
exec.kernel @make family "make" arguments [#exec.argument<write, tensor<64xf32>>] config {}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [3, 1, 1], grid_count = tokens, grid_axis = 0, grid_tile = 4,
            grid_scale = 1, subgroup_size = 0, workgroup_memory = 0,
            accesses = [storage_buffer]>
exec.memory_plan arena 8192 step 0 buffers []
exec.program @a kind verify tokens 8 rows 8 {
  %0 = exec.alloc offset 0 : !exec.buffer<tensor<64xf32>>
  // expected-error @+1 {{needs 2 workgroups for 8 tokens, but the grid has 3}}
  exec.dispatch @make(%0) : !exec.buffer<tensor<64xf32>>
}
