// RUN: quern-opt %s --split-input-file --verify-diagnostics --qwen-specialize-programs
// RUN: not quern-opt %s --qwen-specialize-programs="verify-tokens=4 prefill-tokens=2" 2>&1 | FileCheck %s
// CHECK: expected 1 <= decode-tokens <= verify-tokens <= prefill-tokens, found 1, 4, 2

// expected-error @+1 {{has no function @forward}}
module {
}

// -----

module {
  qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
  // expected-error @+1 {{expected a qwen.select_rows of the f32 residual stream}}
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"})
      -> (tensor<?x16xf32> {qwen.role = "logits"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    return %x : tensor<?x16xf32>
  }
}

// -----

// The logits need something else than the selected rows.
module {
  qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %rows: tensor<?xi32> {qwen.role = "rows"})
      -> (tensor<?x16xf32> {qwen.role = "logits"}) {
    // expected-note @+1 {{this is needed after the cut}}
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    // expected-error @+1 {{can't be the cut between prefill and head}}
    %r = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %s = qwen.residual_add %r, %x : tensor<?x16xf32>, tensor<?x16xf32>
    return %s : tensor<?x16xf32>
  }
}

// -----

module {
  qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
  // expected-error @+1 {{argument 0 has no role}}
  func.func @forward(%ids: tensor<?xi32>, %rows: tensor<?xi32> {qwen.role = "rows"})
      -> (tensor<?x16xf32> {qwen.role = "logits"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    return %r : tensor<?x16xf32>
  }
}

// -----

module {
  // expected-error @+1 {{expected one block}}
  func.func private @forward()
}

// -----

module {
  qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %rows: tensor<?xi32> {qwen.role = "rows"})
      -> (tensor<?x16xf32> {qwen.role = "logits"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    return %r : tensor<?x16xf32>
  }
  // expected-error @+1 {{expected both @draft and @draft_next}}
  func.func @draft(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %rows: tensor<?xi32> {qwen.role = "rows"})
      -> (tensor<?x16xf32> {qwen.role = "draft_hidden"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    return %r : tensor<?x16xf32>
  }
}
