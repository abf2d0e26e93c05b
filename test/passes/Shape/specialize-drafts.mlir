// RUN: quern-opt %s --qwen-verify-graph --qwen-specialize-programs="verify-tokens=4 prefill-tokens=32" | FileCheck %s
// RUN: quern-opt %s --qwen-specialize-programs="verify-tokens=4 prefill-tokens=32" --qwen-verify-programs | FileCheck %s

// A model with a draft layer: seven programs.

module attributes {qwen.model = #qwen.model<family = "qwen3_5",
    num_hidden_layers = 1, vocab_size = 40, context_length = 64, num_slots = 2,
    page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
  qwen.weight @norm : tensor<16xbf16> from "a" at 0
  qwen.weight @fc : tensor<16x32xbf16> from "a" at 0
  qwen.weight @kv : tensor<8x16xbf16> from "a" at 0
  qwen.weight @q : tensor<16x16xbf16> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %pages: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"},
          tensor<?x16xf32> {qwen.role = "hidden"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
    %s = qwen.residual_add %x, %q : tensor<?x16xf32>, tensor<?x16xf32>
    %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %logits = qwen.linear %n, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens, %s : tensor<?x40xf32>, tensor<?xi32>, tensor<?x16xf32>
  }
  func.func @draft(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %pages: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"},
      %hidden: tensor<?x16xf32> {qwen.role = "hidden"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"},
          tensor<?x16xf32> {qwen.role = "draft_hidden"}) {
    %e = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %h = qwen.rms_norm %hidden, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %c = qwen.concat_features %e, %h : tensor<?x16xf32>, tensor<?x16xf32> -> tensor<?x32xf32>
    %x = qwen.linear %c, [@fc] : tensor<?x32xf32> -> tensor<?x16xf32>
    %kv = qwen.linear %x, [@kv] : tensor<?x16xf32> -> tensor<?x8xf32>
    %kvh = qwen.split_heads %kv : tensor<?x8xf32> -> tensor<?x2x4xf32>
    qwen.cache_append @k_cache, @v_cache, %kvh, %kvh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
    %s = qwen.residual_add %x, %q : tensor<?x16xf32>, tensor<?x16xf32>
    %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %logits = qwen.linear %n, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens, %r : tensor<?x40xf32>, tensor<?xi32>, tensor<?x16xf32>
  }
  func.func @draft_next(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %pages: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"},
      %hidden: tensor<?x16xf32> {qwen.role = "draft_hidden"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"},
          tensor<?x16xf32> {qwen.role = "draft_hidden"}) {
    %e = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %h = qwen.rms_norm %hidden, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %c = qwen.concat_features %e, %h : tensor<?x16xf32>, tensor<?x16xf32> -> tensor<?x32xf32>
    %x = qwen.linear %c, [@fc] : tensor<?x32xf32> -> tensor<?x16xf32>
    %kv = qwen.linear %x, [@kv] : tensor<?x16xf32> -> tensor<?x8xf32>
    %kvh = qwen.split_heads %kv : tensor<?x8xf32> -> tensor<?x2x4xf32>
    qwen.cache_append @k_cache, @v_cache, %kvh, %kvh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
    %s = qwen.residual_add %x, %q : tensor<?x16xf32>, tensor<?x16xf32>
    %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %logits = qwen.linear %n, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens, %r : tensor<?x40xf32>, tensor<?xi32>, tensor<?x16xf32>
  }
}

// Decode and verify leave their hidden states to the drafts.
// CHECK-LABEL: func.func @decode
// CHECK-SAME: -> (tensor<1x40xf32> {qwen.role = "logits"}, tensor<1xi32> {qwen.role = "tokens"}, tensor<1x16xf32> {qwen.role = "hidden"})
// CHECK: %[[S:.*]] = qwen.residual_add
// CHECK: return %{{.*}}, %{{.*}}, %[[S]] :
// CHECK-LABEL: func.func @verify
// CHECK-SAME: tensor<4x16xf32> {qwen.role = "hidden"})
// CHECK-LABEL: func.func @prefill
// CHECK-SAME: -> (tensor<32x16xf32> {qwen.role = "hidden"})
// CHECK-LABEL: func.func @head
// CHECK-SAME: -> (tensor<4x40xf32> {qwen.role = "logits"}, tensor<4xi32> {qwen.role = "tokens"})

// One row of the step before; behind the selection everything counts rows.
// CHECK-LABEL: func.func @draft_prefill
// CHECK-SAME: %{{.*}}: tensor<32xi32> {qwen.role = "token_ids"}
// CHECK-SAME: %[[ROWS:[a-z0-9]+]]: tensor<1xi32> {qwen.role = "rows"}, %{{.*}}: tensor<1x8xf32> {qwen.role = "sampling"}, %{{.*}}: tensor<1x2xi32> {qwen.role = "seen_tokens"}, %{{.*}}: tensor<32x16xf32> {qwen.role = "hidden"})
// CHECK-SAME: -> (tensor<1x40xf32> {qwen.role = "logits"}, tensor<1xi32> {qwen.role = "tokens"}, tensor<1x16xf32> {qwen.role = "draft_hidden"})
// CHECK-SAME: exec.program_kind = #exec<program_kind draft_prefill>, exec.rows = 1 : i64, exec.tokens = 32 : i64
// CHECK: %[[R:.*]] = qwen.select_rows %{{.*}}, %[[ROWS]] : tensor<32x16xf32>, tensor<1xi32> -> tensor<1x16xf32>
// CHECK: return %{{.*}}, %{{.*}}, %[[R]] :
// CHECK-LABEL: func.func @draft_verify
// CHECK-SAME: tensor<4x16xf32> {qwen.role = "hidden"})
// CHECK-SAME: exec.program_kind = #exec<program_kind draft_verify>, exec.rows = 1 : i64, exec.tokens = 4 : i64

// One token, one row: nothing to select.
// CHECK-LABEL: func.func @draft_decode
// CHECK-NOT: qwen.role = "rows"
// CHECK-SAME: %{{.*}}: tensor<1x16xf32> {qwen.role = "draft_hidden"})
// CHECK-SAME: -> (tensor<1x40xf32> {qwen.role = "logits"}, tensor<1xi32> {qwen.role = "tokens"}, tensor<1x16xf32> {qwen.role = "draft_hidden"})
// CHECK-SAME: exec.program_kind = #exec<program_kind draft_decode>, exec.rows = 1 : i64, exec.tokens = 1 : i64
// CHECK-NOT: qwen.select_rows
// CHECK-NOT: func.func
