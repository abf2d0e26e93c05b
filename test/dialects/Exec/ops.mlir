// RUN: quern-opt %s | quern-opt | FileCheck %s
// RUN: quern-opt %s --mlir-print-op-generic | quern-opt | FileCheck %s
// RUN: quern-opt %s --emit-bytecode | quern-opt | FileCheck %s

qwen.weight @embed : tensor<40x16xbf16> from "model.safetensors" at 0
qwen.weight @gate : tensor<24x16xbf16> from "model.safetensors" at 1280
qwen.weight @up : tensor<24x16xbf16> from "model.safetensors" at 2048
qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>

// CHECK: exec.weight @embed.plain plain [@embed] : tensor<40x16xbf16>
exec.weight @embed.plain plain [@embed] : tensor<40x16xbf16>
// CHECK: exec.weight @gate_up.interleave interleave [@gate, @up] : tensor<48x16xbf16>
exec.weight @gate_up.interleave interleave [@gate, @up] : tensor<48x16xbf16>
// CHECK: exec.weight @gate_up.panels interleave [@gate, @up] panels 8 : tensor<48x16xbf16>
exec.weight @gate_up.panels interleave [@gate, @up] panels 8 : tensor<48x16xbf16>
// CHECK: exec.weight @all.concatenate concatenate [@embed, @gate, @up] : tensor<88x16xbf16>
exec.weight @all.concatenate concatenate [@embed, @gate, @up] : tensor<88x16xbf16>

// CHECK: exec.weight @embed.parts plain [@embed] parts {{\[}}array<i64: 3, 1, 4>] : tensor<40x16xbf16>
exec.weight @embed.parts plain [@embed] parts [array<i64: 3, 1, 4>] : tensor<40x16xbf16>
// CHECK: exec.weight @gate_up.parts concatenate [@gate, @up] parts {{\[}}array<i64>, array<i64: 2, 6>] : tensor<48x16xbf16>
exec.weight @gate_up.parts concatenate [@gate, @up] parts [array<i64>, array<i64: 2, 6>] : tensor<48x16xbf16>

qwen.weight @encoded : tensor<24x64xbf16> from "model.safetensors" at 2048 as !qwen.encoded<"q4">
// CHECK: exec.weight @encoded.plain plain [@encoded] : tensor<24x64x!qwen.encoded<"q4">>
exec.weight @encoded.plain plain [@encoded] : tensor<24x64x!qwen.encoded<"q4">>

// CHECK: exec.constant @inverse_frequencies dense<[1.000000e+00, 5.000000e-01]> : tensor<2xf32>
exec.constant @inverse_frequencies dense<[1.0, 0.5]> : tensor<2xf32>

// CHECK: exec.kernel @embedding_t1_16 family "embedding" arguments [#exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<40x16xbf16>>, #exec.argument<write, tensor<1x16xf32>>] config {}
exec.kernel @embedding_t1_16 family "embedding"
    arguments [#exec.argument<read, tensor<1xi32>>,
               #exec.argument<read, tensor<40x16xbf16>>,
               #exec.argument<write, tensor<1x16xf32>>] config {}

// CHECK: exec.kernel @touch family "touch" arguments [#exec.argument<readwrite, tensor<8x2x16x4xf32>>, #exec.argument<read, tensor<2xf32>>] config {count = "tokens"}
// CHECK-SAME: launch <entry_point = "main", workgroup_size = [64, 1, 1], grid = [4, 1, 1], grid_count = tokens, grid_axis = 0, grid_tile = 2, grid_scale = 4, subgroup_size = 8, workgroup_memory = 256, accesses = [storage_buffer, texel_float4]>
exec.kernel @touch family "touch"
    arguments [#exec.argument<readwrite, tensor<8x2x16x4xf32>>,
               #exec.argument<read, tensor<2xf32>>]
    config {count = "tokens"}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [4, 1, 1], grid_count = tokens, grid_axis = 0, grid_tile = 2,
            grid_scale = 4, subgroup_size = 8, workgroup_memory = 256,
            accesses = [storage_buffer, texel_float4]>

// CHECK: exec.memory_plan arena 512 step 512 buffers [#exec.step_buffer<token_ids, tensor<1xi32>, offset = 0>, #exec.step_buffer<tokens, tensor<1xi32>, offset = 256>]
exec.memory_plan arena 512 step 512 buffers [
  #exec.step_buffer<token_ids, tensor<1xi32>, offset = 0>,
  #exec.step_buffer<tokens, tensor<1xi32>, offset = 256>]

// CHECK: exec.program @decode kind decode tokens 1 rows 1 arena_peak 512 {
exec.program @decode kind decode tokens 1 rows 1 arena_peak 512 {
  // CHECK: %token_ids = exec.step token_ids : !exec.buffer<tensor<1xi32>>
  %ids = exec.step token_ids : !exec.buffer<tensor<1xi32>>
  // CHECK: %embed.plain = exec.weight_ref @embed.plain : !exec.buffer<tensor<40x16xbf16>>
  %w = exec.weight_ref @embed.plain : !exec.buffer<tensor<40x16xbf16>>
  // CHECK: %inverse_frequencies = exec.constant_ref @inverse_frequencies : !exec.buffer<tensor<2xf32>>
  %c = exec.constant_ref @inverse_frequencies : !exec.buffer<tensor<2xf32>>
  // CHECK: %k_cache = exec.state_ref @k_cache : !exec.buffer<tensor<8x2x16x4xf32>>
  %s = exec.state_ref @k_cache : !exec.buffer<tensor<8x2x16x4xf32>>
  // CHECK: %hidden = exec.alloc persistent hidden : !exec.buffer<tensor<1x16xf32>>
  %h = exec.alloc persistent hidden : !exec.buffer<tensor<1x16xf32>>
  // CHECK: %buffer = exec.alloc offset 256 : !exec.buffer<tensor<1x16xf32>>
  %t = exec.alloc offset 256 : !exec.buffer<tensor<1x16xf32>>
  // CHECK: exec.dispatch @embedding_t1_16(%token_ids, %embed.plain, %buffer) label "embed_tokens" : !exec.buffer<tensor<1xi32>>, !exec.buffer<tensor<40x16xbf16>>, !exec.buffer<tensor<1x16xf32>>
  exec.dispatch @embedding_t1_16(%ids, %w, %t) label "embed_tokens"
      : !exec.buffer<tensor<1xi32>>, !exec.buffer<tensor<40x16xbf16>>,
        !exec.buffer<tensor<1x16xf32>>
  // CHECK: exec.barrier
  exec.barrier
  // CHECK: exec.dispatch @touch(%k_cache, %inverse_frequencies) : !exec.buffer
  exec.dispatch @touch(%s, %c)
      : !exec.buffer<tensor<8x2x16x4xf32>>, !exec.buffer<tensor<2xf32>>
}
