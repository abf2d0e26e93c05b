// One layer in bf16, run on random weights around every pass: what our passes
// change must be rounding.
// RUN: quern-opt %s --qwen-check-each --quern-pipeline=to=shape | FileCheck %s
// RUN: quern-opt %s --qwen-check-each --qwen-check-seed=7 --quern-pipeline -o /dev/null 2>&1 | count 0
// RUN: rm -f %t
// RUN: not quern-opt %s --qwen-check-each --qwen-check-tolerance=1e-30 --quern-pipeline=to=shape -o %t 2>&1 | FileCheck %s --check-prefix=STRICT
// RUN: not ls %t

// CHECK: func.func @decode
// CHECK: func.func @prefill

// With a tolerance that no rounding meets, the first pass that saves one is
// named, and the op it made; no output is left.
// STRICT: error: pass qwen-fuse-qk-norm-rope-append changes the logits of step 0
// STRICT: note: the first op that differs is qwen.qk_norm_rope_append of {{.*}}layers.0.self_attn

module attributes {qwen.model = #qwen.model<family = "qwen3",
    num_hidden_layers = 1, vocab_size = 40, context_length = 64, num_slots = 2,
    page_size = 16, num_pages = 8, compute = bf16>} {
  qwen.weight @embed.weight : tensor<40x16xbf16> from "a" at 0
  qwen.weight @norm.weight : tensor<16xbf16> from "a" at 0
  qwen.weight @head_norm.weight : tensor<8xbf16> from "a" at 0
  qwen.weight @q.weight : tensor<32x16xbf16> from "a" at 0
  qwen.weight @k.weight : tensor<16x16xbf16> from "a" at 0
  qwen.weight @v.weight : tensor<16x16xbf16> from "a" at 0
  qwen.weight @o.weight : tensor<16x32xbf16> from "a" at 0
  qwen.weight @gate.weight : tensor<24x16xbf16> from "a" at 0
  qwen.weight @up.weight : tensor<24x16xbf16> from "a" at 0
  qwen.weight @down.weight : tensor<16x24xbf16> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x8xbf16>
  qwen.state @v_cache value_cache : tensor<8x2x16x8xbf16>

  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %page_table: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"}) {
    %x = qwen.embedding %ids, @embed.weight : tensor<?xi32> -> tensor<?x16xf32>
    %table = qwen.rope_table %positions {inverse_frequencies = dense<[1.0, 0.5, 0.25, 0.125]> : tensor<4xf32>} : tensor<?xi32> -> tensor<?x8xf32>
    %n = qwen.rms_norm %x, @norm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xbf16>
    %q0 = qwen.linear %n, [@q.weight] : tensor<?x16xbf16> -> tensor<?x32xbf16> loc("layers.0.self_attn.q_proj")
    %k0 = qwen.linear %n, [@k.weight] : tensor<?x16xbf16> -> tensor<?x16xbf16> loc("layers.0.self_attn.k_proj")
    %v0 = qwen.linear %n, [@v.weight] : tensor<?x16xbf16> -> tensor<?x16xbf16> loc("layers.0.self_attn.v_proj")
    %q1 = qwen.split_heads %q0 : tensor<?x32xbf16> -> tensor<?x4x8xbf16>
    %k1 = qwen.split_heads %k0 : tensor<?x16xbf16> -> tensor<?x2x8xbf16>
    %v = qwen.split_heads %v0 : tensor<?x16xbf16> -> tensor<?x2x8xbf16>
    %q2 = qwen.rms_norm %q1, @head_norm.weight {epsilon = 1.0e-6} : tensor<?x4x8xbf16> -> tensor<?x4x8xbf16>
    %k2 = qwen.rms_norm %k1, @head_norm.weight {epsilon = 1.0e-6} : tensor<?x2x8xbf16> -> tensor<?x2x8xbf16>
    %q = qwen.rope %q2, %table : tensor<?x4x8xbf16>, tensor<?x8xf32> loc("layers.0.self_attn.q_rope")
    %k = qwen.rope %k2, %table : tensor<?x2x8xbf16>, tensor<?x8xf32> loc("layers.0.self_attn.k_rope")
    qwen.cache_append @k_cache, @v_cache, %k, %v, %slots, %positions, %page_table : tensor<?x2x8xbf16>, tensor<?x2x8xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32> loc("layers.0.self_attn.cache_append")
    %a = qwen.attention %q, @k_cache, @v_cache, %slots, %positions, %page_table {scale = 0.35} : tensor<?x4x8xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    %m = qwen.merge_heads %a : tensor<?x4x8xbf16> -> tensor<?x32xbf16>
    %o = qwen.linear %m, [@o.weight] : tensor<?x32xbf16> -> tensor<?x16xbf16>
    %x1 = qwen.residual_add %x, %o : tensor<?x16xf32>, tensor<?x16xbf16>
    %n1 = qwen.rms_norm %x1, @norm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xbf16>
    %gate = qwen.linear %n1, [@gate.weight] : tensor<?x16xbf16> -> tensor<?x24xbf16>
    %up = qwen.linear %n1, [@up.weight] : tensor<?x16xbf16> -> tensor<?x24xbf16>
    %glu = qwen.swiglu %gate, %up : tensor<?x24xbf16>
    %down = qwen.linear %glu, [@down.weight] : tensor<?x24xbf16> -> tensor<?x16xbf16>
    %x2 = qwen.residual_add %x1, %down : tensor<?x16xf32>, tensor<?x16xbf16>
    %x3 = qwen.select_rows %x2, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n2 = qwen.rms_norm %x3, @norm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xbf16>
    %logits = qwen.linear %n2, [@embed.weight] : tensor<?x16xbf16> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}
