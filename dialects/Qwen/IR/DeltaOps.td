//===- DeltaOps.td - gated delta net -----------------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_DELTAOPS_TD
#define QUERN_DIALECTS_QWEN_IR_DELTAOPS_TD

include "dialects/Qwen/IR/AttentionOps.td"

// Hk key heads of Dk features, Hv value heads of Dv features; value head h goes
// with key head h / (Hv / Hk).
//
// `sequences` has one row for each sequence of the step: slot, its first token
// in the step, number of tokens n (0: the row is unused), position p0 of its
// first token, position b up to which its state is folded, update (0 append, 1
// fold and append, 2 fold), 0, 0. The tokens of a sequence stand side by side.

def Qwen_CausalConv1dOp : Qwen_StateAccessOp<"causal_conv1d"> {
  let summary = "causal convolution of each channel over the tokens, SiLU";
  let description = [{
    For a sequence's token at position p, with channels C and width K of the
    weight [C, 1, K]: y[c] = sum_j weight[c, 0, j] * x(p - K + 1 + j)[c], result
    = silu(y); sums are f32. x(q) is the row of the token at position q of the
    step, before it row q mod ring of the slot's state [slots, ring, C], and
    zero for q < 0. Then the rows of the step's last min(n, ring) tokens are
    stored in the state. Only the first C features of x count. ring >= K - 1 +
    the tokens that may be taken back.

    Example:
    ```mlir
    %1 = qwen.causal_conv1d %0, @conv1d.weight, @conv_state, %sequences
        : tensor<?x128xbf16>, tensor<?x8xi32> -> tensor<?x128xbf16>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, FlatSymbolRefAttr:$weight,
                       FlatSymbolRefAttr:$state, Qwen_Sequences:$sequences);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$x `,` $weight `,` $state `,` $sequences attr-dict `:` "
                       "type(operands) `->` type($result)";
  let hasVerifier = 1;
}

def Qwen_L2NormOp : Qwen_Op<"l2_norm",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "heads of length one, scaled";
  let description = [{
    result[t, h, d] = scale * x[t, h, d] * rsqrt(sum_j x[t, h, j]^2 + epsilon),
    in f32: the sum, not the mean.

    Example:
    ```mlir
    %1 = qwen.l2_norm %0 {epsilon = 1.0e-6, scale = 0.25} : tensor<?x2x16xbf16> -> tensor<?x2x16xf32>
    ```
  }];
  let arguments = (ins Qwen_Heads:$x, F64Attr:$epsilon,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs Qwen_HeadsF32:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Qwen_DeltaGatesOp : Qwen_Op<"delta_gates",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "decay and write strength of each value head";
  let description = [{
    ba [T, 2 Hv] holds b and a. beta[t, h] = sigmoid(ba[t, h]); decay[t, h] =
    -exp(A_log[h]) * softplus(ba[t, Hv + h] + dt_bias[h]), the logarithm of the
    factor, with softplus(z) = log(1 + exp(z)). All of it is f32.

    Example:
    ```mlir
    %decay, %beta = qwen.delta_gates %ba, @A_log, @dt_bias : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x4xf32>
    ```
  }];
  let arguments = (ins Qwen_Residual:$ba, FlatSymbolRefAttr:$a_log,
                       FlatSymbolRefAttr:$dt_bias);
  let results = (outs Qwen_HeadScalars:$decay, Qwen_HeadScalars:$beta);
  let assemblyFormat = "$ba `,` $a_log `,` $dt_bias attr-dict `:` type($ba) "
                       "`->` type(results)";
  let hasVerifier = 1;
}

def Qwen_DeltaInputsOp : Qwen_StateAccessOp<"delta_inputs"> {
  let summary = "all that the delta rule takes, from the projections";
  let description = [{
    y = qwen.causal_conv1d of the first 2 Hk Dk + Hv Dv features of x; q and k
    are qwen.l2_norm of the first and the second Hk Dk features of y (with
    `epsilon`; q scaled by Dk^-1/2), v the rest; decay and beta are
    qwen.delta_gates of ba. y is not rounded before the norms. Formed by graph
    passes.

    Example:
    ```mlir
    %q, %k, %v, %decay, %beta = qwen.delta_inputs %x, %ba, @conv1d.weight, @A_log, @dt_bias, @conv_state, %sequences {epsilon = 1.0e-6}
        : tensor<?x256xbf16>, tensor<?x8xf32>, tensor<?x8xi32>
        -> tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?x4x16xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x, Qwen_Residual:$ba,
                       FlatSymbolRefAttr:$weight, FlatSymbolRefAttr:$a_log,
                       FlatSymbolRefAttr:$dt_bias, FlatSymbolRefAttr:$state,
                       Qwen_Sequences:$sequences, F64Attr:$epsilon);
  let results = (outs Qwen_HeadsF32:$q, Qwen_HeadsF32:$k, Qwen_Heads:$v,
                      Qwen_HeadScalars:$decay, Qwen_HeadScalars:$beta);
  let assemblyFormat = "$x `,` $ba `,` $weight `,` $a_log `,` $dt_bias `,` "
                       "$state `,` $sequences attr-dict `:` type(operands) "
                       "`->` type(results)";
  let hasVerifier = 1;
}

def Qwen_GatedDeltaRuleOp : Qwen_StateAccessOp<"gated_delta_rule"> {
  let summary = "the recurrence of a gated delta net";
  let description = [{
    For each sequence and value head, with S [Dk, Dv] the state after the
    tokens before the step, token by token:

    S = exp(decay) S; u = beta (v - S^T k); S = S + k u^T; result = S^T q

    in f32. What of it is stored: the state `recurrent` is S after the first b
    tokens (zero for b = 0, whatever is stored), and the tokens from b to p0
    lie in the rings: `keys` holds k, `updates` u and `decays` the sum of the
    decays from b on, the token's own included. Thus S after them is
    exp(decays[p0 - 1]) S_b + sum_j exp(decays[p0 - 1] - decays[j]) k_j u_j^T.
    update 0 (append): the step's tokens are added to the rings. 1 (fold and
    append): `recurrent` becomes S after p0 tokens, then the step's tokens are
    added to the rings, decays starting from p0. 2 (fold): `recurrent` becomes S
    after the step; the rings are not written. p0 + n - b <= ring unless update
    is 2: who chooses the update folds before the next step finds no room.

    `chunk` says how the step is computed, not what: absent, for few tokens with
    update 0 or 1; else for update 2, that many tokens at a time (1: token by
    token). Set by --qwen-specialize-delta-rule.

    Example:
    ```mlir
    %o = qwen.gated_delta_rule %q, %k, %v, %decay, %beta, @recurrent, @keys, @updates, @decays, %sequences
        : tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?x4x16xbf16>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xi32>
        -> tensor<?x4x16xbf16>
    ```
  }];
  let arguments = (ins Qwen_HeadsF32:$q, Qwen_HeadsF32:$k, Qwen_Heads:$v,
                       Qwen_HeadScalars:$decay, Qwen_HeadScalars:$beta,
                       FlatSymbolRefAttr:$recurrent, FlatSymbolRefAttr:$keys,
                       FlatSymbolRefAttr:$updates, FlatSymbolRefAttr:$decays,
                       Qwen_Sequences:$sequences,
                       OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$chunk);
  let results = (outs Qwen_Heads:$result);
  let assemblyFormat = "$q `,` $k `,` $v `,` $decay `,` $beta `,` $recurrent "
                       "`,` $keys `,` $updates `,` $decays `,` $sequences "
                       "(`chunk` $chunk^)? attr-dict `:` type(operands) `->` "
                       "type($result)";
  let hasVerifier = 1;
}

def Qwen_GatedRmsNormOp : Qwen_Op<"gated_rms_norm",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "root-mean-square norm of heads, times SiLU of a gate";
  let description = [{
    result[t, h, d] = x[t, h, d] * rsqrt(mean_j x[t, h, j]^2 + epsilon) *
    weight[d] * silu(gate[t, gate_offset + h * D + d]), in f32. The gate [T, N]
    may have other features around those that count.

    Example:
    ```mlir
    %1 = qwen.gated_rms_norm %0, %z, @norm.weight {epsilon = 1.0e-6}
        : tensor<?x4x16xbf16>, tensor<?x64xbf16> -> tensor<?x4x16xbf16>
    ```
  }];
  let arguments = (ins Qwen_Heads:$x, Qwen_Activation:$gate,
                       FlatSymbolRefAttr:$weight, F64Attr:$epsilon,
                       DefaultValuedAttr<ConfinedAttr<I64Attr,
                           [IntNonNegative]>, "0">:$gate_offset);
  let results = (outs Qwen_Heads:$result);
  let assemblyFormat = "$x `,` $gate `,` $weight attr-dict `:` type(operands) "
                       "`->` type($result)";
  let hasVerifier = 1;
}

#endif
