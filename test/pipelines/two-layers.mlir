// RUN: quern-opt %s --quern-pipeline=to=import | FileCheck %s --check-prefix=IMPORT
// RUN: quern-opt %s --quern-pipeline=to=graph | FileCheck %s --check-prefix=GRAPH
// RUN: quern-opt %s --quern-pipeline=to=shape | FileCheck %s --check-prefix=SHAPE
// RUN: quern-opt %s --quern-pipeline=to=lower | FileCheck %s --check-prefix=LOWER
// RUN: quern-opt %s --quern-pipeline | FileCheck %s --check-prefix=MEMORY
// RUN: quern-opt %s --quern-pipeline=fuse=false | FileCheck %s --check-prefix=UNFUSED

// Each phase's output is the next one's input.
// RUN: quern-opt %s --quern-import-phase --mlir-print-debuginfo | quern-opt --quern-graph-phase --mlir-print-debuginfo \
// RUN:   | quern-opt --quern-shape-phase --mlir-print-debuginfo | quern-opt --quern-lower-phase --mlir-print-debuginfo \
// RUN:   | quern-opt --quern-memory-phase > %t.steps
// RUN: quern-opt %s --quern-pipeline | diff - %t.steps

// In f32 no pass of graph or shape changes a bit of the results; each runs
// alone too, where its input is not what the pipeline would give it.
// RUN: quern-opt %s --qwen-check-each --qwen-check-tolerance=1e-30 --quern-pipeline=to=shape -o /dev/null 2>&1 | count 0
// RUN: quern-opt %s --qwen-check-each --qwen-check-tolerance=1e-30 --quern-pipeline='to=shape fuse=false verify-tokens=3 prefill-tokens=16' -o /dev/null 2>&1 | count 0
// RUN: quern-opt %s --qwen-check-each --qwen-check-tolerance=1e-30 --qwen-fuse-add-rms-norm --qwen-fuse-swiglu --qwen-merge-qkv \
// RUN:   --qwen-split-merged-linear --qwen-fuse-qk-norm-rope-append -o /dev/null 2>&1 | count 0

// A terabyte of cache is planned without being allocated; the arena stays.
// RUN: sed -e 's/context_length = 64/context_length = 262144/' -e 's/num_pages = 8/num_pages = 268435456/' \
// RUN:   -e 's/tensor<8x2x16x8xf32>/tensor<268435456x2x16x8xf32>/' -e 's/tensor<2x4xi32>/tensor<2x16384xi32>/g' %s \
// RUN:   | quern-opt --quern-pipeline | FileCheck %s --check-prefix=LONG

// IMPORT: func.func @forward
// IMPORT: qwen.swiglu

// GRAPH-LABEL: func.func @forward
// GRAPH: qwen.embedding
// GRAPH-NEXT: qwen.rope_table
// GRAPH-NEXT: qwen.rms_norm
// GRAPH-NEXT: qwen.linear {{.*}}q_proj.weight, {{.*}}k_proj.weight, {{.*}}v_proj.weight
// GRAPH-NEXT: qwen.qk_norm_rope_append
// GRAPH-NEXT: qwen.attention
// GRAPH-NEXT: qwen.merge_heads
// GRAPH-NEXT: qwen.linear
// GRAPH-NEXT: qwen.add_rms_norm
// GRAPH-NEXT: qwen.linear_swiglu
// GRAPH-NEXT: qwen.linear
// GRAPH-NEXT: qwen.add_rms_norm
// GRAPH-NEXT: qwen.linear
// GRAPH: qwen.linear {{.*}}layers.1.mlp.down_proj
// GRAPH-NEXT: qwen.residual_add
// GRAPH-NEXT: qwen.select_rows
// GRAPH-NEXT: qwen.rms_norm
// GRAPH-NEXT: qwen.linear
// GRAPH-NEXT: qwen.sample

// The final norm is fused where no rows are selected.
// SHAPE-LABEL: func.func @decode
// SHAPE-NOT: qwen.residual_add
// SHAPE: qwen.add_rms_norm {{.*}} @model.norm.weight
// SHAPE-LABEL: func.func @verify
// SHAPE-NOT: qwen.residual_add
// SHAPE-LABEL: func.func @prefill
// SHAPE: qwen.residual_add
// SHAPE-NEXT: return
// SHAPE-LABEL: func.func @head
// SHAPE-NEXT: qwen.select_rows
// SHAPE-NEXT: qwen.rms_norm

