//===- Passes.td - All passes of the compiler -------------*- tablegen -*-===//
//
// Pass FooBarPass lives in passes/<Phase>/FooBar.cpp, has the flag
// --<dialect>-foo-bar and the test test/passes/<Phase>/foo-bar.mlir.
// passes/Pipelines.cpp orders them. Those of the quantize phase are in
// QuantizePasses.td.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_PASSES_PASSES_TD
#define QUERN_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"
include "passes/QuantizePasses.td"

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

def MergeQKVPass : Pass<"qwen-merge-qkv", "::mlir::func::FuncOp"> {
  let summary = "Merges the query, key and value projections of a layer";
  let description = [{
    The three projections read the same rows; one product with the stacked
    weights reads them once and fills the device better.

    Before:
    ```mlir
    %q = qwen.linear %x, [@q] : tensor<?x64xf32> -> tensor<?x128xf32>
    %k = qwen.linear %x, [@k] : tensor<?x64xf32> -> tensor<?x64xf32>
    %v = qwen.linear %x, [@v] : tensor<?x64xf32> -> tensor<?x64xf32>
    ```
    After:
    ```mlir
    %qkv = qwen.linear %x, [@q, @k, @v] : tensor<?x64xf32> -> tensor<?x256xf32>
    %q = qwen.slice_features %qkv offset 0 : tensor<?x256xf32> -> tensor<?x128xf32>
    %k = qwen.slice_features %qkv offset 128 : tensor<?x256xf32> -> tensor<?x64xf32>
    %v = qwen.slice_features %qkv offset 192 : tensor<?x256xf32> -> tensor<?x64xf32>
    ```

    The projection of a gated attention gives queries and gates; its slices
    become slices of the merged rows.

    Requires: nothing.
    Guarantees: the projections that feed a qwen.attention and the
    qwen.cache_append in front of it are one qwen.linear in the order q, k, v.
    Leaves alone: projections of different inputs, of different element types,
    with weights of different element types, or with other uses.
    Numerics: unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numMerged", "num-merged",
                              "Projection triples merged">];
}

def FuseQKNormRopeAppendPass
    : Pass<"qwen-fuse-qk-norm-rope-append", "::mlir::func::FuncOp"> {
  let summary = "Fuses QK norm, rotary embedding and cache append";
  let description = [{
    Between the merged projection and the attention, a layer norms and rotates
    the queries and keys and stores keys and values. All of it is a pass over
    one row per token: one op.

    Before:
    ```mlir
    %q = qwen.slice_features %qkv offset 0 ...
    %k = qwen.slice_features %qkv offset 128 ...
    %v = qwen.slice_features %qkv offset 192 ...
    %q1 = qwen.split_heads %q ...
    %k1 = qwen.split_heads %k ...
    %v1 = qwen.split_heads %v ...
    %q2 = qwen.rms_norm %q1, @q_norm ...
    %k2 = qwen.rms_norm %k1, @k_norm ...
    %q3 = qwen.rope %q2, %table ...
    %k3 = qwen.rope %k2, %table ...
    qwen.cache_append @k_cache, @v_cache, %k3, %v1, %slots, %positions, %pages
    %a = qwen.attention %q3, ...
    ```
    After:
    ```mlir
    %q3 = qwen.qk_norm_rope_append %qkv, %table, %slots, %positions, %pages,
        @q_norm, @k_norm, @k_cache, @v_cache {...}
    %a = qwen.attention %q3, ...
    ```

    If as many gates as queries stand between the queries and the keys, the op
    is `gated` and leaves them alone.

    Requires: --qwen-merge-qkv ran (else nothing matches).
    Guarantees: the chain above is one op at the place of the cache append.
    Leaves alone: chains without norms, with norms of different epsilon or
    offset, with different tables, or with other uses of a value in between.
    Numerics: with f16 or bf16 activations the normed values are no longer
    rounded before the rotation; with f32 unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numFused", "num-fused", "Chains fused">];
}

def FuseAttentionGatePass
    : Pass<"qwen-fuse-attention-gate", "::mlir::func::FuncOp"> {
  let summary = "Fuses the output gate of an attention into it";
  let description = [{
    The attention has the numbers that the gate scales at hand, and can read the
    gate where the projection left it: one pass over a row of the layer less,
    and no copy of the gate.

    Before:
    ```mlir
    %g = qwen.slice_features %qkv offset 128 : tensor<?x320xf32> -> tensor<?x128xf32>
    %a = qwen.attention %q, @k, @v, %slots, %positions, %pages {scale = 0.5} ...
    %m = qwen.merge_heads %a : tensor<?x4x32xf32> -> tensor<?x128xf32>
    %y = qwen.sigmoid_gate %m, %g : tensor<?x128xf32>, tensor<?x128xf32>
    ```
    After:
    ```mlir
    %a = qwen.attention %q, @k, @v, %slots, %positions, %pages
        gate %qkv : tensor<?x320xf32> {gate_offset = 128 : i64, scale = 0.5} ...
    %y = qwen.merge_heads %a : tensor<?x4x32xf32> -> tensor<?x128xf32>
    ```

    Requires: nothing.
    Guarantees: no qwen.sigmoid_gate has an attention's merged heads as its x.
    Leaves alone: attentions with another use or with a gate, gates that are
    computed behind the attention.
    Numerics: with f16 or bf16 activations the attention is no longer rounded
    before it is scaled; with f32 unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numFused", "num-fused", "Gates fused">];
}

def MergeDeltaProjectionsPass
    : Pass<"qwen-merge-delta-projections", "::mlir::func::FuncOp"> {
  let summary = "Merges the projections of a gated delta net";
  let description = [{
    What is convolved and the gate of the output are products of the same rows;
    one product reads them once. Both readers take their part of a row where it
    is: the convolution the first features, the norm those from gate_offset on.

    Before:
    ```mlir
    %qkv = qwen.linear %x, [@qkv] : tensor<?x64xf32> -> tensor<?x128xf32>
    %z = qwen.linear %x, [@z] : tensor<?x64xf32> -> tensor<?x64xf32>
    %c = qwen.causal_conv1d %qkv, @conv, @state, %sequences ...
    ...
    %y = qwen.gated_rms_norm %o, %z, @norm {epsilon = 1.0e-6} ...
    ```
    After:
    ```mlir
    %row = qwen.linear %x, [@qkv, @z] : tensor<?x64xf32> -> tensor<?x192xf32>
    %c = qwen.causal_conv1d %row, @conv, @state, %sequences ...
    ...
    %y = qwen.gated_rms_norm %o, %row, @norm {epsilon = 1.0e-6, gate_offset = 128 : i64} ...
    ```

    Requires: runs before --qwen-fuse-delta-inputs (else nothing matches).
    Guarantees: the projections of a convolution and of the norm behind its
    delta rule are one qwen.linear.
    Leaves alone: projections of different inputs, of different element types,
    with weights of different element types, or with other uses.
    Numerics: unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numMerged", "num-merged",
                              "Projection pairs merged">];
}

def FuseDeltaInputsPass
    : Pass<"qwen-fuse-delta-inputs", "::mlir::func::FuncOp"> {
  let summary = "Fuses convolution, norms and gates in front of a delta rule";
  let description = [{
    Between the projections and the delta rule stand a convolution, slices, two
    norms and the gates, each a pass over short rows: one op.

    Before:
    ```mlir
    %y = qwen.causal_conv1d %row, @conv, @state, %sequences ...
    %q = qwen.slice_features %y offset 0 ...
    %k = qwen.slice_features %y offset 32 ...
    %v = qwen.slice_features %y offset 64 ...
    %q1 = qwen.split_heads %q ...
    %k1 = qwen.split_heads %k ...
    %v1 = qwen.split_heads %v ...
    %q2 = qwen.l2_norm %q1 {epsilon = 1.0e-6, scale = 0.25} ...
    %k2 = qwen.l2_norm %k1 {epsilon = 1.0e-6} ...
    %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias ...
    %o = qwen.gated_delta_rule %q2, %k2, %v1, %decay, %beta, ...
    ```
    After:
    ```mlir
    %q2, %k2, %v1, %decay, %beta = qwen.delta_inputs %row, %ba, @conv, @A_log,
        @dt_bias, @state, %sequences {epsilon = 1.0e-6} ...
    %o = qwen.gated_delta_rule %q2, %k2, %v1, %decay, %beta, ...
    ```

    Requires: nothing.
    Guarantees: the chain above is one op in front of the rule.
    Leaves alone: chains whose queries, keys and values do not fill the
    convolution in that order, with norms of different epsilon or other scales
    than Dk^-1/2 and 1, with other uses of a value in between, or with another
    op between convolution and rule that names the convolution's state.
    Numerics: with f16 or bf16 activations queries and keys are no longer
    rounded before their norm; with f32 unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numFused", "num-fused", "Chains fused">];
}

def SplitMergedLinearPass
    : Pass<"qwen-split-merged-linear", "::mlir::func::FuncOp"> {
  let summary = "Takes apart merged projections that no fusion used";
  let description = [{
    A slice of a merged projection is a copy on the device, unless a fused op
    reads the merged rows. Where none does, the separate products are cheaper.

    Before:
    ```mlir
    %ab = qwen.linear %x, [@a, @b] : tensor<?x64xf32> -> tensor<?x192xf32>
    %b = qwen.slice_features %ab offset 128 : tensor<?x192xf32> -> tensor<?x64xf32>
    ```
    After:
    ```mlir
    %b = qwen.linear %x, [@b] : tensor<?x64xf32> -> tensor<?x64xf32>
    ```

    Requires: nothing.
    Guarantees: no qwen.slice_features takes a range of whole weights of a
    qwen.linear.
    Leaves alone: slices of other values and slices that cut through a weight.
    Numerics: unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numSplit", "num-split", "Slices replaced">];
}

def FuseSwiGLUPass : Pass<"qwen-fuse-swiglu", "::mlir::func::FuncOp"> {
  let summary = "Fuses gate and up projections with SwiGLU";
  let description = [{
    One product over the interleaved rows of gate and up has both numbers of a
    pair in one place; the activation becomes its epilogue and the two
    intermediate tensors disappear.

    Before:
    ```mlir
    %g = qwen.linear %x, [@gate] : tensor<?x64xf32> -> tensor<?x192xf32>
    %u = qwen.linear %x, [@up] : tensor<?x64xf32> -> tensor<?x192xf32>
    %y = qwen.swiglu %g, %u : tensor<?x192xf32>
    ```
    After:
    ```mlir
    %y = qwen.linear_swiglu %x, @gate, @up : tensor<?x64xf32> -> tensor<?x192xf32>
    ```

    Requires: nothing.
    Guarantees: gate and up projections of one input are one op with SwiGLU.
    Leaves alone: projections of different inputs or with other uses, merged
    projections, weights of different types.
    Numerics: with f16 or bf16 activations gate and up are no longer rounded
    before the activation; with f32 unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numFused", "num-fused", "Activations fused">];
}

def FuseAddRMSNormPass : Pass<"qwen-fuse-add-rms-norm", "::mlir::func::FuncOp"> {
  let summary = "Fuses a residual add with the norm of its sum";
  let description = [{
    Before:
    ```mlir
    %s = qwen.residual_add %x, %d : tensor<?x64xf32>, tensor<?x64xbf16>
    %n = qwen.rms_norm %s, @w {epsilon = 1.0e-6} : tensor<?x64xf32> -> tensor<?x64xbf16>
    ```
    After:
    ```mlir
    %s, %n = qwen.add_rms_norm %x, %d, @w {epsilon = 1.0e-6} : ...
    ```

    Requires: nothing.
    Guarantees: no qwen.rms_norm stands in the block of the qwen.residual_add
    whose sum it norms, except for second and later norms of one sum.
    Leaves alone: sums that are not normed, norms of other values.
    Numerics: unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let statistics = [Statistic<"numFused", "num-fused", "Norms fused">];
}

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

def SpecializeProgramsPass
    : Pass<"qwen-specialize-programs", "::mlir::ModuleOp"> {
  let summary = "Makes the programs of fixed size from the model function";
  let description = [{
    From @forward with T tokens and R rows it makes

    | Function | T | R | |
    |---|---|---|---|
    | @decode  | decode-tokens  | = T | row i is token i: no rows argument |
    | @verify  | verify-tokens  | = T | likewise |
    | @prefill | prefill-tokens | 0   | ends at qwen.select_rows, returns its input as `hidden` |
    | @head    | prefill-tokens | verify-tokens | from `hidden` and `rows` to logits and tokens |

    and from @draft and @draft_next, if the model has a draft layer,

    | Function | T | R | |
    |---|---|---|---|
    | @draft_prefill | prefill-tokens | 1 | @draft, after @prefill |
    | @draft_verify  | verify-tokens  | 1 | @draft, after @decode and @verify, which also return `hidden` then |
    | @draft_decode  | 1              | 1 | @draft_next; no rows argument |

    Before:
    ```mlir
    func.func @forward(%ids: tensor<?xi32> {qwen.role = "token_ids"}, ...)
    ```
    After:
    ```mlir
    func.func @decode(%ids: tensor<1xi32> {qwen.role = "token_ids"}, ...)
        attributes {exec.program_kind = #exec<program_kind decode>,
                    exec.tokens = 1, exec.rows = 1}
    func.func @verify(...)
    func.func @prefill(...) -> (tensor<512x64xf32> {qwen.role = "hidden"})
    func.func @head(%hidden: tensor<512x64xf32> {qwen.role = "hidden"}, ...)
    ```

    Requires: --qwen-verify-graph passes.
    Guarantees: --qwen-verify-programs passes; @forward is gone.
    Leaves alone: weights and states.
    Numerics: unchanged.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect",
                           "::quern::exec::ExecDialect"];
  let options = [
    Option<"decodeTokens", "decode-tokens", "int64_t", /*default=*/"1",
           "Tokens of the decode program">,
    Option<"verifyTokens", "verify-tokens", "int64_t", /*default=*/"8",
           "Largest number of tokens of the verify program, and of rows of the "
           "head program">,
    Option<"prefillTokens", "prefill-tokens", "int64_t", /*default=*/"512",
           "Largest number of tokens of the prefill program">
  ];
  let statistics = [Statistic<"numPrograms", "num-programs", "Programs made">];
}

def SpecializeDeltaRulePass
    : Pass<"qwen-specialize-delta-rule", "::mlir::func::FuncOp"> {
  let summary = "Decides how a program computes its gated delta rules";
  let description = [{
    Programs of few tokens read the state and append to its rings, so that a
    rejected draft costs nothing: decode, verify and their drafts. Prefill ends
    in the state: its tokens go `chunk` at a time through a few matrix products
    each, or one by one (1).

    Before:
    ```mlir
    %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences
        : tensor<512x2x16xf32>, ...
    ```
    After, in a prefill program with chunk=1:
    ```mlir
    %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences chunk 1
        : tensor<512x2x16xf32>, ...
    ```

    Requires: the attributes of --qwen-specialize-programs.
    Guarantees: `sequences` of a program all have the update 2 if the op has a
    `chunk`, else 0 or 1.
    Leaves alone: all other ops.
    Numerics: the forms sum the same terms in different orders, in f32.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let options = [
    Option<"chunk", "chunk", "int64_t", /*default=*/"1",
           "Tokens of a chunk in prefill">,
    Option<"minTokens", "min-tokens", "int64_t", /*default=*/"1",
           "Prefill programs of fewer tokens go one by one">
  ];
  let statistics = [
    Statistic<"numAppended", "num-appended",
              "Delta rules that append to the rings">,
    Statistic<"numScanned", "num-scanned",
              "Delta rules computed token by token into the state">,
    Statistic<"numChunked", "num-chunked",
              "Delta rules computed in chunks into the state">
  ];
}

def SpecializeExpertsPass
    : Pass<"qwen-specialize-experts", "::mlir::func::FuncOp"> {
  let summary = "Decides how a program computes its experts";
  let description = [{
    Gathered: one grid over the (token, slot) pairs, each of which reads the
    weights of its expert; nothing is prepared. Sorted: the pairs are counted
    and sorted by expert on the device into a list of tiles of up to `tile`
    rows, which share one read of the weights. An expert's last tile is one of
    the sizes tile, tile / 2, ..., 1; experts that nobody chose have none.

    The cost that counts is reading weights. With T tokens and k of E experts,
    each as likely as any other, E (1 - (1 - k/E)^T) experts are chosen, each
    T k / that many times. `auto` sorts from `min-reuse` choices per chosen
    expert on: below, the three small dispatches cost more than reading a few
    weights again.

    Before:
    ```mlir
    %y = qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<512x64xf32>, tensor<512x2xi32>, tensor<512x2xf32>
    ```
    After:
    ```mlir
    %y = qwen.experts %x, %e, %w, [@gate_up], [@down] tile 8 : tensor<512x64xf32>, tensor<512x2xi32>, tensor<512x2xf32>
    ```

    Requires: static numbers of tokens.
    Guarantees: --qwen-lower-to-exec lowers each qwen.experts in the form chosen.
    Leaves alone: all other ops.
    Numerics: the gathered form sums the k products of a lane before it adds the
    lanes, the sorted form after it; both in f32 and in the order of the slots.
  }];
  let dependentDialects = ["::quern::qwen::QwenDialect"];
  let options = [
    Option<"form", "form", "std::string", /*default=*/"\"auto\"",
           "auto, gathered or sorted">,
    Option<"minReuse", "min-reuse", "double", /*default=*/"1.1",
           "Choices per chosen expert from which on pairs are sorted; set from "
           "the target">,
    Option<"tile4Reuse", "tile4-reuse", "double", /*default=*/"2",
           "Choices per chosen expert from which on tiles have 4 rows, not 2; "
           "set from the target">,
    Option<"tile8Reuse", "tile8-reuse", "double", /*default=*/"16",
           "Those from which on they have 8; set from the target">,
    Option<"tile", "tile", "int64_t", /*default=*/"0",
           "Rows of the largest tile, a power of two; 0: 2, 4 or 8, with "
           "matrix units 16 or 32, about as many as choose an expert">,
    Option<"maxTile", "max-tile", "int64_t", /*default=*/"8",
           "The most rows that 0 gives a tile; set from the target">
  ];
  let statistics = [
    Statistic<"numGathered", "num-gathered", "Mixtures computed gathered">,
    Statistic<"numSorted", "num-sorted", "Mixtures computed sorted">
  ];
}

//===----------------------------------------------------------------------===//
// Lower
//===----------------------------------------------------------------------===//

def LowerToExecPass : Pass<"qwen-lower-to-exec", "::mlir::ModuleOp"> {
  let summary = "Lowers specialised functions to exec programs";
  let description = [{
    Each function becomes an exec.program, each op a dispatch of a kernel
    request. Equal requests share an exec.kernel; equally packed weights share
    an exec.weight, over all programs. Views (split_heads, merge_heads) cost
    nothing: buffers are dense. An argument and a result of one role are one
    buffer. Labels come from the locations. With attention-workgroups, the
    attention of few tokens becomes attention_split, which shares the positions
    between workgroups, and attention_merge.

    Before:
    ```mlir
    qwen.weight @w : tensor<128x64xf32> from "model.safetensors" at 0
    func.func @decode(...) {
      %y = qwen.linear %x, [@w] : tensor<1x64xf32> -> tensor<1x128xf32>
    ```
    After:
    ```mlir
    qwen.weight @w : tensor<128x64xf32> from "model.safetensors" at 0
    exec.weight @w.plain plain [@w] : tensor<128x64xf32>
    exec.kernel @linear_t1_64x128 family "linear" arguments [...] config {...}
    exec.program @decode kind decode tokens 1 rows 1 {
      %w = exec.weight_ref @w.plain : !exec.buffer<tensor<128x64xf32>>
      %y = exec.alloc : !exec.buffer<tensor<1x128xf32>>
      exec.dispatch @linear_t1_64x128(%x, %w, %y) label "q_proj" : ...
    ```

    Requires: --qwen-verify-programs passes.
    Guarantees: no function and no qwen op but qwen.weight and qwen.state is
    left; every buffer has a place except those in the arena.
    Leaves alone: qwen.weight, qwen.state, the module's attributes.
    Numerics: unchanged.
  }];
  let dependentDialects = ["::quern::exec::ExecDialect"];
  let options = [
    Option<"attentionWorkgroups", "attention-workgroups", "int64_t", "0",
           "Attention of few tokens splits the positions until it has this "
           "many workgroups; 0: never">
  ];
  let statistics = [
    Statistic<"numDispatches", "num-dispatches", "Dispatches made">,
    Statistic<"numKernels", "num-kernels", "Different kernel requests">,
    Statistic<"numWeights", "num-weights", "Packed weights">
  ];
}

def PackPanelsPass : Pass<"exec-pack-panels", "::mlir::ModuleOp"> {
  let summary = "Packs the weights of linear layers and experts in panels";
  let description = [{
    For targets on which a lane owns a weight row: a weight that a `linear`
    kernel or one of experts reads, or a quantised one that a kernel of integer
    products reads, lies in panels of `rows` rows, if their number divides the
    rows of a matrix and every other kernel that reads it is an `embedding`. A
    kernel reads panels for all of its dispatches or for none.

    Before:
    ```mlir
    exec.weight @w.plain plain [@w] : tensor<128x64xbf16>
    exec.kernel @linear_t1_64x128 family "linear" arguments [...]
        config {count = "tokens", epilogue = "none"}
    ```
    After (rows=8):
    ```mlir
    exec.weight @w.plain plain [@w] panels 8 : tensor<128x64xbf16>
    exec.kernel @linear_t1_64x128 family "linear" arguments [...]
        config {count = "tokens", epilogue = "none", weight_panels = 8 : i64}
    ```

    Requires: exec programs.
    Guarantees: weights and kernels agree on panels.
    Leaves alone: everything if rows is 0.
    Numerics: unchanged; the order of additions is the kernel's.
  }];
  let options = [
    Option<"rows", "rows", "int64_t", "0", "Rows of a panel; 0: no panels">
  ];
  let statistics = [
    Statistic<"numWeights", "num-weights", "Weights packed in panels">
  ];
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def PlanMemoryPass : Pass<"exec-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Places the arena buffers and lays out the step block";
  let description = [{
    Temporaries share memory where their live ranges (first to last dispatch
    that uses them) are apart. The persistent buffers lie at the start of the
    arena, in one place for all programs, and nothing overlaps them. The step
    block has one place per role, sized for the largest program. Offsets are
    multiples of 256.

    Before:
    ```mlir
    %t = exec.alloc : !exec.buffer<tensor<1x64xf32>>
    ```
    After:
    ```mlir
    exec.memory_plan arena 768 step 512 buffers [...]
    exec.program @decode kind decode tokens 1 rows 1 arena_peak 768 {
      %t = exec.alloc offset 256 : !exec.buffer<tensor<1x64xf32>>
    ```

    Requires: exec programs, no exec.memory_plan yet or an outdated one.
    Guarantees: every exec.alloc has an offset; there is one exec.memory_plan;
    arena_peak is the end of the highest buffer of the program.
    Leaves alone: everything else.
    Numerics: unchanged.
  }];
  let options = [
    Option<"keepIntermediates", "keep-intermediates", "bool", "false",
           "Share no memory, so that every temporary can be read after a run">
  ];
  let dependentDialects = ["::quern::exec::ExecDialect"];
  let statistics = [
    Statistic<"arenaBytes", "arena-bytes", "Bytes of the arena">,
    Statistic<"lowerBoundBytes", "lower-bound-bytes",
              "Bytes that no plan can do without: the persistent buffers and "
              "the largest sum of temporaries live at one dispatch">,
    Statistic<"unsharedBytes", "unshared-bytes",
              "Bytes of the largest program without sharing">,
    Statistic<"stepBytes", "step-bytes", "Bytes of the step block">
  ];
}

def InsertBarriersPass : Pass<"exec-insert-barriers", "::mlir::ModuleOp"> {
  let summary = "Inserts the barriers that dependences need";
  let description = [{
    A barrier goes in front of a dispatch that reads what an earlier one wrote,
    or writes what an earlier one read or wrote, unless a barrier already
    stands between the two. Arena buffers conflict where their bytes overlap.

    Before:
    ```mlir
    exec.dispatch @f(%a, %b) : ...
    exec.dispatch @g(%b, %c) : ...
    ```
    After:
    ```mlir
    exec.dispatch @f(%a, %b) : ...
    exec.barrier
    exec.dispatch @g(%b, %c) : ...
    ```

    Requires: --exec-plan-memory ran.
    Guarantees: --exec-verify-exec finds no hazard; no barrier can be left out.
    Leaves alone: barriers that are there already.
    Numerics: unchanged.
  }];
  let dependentDialects = ["::quern::exec::ExecDialect"];
  let statistics = [Statistic<"numBarriers", "num-barriers",
                              "Barriers inserted">];
}

//===----------------------------------------------------------------------===//
// Verify
//===----------------------------------------------------------------------===//

def VerifyGraphPass : Pass<"qwen-verify-graph", "::mlir::ModuleOp"> {
  let summary = "Checks the model function before and after graph passes";
  let description = [{
    The border between frontend, graph passes and Shape: the module has a
    qwen.model and one function, @forward, or with it @draft and @draft_next of
    a draft layer, with one block each; each role stands at one argument or
    result; there is one qwen.select_rows, and hidden and draft_hidden stand
    around it; each attention follows the append to its caches.

    Numerics: changes nothing.
  }];
}

def VerifyProgramsPass : Pass<"qwen-verify-programs", "::mlir::ModuleOp"> {
  let summary = "Checks the specialised functions";
  let description = [{
    The border between Shape and Lower: every function states kind, tokens and
    rows; every shape is static; each argument and result has a role, with as
    many entries as the program has tokens or rows; only the head and drafts
    select rows, and behind the selection nothing counts tokens; no two
    functions are of one kind.

    Numerics: changes nothing.
  }];
}

def VerifyExecPass : Pass<"exec-verify-exec", "::mlir::ModuleOp"> {
  let summary = "Checks placement and hazards of the exec programs";
  let description = [{
    The border between Memory and codegen, checked from the definitions and not
    with the code of the passes that made the plan: every arena buffer lies in
    the arena; buffers that are live at the same time don't overlap; nothing
    overlaps a persistent buffer; every buffer is written before it is read;
    each pair of dispatches with a conflict has a barrier in between; every
    step buffer has its place; a launch grid fits its program.

    Numerics: changes nothing.
  }];
}

#endif // QUERN_PASSES_PASSES_TD
