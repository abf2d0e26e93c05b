// RUN: quern-opt %s --split-input-file --verify-diagnostics --qwen-verify-graph

// A legal one.
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

// -----

// expected-error @+1 {{expected the function @forward, alone or with @draft and @draft_next, found draft, forward}}
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
}

// -----

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
  // expected-error @+1 {{result 2, hidden, expected to be what the selection reads}}
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
    // expected-note @+1 {{the selection}}
    %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %logits = qwen.linear %n, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens, %x : tensor<?x40xf32>, tensor<?xi32>, tensor<?x16xf32>
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

// -----

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
  // expected-error @+1 {{result 2, draft_hidden, expected to be what the selection gives}}
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
    // expected-note @+1 {{the selection}}
    %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %logits = qwen.linear %n, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens, %s : tensor<?x40xf32>, tensor<?xi32>, tensor<?x16xf32>
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

// -----

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
  // expected-error @+1 {{argument 7 has the role hidden, which isn't expected here}}
  func.func @draft_next(%ids: tensor<?xi32> {qwen.role = "token_ids"},
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
}

// -----

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
  // expected-error @+1 {{has no result with the role hidden}}
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %pages: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
    %s = qwen.residual_add %x, %q : tensor<?x16xf32>, tensor<?x16xf32>
    %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %logits = qwen.linear %n, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
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

// -----

// Nobody reads them.
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
  // expected-error @+1 {{result 2 has the role hidden, which isn't expected here}}
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
}

// -----

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
  // expected-error @+1 {{has no argument with the role hidden}}
  func.func @draft(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %pages: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"},
          tensor<?x16xf32> {qwen.role = "draft_hidden"}) {
    %e = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %h = qwen.rms_norm %e, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
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
