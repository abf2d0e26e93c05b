// RUN: quern-opt %s --qwen-specialize-delta-rule | FileCheck %s --check-prefixes=CHECK,SCAN
// RUN: quern-opt %s --qwen-specialize-delta-rule=chunk=64 | FileCheck %s --check-prefixes=CHECK,CHUNK
// RUN: quern-opt %s --qwen-specialize-delta-rule="chunk=16 min-tokens=128" | FileCheck %s --check-prefixes=CHECK,SCAN
// RUN: quern-opt %s --qwen-specialize-delta-rule=chunk=128 | FileCheck %s --check-prefixes=CHECK,LARGE

qwen.state @recurrent recurrent : tensor<4x4x16x16xf32>
qwen.state @keys delta_keys : tensor<4x32x2x16xf32>
qwen.state @updates delta_updates : tensor<4x32x4x16xf32>
qwen.state @decays delta_decays : tensor<4x32x4xf32>

// CHECK-LABEL: func.func @verify
func.func @verify(%q: tensor<8x2x16xf32>, %k: tensor<8x2x16xf32>, %v: tensor<8x4x16xbf16>, %g: tensor<8x4xf32>, %b: tensor<8x4xf32>, %s: tensor<4x8xi32>)
    -> tensor<8x4x16xbf16> attributes {exec.program_kind = #exec<program_kind verify>, exec.tokens = 8 : i64, exec.rows = 8 : i64, exec.sequences = 4 : i64} {
  // CHECK: qwen.gated_delta_rule
  // CHECK-NOT: chunk
  // CHECK: return
  %o = qwen.gated_delta_rule %q, %k, %v, %g, %b, @recurrent, @keys, @updates, @decays, %s chunk 64
      : tensor<8x2x16xf32>, tensor<8x2x16xf32>, tensor<8x4x16xbf16>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x8xi32> -> tensor<8x4x16xbf16>
  return %o : tensor<8x4x16xbf16>
}

// A program of fewer tokens than min-tokens scans, whatever a chunk has.
// CHECK-LABEL: func.func @prefill
func.func @prefill(%q: tensor<64x2x16xf32>, %k: tensor<64x2x16xf32>, %v: tensor<64x4x16xbf16>, %g: tensor<64x4xf32>, %b: tensor<64x4xf32>, %s: tensor<4x8xi32>)
    -> tensor<64x4x16xbf16> attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 64 : i64, exec.rows = 0 : i64, exec.sequences = 4 : i64} {
  // SCAN: qwen.gated_delta_rule {{.*}} chunk 1 :
  // CHUNK: qwen.gated_delta_rule {{.*}} chunk 64 :
  // LARGE: qwen.gated_delta_rule {{.*}} chunk 128 :
  %o = qwen.gated_delta_rule %q, %k, %v, %g, %b, @recurrent, @keys, @updates, @decays, %s
      : tensor<64x2x16xf32>, tensor<64x2x16xf32>, tensor<64x4x16xbf16>, tensor<64x4xf32>, tensor<64x4xf32>, tensor<4x8xi32> -> tensor<64x4x16xbf16>
  return %o : tensor<64x4x16xbf16>
}

// CHECK-LABEL: func.func @draft_prefill
func.func @draft_prefill(%q: tensor<64x2x16xf32>, %k: tensor<64x2x16xf32>, %v: tensor<64x4x16xbf16>, %g: tensor<64x4xf32>, %b: tensor<64x4xf32>, %s: tensor<4x8xi32>)
    -> tensor<64x4x16xbf16> attributes {exec.program_kind = #exec<program_kind draft_prefill>, exec.tokens = 64 : i64, exec.rows = 1 : i64, exec.sequences = 4 : i64} {
  // CHECK: qwen.gated_delta_rule {{.*}} chunk
  %o = qwen.gated_delta_rule %q, %k, %v, %g, %b, @recurrent, @keys, @updates, @decays, %s
      : tensor<64x2x16xf32>, tensor<64x2x16xf32>, tensor<64x4x16xbf16>, tensor<64x4xf32>, tensor<64x4xf32>, tensor<4x8xi32> -> tensor<64x4x16xbf16>
  return %o : tensor<64x4x16xbf16>
}