// Both layers share their kernels.
// LOWER-COUNT-1: exec.kernel @attention_t1_4x8
// LOWER-NOT: exec.kernel @attention_t1_4x8
// LOWER-LABEL: exec.program @decode
// LOWER: exec.dispatch @attention_t1_4x8({{.*}} label "layers.0.self_attn.attention"
// LOWER: exec.dispatch @attention_t1_4x8({{.*}} label "layers.1.self_attn.attention"

// MEMORY: exec.memory_plan arena [[ARENA:[0-9]+]] step 7424
// MEMORY-LABEL: exec.program @decode kind decode tokens 1 rows 1 arena_peak
// MEMORY: exec.dispatch @embedding_t1_16
// MEMORY-NOT: exec.barrier
// MEMORY: exec.dispatch @rope_table_t1_8
// MEMORY: exec.barrier
// MEMORY-NEXT: exec.dispatch @rms_norm_t1_16
// MEMORY-LABEL: exec.program @prefill kind prefill tokens 512 rows 0
// MEMORY-SAME: arena_peak [[ARENA]] {
// MEMORY-LABEL: exec.program @head kind head tokens 512 rows 8 arena_peak
// MEMORY-NOT: func.func

// UNFUSED-NOT: exec.kernel {{.*}} family "add_rms_norm"
// UNFUSED-NOT: exec.kernel {{.*}} family "qk_norm_rope_append"
// UNFUSED-LABEL: exec.program @decode
// UNFUSED: exec.dispatch @cache_append_t1_2x8
// UNFUSED: exec.dispatch @swiglu_t1_24

// LONG: exec.memory_plan arena 279808 step
// LONG: exec.dispatch @attention_t512_4x8({{.*}} !exec.buffer<tensor<268435456x2x16x8xf32>>

