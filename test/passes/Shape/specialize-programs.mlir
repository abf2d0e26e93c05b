// RUN: quern-opt %s --qwen-specialize-programs | FileCheck %s
// RUN: quern-opt %s --qwen-specialize-programs --qwen-verify-programs | FileCheck %s
// RUN: quern-opt %s --qwen-specialize-programs="decode-tokens=2 verify-tokens=4 prefill-tokens=32" | FileCheck %s --check-prefix=SIZES

module attributes {qwen.model = #qwen.model<family = "qwen3",
    num_hidden_layers = 1, vocab_size = 40, context_length = 64, num_slots = 2,
    page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
  qwen.weight @norm : tensor<16xbf16> from "a" at 0
  qwen.weight @kv : tensor<8x16xbf16> from "a" at 0
  qwen.weight @q : tensor<16x16xbf16> from "a" at 0
  qwen.state @k_cache key_cache : tensor<8x2x16x4xf32>
  qwen.state @v_cache value_cache : tensor<8x2x16x4xf32>

  // CHECK-NOT: @forward
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
    %kv = qwen.linear %x, [@kv] : tensor<?x16xf32> -> tensor<?x8xf32>
    %kvh = qwen.split_heads %kv : tensor<?x8xf32> -> tensor<?x2x4xf32>
    qwen.cache_append @k_cache, @v_cache, %kvh, %kvh, %slots, %positions, %pages : tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    %q = qwen.linear %x, [@q] : tensor<?x16xf32> -> tensor<?x16xf32>
    %qh = qwen.split_heads %q : tensor<?x16xf32> -> tensor<?x4x4xf32>
    %a = qwen.attention %qh, @k_cache, @v_cache, %slots, %positions, %pages {scale = 0.5} : tensor<?x4x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>
    %m = qwen.merge_heads %a : tensor<?x4x4xf32> -> tensor<?x16xf32>
    %s = qwen.residual_add %x, %m : tensor<?x16xf32>, tensor<?x16xf32>
    %r = qwen.select_rows %s, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
    %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32>
    %logits = qwen.linear %n, [@embed] : tensor<?x16xf32> -> tensor<?x40xf32>
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32>
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}

// One token: no rows argument, no selection.
// CHECK-LABEL: func.func @decode
// CHECK-SAME: (%{{.*}}: tensor<1xi32> {qwen.role = "token_ids"}, %{{.*}}: tensor<1xi32> {qwen.role = "positions"}, %{{.*}}: tensor<1xi32> {qwen.role = "slots"}, %{{.*}}: tensor<2x4xi32> {qwen.role = "page_table"}, %{{.*}}: tensor<1x8xf32> {qwen.role = "sampling"}, %{{.*}}: tensor<1x2xi32> {qwen.role = "seen_tokens"})
// CHECK-SAME: -> (tensor<1x40xf32> {qwen.role = "logits"}, tensor<1xi32> {qwen.role = "tokens"})
// CHECK-SAME: exec.program_kind = #exec<program_kind decode>, exec.rows = 1 : i64, exec.tokens = 1 : i64
// CHECK-NOT: qwen.select_rows
// CHECK: qwen.cache_append {{.*}} : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<2x4xi32>
// CHECK: %[[S:.*]] = qwen.residual_add
// CHECK-NEXT: qwen.rms_norm %[[S]], @norm

// CHECK-LABEL: func.func @verify
// CHECK-SAME: %{{.*}}: tensor<8xi32> {qwen.role = "token_ids"}
// CHECK-SAME: -> (tensor<8x40xf32> {qwen.role = "logits"}, tensor<8xi32> {qwen.role = "tokens"})
// CHECK-SAME: exec.program_kind = #exec<program_kind verify>, exec.rows = 8 : i64, exec.tokens = 8 : i64
// CHECK-NOT: qwen.select_rows

// All up to the selection.
// CHECK-LABEL: func.func @prefill
// CHECK-SAME: (%{{.*}}: tensor<512xi32> {qwen.role = "token_ids"}, %{{.*}}: tensor<512xi32> {qwen.role = "positions"}, %{{.*}}: tensor<512xi32> {qwen.role = "slots"}, %{{.*}}: tensor<2x4xi32> {qwen.role = "page_table"})
// CHECK-SAME: -> (tensor<512x16xf32> {qwen.role = "hidden"})
// CHECK-SAME: exec.program_kind = #exec<program_kind prefill>, exec.rows = 0 : i64, exec.tokens = 512 : i64
// CHECK: qwen.cache_append
// CHECK: %[[HIDDEN:.*]] = qwen.residual_add
// CHECK-NEXT: return %[[HIDDEN]] : tensor<512x16xf32>

// The selection and all after it.
// CHECK-LABEL: func.func @head
// CHECK-SAME: (%[[HIDDEN:.*]]: tensor<512x16xf32> {qwen.role = "hidden"}, %[[ROWS:.*]]: tensor<8xi32> {qwen.role = "rows"}, %{{.*}}: tensor<8x8xf32> {qwen.role = "sampling"}, %{{.*}}: tensor<8x2xi32> {qwen.role = "seen_tokens"})
// CHECK-SAME: exec.program_kind = #exec<program_kind head>, exec.rows = 8 : i64, exec.tokens = 512 : i64
// CHECK-NEXT: qwen.select_rows %[[HIDDEN]], %[[ROWS]] : tensor<512x16xf32>, tensor<8xi32> -> tensor<8x16xf32>
// CHECK-NEXT: qwen.rms_norm
// CHECK-NEXT: qwen.linear {{.*}} -> tensor<8x40xf32>
// CHECK-NEXT: qwen.sample
// CHECK-NEXT: return

// SIZES-LABEL: func.func @decode
// SIZES-SAME: tensor<2xi32> {qwen.role = "token_ids"}
// SIZES-LABEL: func.func @verify
// SIZES-SAME: tensor<4xi32> {qwen.role = "token_ids"}
// SIZES-LABEL: func.func @prefill
// SIZES-SAME: tensor<32xi32> {qwen.role = "token_ids"}
// SIZES-LABEL: func.func @head
// SIZES-SAME: tensor<32x16xf32> {qwen.role = "hidden"}, %{{.*}}: tensor<4xi32> {qwen.role = "rows"}
