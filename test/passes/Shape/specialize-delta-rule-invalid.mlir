// RUN: quern-opt %s --split-input-file --qwen-specialize-delta-rule --verify-diagnostics
// RUN: not quern-opt %s --qwen-specialize-delta-rule=chunk=0 2>&1 | FileCheck %s

// CHECK: expected a chunk of at least 1, found 0

qwen.state @recurrent recurrent : tensor<4x4x16x16xf32>
qwen.state @keys delta_keys : tensor<4x32x2x16xf32>
qwen.state @updates delta_updates : tensor<4x32x4x16xf32>
qwen.state @decays delta_decays : tensor<4x32x4xf32>
// expected-error @below {{doesn't say which program it is}}
func.func @f(%q: tensor<?x2x16xf32>, %k: tensor<?x2x16xf32>, %v: tensor<?x4x16xbf16>, %g: tensor<?x4xf32>, %b: tensor<?x4xf32>, %s: tensor<?x8xi32>) -> tensor<?x4x16xbf16> {
  %o = qwen.gated_delta_rule %q, %k, %v, %g, %b, @recurrent, @keys, @updates, @decays, %s
      : tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?x4x16xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32> -> tensor<?x4x16xbf16>
  return %o : tensor<?x4x16xbf16>
}
