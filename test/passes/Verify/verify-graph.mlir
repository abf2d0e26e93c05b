// RUN: quern-opt %s --split-input-file --verify-diagnostics --qwen-verify-graph

// A legal one.
module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "slots"}, %pages: tensor<2x4xi32> {qwen.role = "page_table"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r0, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// -----

// expected-error @+1 {{has no qwen.model}}
module {
}

// -----

// expected-error @+1 {{expected the function @forward, alone or with @draft and @draft_next, found other}}
module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  func.func @other(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "slots"}, %pages: tensor<2x4xi32> {qwen.role = "page_table"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r0, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// -----

module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  // expected-error @+1 {{expected one qwen.select_rows, found 2}}
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "slots"}, %pages: tensor<2x4xi32> {qwen.role = "page_table"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %r1 = qwen.select_rows %r0, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r1, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// -----

module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  // expected-error @+1 {{has no argument with the role page_table}}
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "slots"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r0, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// -----

module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  // expected-error @+1 {{argument 2 has the role positions, which isn't expected here}}
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "positions"}, %pages: tensor<2x4xi32> {qwen.role = "page_table"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r0, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// -----

module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  // expected-error @+1 {{result 1 has no role}}
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "slots"}, %pages: tensor<2x4xi32> {qwen.role = "page_table"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32>) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r0, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// -----

module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "slots"}, %pages: tensor<2x4xi32> {qwen.role = "page_table"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    %h = qwen.split_heads %x : tensor<?x16xf32> -> tensor<?x4x4xf32>
    // expected-error @+1 {{reads @k_cache and @v_cache before the step's tokens are appended}}
    %a = qwen.attention %h, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r0, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// -----

module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40,
    context_length = 64, num_slots = 2, page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xf32> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, %positions: tensor<?xi32> {qwen.role = "positions"}, %slots: tensor<?xi32> {qwen.role = "slots"}, %pages: tensor<2x4xi32> {qwen.role = "page_table"}, %rows: tensor<?xi32> {qwen.role = "rows"}, %sampling: tensor<?x8xf32> {qwen.role = "sampling"}, %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"}, tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
    // expected-error @+1 {{can't be part of a model}}
    %c = arith.constant 0 : i32
    %r0 = qwen.select_rows %x, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %logits = qwen.linear %r0, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}