module attributes {qwen.model = #qwen.model<family = "qwen3",
    num_hidden_layers = 2, vocab_size = 40, context_length = 64, num_slots = 2,
    page_size = 16, num_pages = 8, compute = f32>} {
  qwen.weight @model.embed_tokens.weight : tensor<40x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.input_layernorm.weight : tensor<16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.self_attn.q_proj.weight : tensor<32x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.self_attn.k_proj.weight : tensor<16x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.self_attn.v_proj.weight : tensor<16x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.self_attn.q_norm.weight : tensor<8xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.self_attn.k_norm.weight : tensor<8xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.self_attn.o_proj.weight : tensor<16x32xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.post_attention_layernorm.weight : tensor<16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.mlp.gate_proj.weight : tensor<24x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.mlp.up_proj.weight : tensor<24x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.0.mlp.down_proj.weight : tensor<16x24xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.input_layernorm.weight : tensor<16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.self_attn.q_proj.weight : tensor<32x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.self_attn.k_proj.weight : tensor<16x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.self_attn.v_proj.weight : tensor<16x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.self_attn.q_norm.weight : tensor<8xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.self_attn.k_norm.weight : tensor<8xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.self_attn.o_proj.weight : tensor<16x32xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.post_attention_layernorm.weight : tensor<16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.mlp.gate_proj.weight : tensor<24x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.mlp.up_proj.weight : tensor<24x16xbf16> from "model.safetensors" at 0
  qwen.weight @model.layers.1.mlp.down_proj.weight : tensor<16x24xbf16> from "model.safetensors" at 0
  qwen.weight @model.norm.weight : tensor<16xbf16> from "model.safetensors" at 0
  qwen.state @layers.0.self_attn.k_cache key_cache : tensor<8x2x16x8xf32>
  qwen.state @layers.0.self_attn.v_cache value_cache : tensor<8x2x16x8xf32>
  qwen.state @layers.1.self_attn.k_cache key_cache : tensor<8x2x16x8xf32>
  qwen.state @layers.1.self_attn.v_cache value_cache : tensor<8x2x16x8xf32>
  func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"},
      %positions: tensor<?xi32> {qwen.role = "positions"},
      %slots: tensor<?xi32> {qwen.role = "slots"},
      %pages: tensor<2x4xi32> {qwen.role = "page_table"},
      %rows: tensor<?xi32> {qwen.role = "rows"},
      %sampling: tensor<?x8xf32> {qwen.role = "sampling"},
      %seen: tensor<?x2xi32> {qwen.role = "seen_tokens"})
      -> (tensor<?x40xf32> {qwen.role = "logits"},
          tensor<?xi32> {qwen.role = "tokens"}) {
    %x0 = qwen.embedding %ids, @model.embed_tokens.weight : tensor<?xi32> -> tensor<?x16xf32> loc("embed_tokens")
    %table = qwen.rope_table %positions {inverse_frequencies = dense<[1.0, 0.5, 0.25, 0.125]> : tensor<4xf32>} : tensor<?xi32> -> tensor<?x8xf32> loc("rotary_emb")
    %l0_n = qwen.rms_norm %x0, @model.layers.0.input_layernorm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.0.input_layernorm")
    %l0_q = qwen.linear %l0_n, [@model.layers.0.self_attn.q_proj.weight] : tensor<?x16xf32> -> tensor<?x32xf32> loc("layers.0.self_attn.q_proj")
    %l0_k = qwen.linear %l0_n, [@model.layers.0.self_attn.k_proj.weight] : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.0.self_attn.k_proj")
    %l0_v = qwen.linear %l0_n, [@model.layers.0.self_attn.v_proj.weight] : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.0.self_attn.v_proj")
    %l0_qh = qwen.split_heads %l0_q : tensor<?x32xf32> -> tensor<?x4x8xf32> loc("layers.0.self_attn.q_proj")
    %l0_kh = qwen.split_heads %l0_k : tensor<?x16xf32> -> tensor<?x2x8xf32> loc("layers.0.self_attn.k_proj")
    %l0_vh = qwen.split_heads %l0_v : tensor<?x16xf32> -> tensor<?x2x8xf32> loc("layers.0.self_attn.v_proj")
    %l0_qn = qwen.rms_norm %l0_qh, @model.layers.0.self_attn.q_norm.weight {epsilon = 1.0e-6} : tensor<?x4x8xf32> -> tensor<?x4x8xf32> loc("layers.0.self_attn.q_norm")
    %l0_qr = qwen.rope %l0_qn, %table : tensor<?x4x8xf32>, tensor<?x8xf32> loc("layers.0.self_attn.rope")
    %l0_kn = qwen.rms_norm %l0_kh, @model.layers.0.self_attn.k_norm.weight {epsilon = 1.0e-6} : tensor<?x2x8xf32> -> tensor<?x2x8xf32> loc("layers.0.self_attn.k_norm")
    %l0_kr = qwen.rope %l0_kn, %table : tensor<?x2x8xf32>, tensor<?x8xf32> loc("layers.0.self_attn.rope")
    qwen.cache_append @layers.0.self_attn.k_cache, @layers.0.self_attn.v_cache, %l0_kr, %l0_vh, %slots, %positions, %pages : tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32> loc("layers.0.self_attn.cache")
    %l0_a = qwen.attention %l0_qr, @layers.0.self_attn.k_cache, @layers.0.self_attn.v_cache, %slots, %positions, %pages {scale = 0.35} : tensor<?x4x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32> loc("layers.0.self_attn.attention")
    %l0_m = qwen.merge_heads %l0_a : tensor<?x4x8xf32> -> tensor<?x32xf32> loc("layers.0.self_attn.attention")
    %l0_o = qwen.linear %l0_m, [@model.layers.0.self_attn.o_proj.weight] : tensor<?x32xf32> -> tensor<?x16xf32> loc("layers.0.self_attn.o_proj")
    %l0_x1 = qwen.residual_add %x0, %l0_o : tensor<?x16xf32>, tensor<?x16xf32> loc("layers.0.self_attn.residual")
    %l0_n2 = qwen.rms_norm %l0_x1, @model.layers.0.post_attention_layernorm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.0.post_attention_layernorm")
    %l0_g = qwen.linear %l0_n2, [@model.layers.0.mlp.gate_proj.weight] : tensor<?x16xf32> -> tensor<?x24xf32> loc("layers.0.mlp.gate_proj")
    %l0_u = qwen.linear %l0_n2, [@model.layers.0.mlp.up_proj.weight] : tensor<?x16xf32> -> tensor<?x24xf32> loc("layers.0.mlp.up_proj")
    %l0_s = qwen.swiglu %l0_g, %l0_u : tensor<?x24xf32> loc("layers.0.mlp.act")
    %l0_d = qwen.linear %l0_s, [@model.layers.0.mlp.down_proj.weight] : tensor<?x24xf32> -> tensor<?x16xf32> loc("layers.0.mlp.down_proj")
    %l0_x2 = qwen.residual_add %l0_x1, %l0_d : tensor<?x16xf32>, tensor<?x16xf32> loc("layers.0.mlp.residual")
    %l1_n = qwen.rms_norm %l0_x2, @model.layers.1.input_layernorm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.1.input_layernorm")
    %l1_q = qwen.linear %l1_n, [@model.layers.1.self_attn.q_proj.weight] : tensor<?x16xf32> -> tensor<?x32xf32> loc("layers.1.self_attn.q_proj")
    %l1_k = qwen.linear %l1_n, [@model.layers.1.self_attn.k_proj.weight] : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.1.self_attn.k_proj")
    %l1_v = qwen.linear %l1_n, [@model.layers.1.self_attn.v_proj.weight] : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.1.self_attn.v_proj")
    %l1_qh = qwen.split_heads %l1_q : tensor<?x32xf32> -> tensor<?x4x8xf32> loc("layers.1.self_attn.q_proj")
    %l1_kh = qwen.split_heads %l1_k : tensor<?x16xf32> -> tensor<?x2x8xf32> loc("layers.1.self_attn.k_proj")
    %l1_vh = qwen.split_heads %l1_v : tensor<?x16xf32> -> tensor<?x2x8xf32> loc("layers.1.self_attn.v_proj")
    %l1_qn = qwen.rms_norm %l1_qh, @model.layers.1.self_attn.q_norm.weight {epsilon = 1.0e-6} : tensor<?x4x8xf32> -> tensor<?x4x8xf32> loc("layers.1.self_attn.q_norm")
    %l1_qr = qwen.rope %l1_qn, %table : tensor<?x4x8xf32>, tensor<?x8xf32> loc("layers.1.self_attn.rope")
    %l1_kn = qwen.rms_norm %l1_kh, @model.layers.1.self_attn.k_norm.weight {epsilon = 1.0e-6} : tensor<?x2x8xf32> -> tensor<?x2x8xf32> loc("layers.1.self_attn.k_norm")
    %l1_kr = qwen.rope %l1_kn, %table : tensor<?x2x8xf32>, tensor<?x8xf32> loc("layers.1.self_attn.rope")
    qwen.cache_append @layers.1.self_attn.k_cache, @layers.1.self_attn.v_cache, %l1_kr, %l1_vh, %slots, %positions, %pages : tensor<?x2x8xf32>, tensor<?x2x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32> loc("layers.1.self_attn.cache")
    %l1_a = qwen.attention %l1_qr, @layers.1.self_attn.k_cache, @layers.1.self_attn.v_cache, %slots, %positions, %pages {scale = 0.35} : tensor<?x4x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32> loc("layers.1.self_attn.attention")
    %l1_m = qwen.merge_heads %l1_a : tensor<?x4x8xf32> -> tensor<?x32xf32> loc("layers.1.self_attn.attention")
    %l1_o = qwen.linear %l1_m, [@model.layers.1.self_attn.o_proj.weight] : tensor<?x32xf32> -> tensor<?x16xf32> loc("layers.1.self_attn.o_proj")
    %l1_x1 = qwen.residual_add %l0_x2, %l1_o : tensor<?x16xf32>, tensor<?x16xf32> loc("layers.1.self_attn.residual")
    %l1_n2 = qwen.rms_norm %l1_x1, @model.layers.1.post_attention_layernorm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32> loc("layers.1.post_attention_layernorm")
    %l1_g = qwen.linear %l1_n2, [@model.layers.1.mlp.gate_proj.weight] : tensor<?x16xf32> -> tensor<?x24xf32> loc("layers.1.mlp.gate_proj")
    %l1_u = qwen.linear %l1_n2, [@model.layers.1.mlp.up_proj.weight] : tensor<?x16xf32> -> tensor<?x24xf32> loc("layers.1.mlp.up_proj")
    %l1_s = qwen.swiglu %l1_g, %l1_u : tensor<?x24xf32> loc("layers.1.mlp.act")
    %l1_d = qwen.linear %l1_s, [@model.layers.1.mlp.down_proj.weight] : tensor<?x24xf32> -> tensor<?x16xf32> loc("layers.1.mlp.down_proj")
    %l1_x2 = qwen.residual_add %l1_x1, %l1_d : tensor<?x16xf32>, tensor<?x16xf32> loc("layers.1.mlp.residual")
    %r = qwen.select_rows %l1_x2, %rows : tensor<?x16xf32>, tensor<?xi32> -> tensor<?x16xf32> loc("select_rows")
    %n = qwen.rms_norm %r, @model.norm.weight {epsilon = 1.0e-6} : tensor<?x16xf32> -> tensor<?x16xf32> loc("norm")
    %logits = qwen.linear %n, [@model.embed_tokens.weight] : tensor<?x16xf32> -> tensor<?x40xf32> loc("lm_head")
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x40xf32>, tensor<?x8xf32>, tensor<?x2xi32> -> tensor<?xi32> loc("sample")
    return %logits, %tokens : tensor<?x40xf32>, tensor<?xi32>
  }
}
