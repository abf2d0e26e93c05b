//===- HeadOps.td - from logits to tokens ------------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_HEADOPS_TD
#define QUERN_DIALECTS_QWEN_IR_HEADOPS_TD

include "dialects/Qwen/IR/StructureOps.td"

def Qwen_SampleOp : Qwen_Op<"sample",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "one token from each row of logits";
  let description = [{
    A sampling row is temperature, top_k, top_p, min_p, repetition_penalty, a
    uniform number in [0, 1), 0, 0; `seen` has one bit per token id (bit v mod
    32 of word v / 32).

    1. Repetition penalty p > 0 on seen tokens: l = l > 0 ? l / p : l * p.
    2. temperature <= 0: the token with the greatest l, the lowest id of equals.
       Otherwise l = l / temperature.
    3. top_k > 0 keeps tokens with l >= the k-th greatest l; top_p < 1 keeps,
       of these, tokens with l >= the greatest threshold whose tokens' softmax
       probabilities sum to top_p or more; min_p > 0 keeps tokens whose
       probability is at least min_p times the greatest.
    4. Of the kept tokens in order of id, the first at which the running sum of
       exp(l - max) exceeds uniform * the total.

    Example:
    ```mlir
    %tokens = qwen.sample %logits, %sampling, %seen : tensor<?x512xf32>, tensor<?x8xf32>, tensor<?x16xi32> -> tensor<?xi32>
    ```
  }];
  let arguments = (ins Qwen_Logits:$logits, Qwen_Sampling:$sampling,
                       Qwen_Seen:$seen);
  let results = (outs Qwen_TokenIntegers:$result);
  let assemblyFormat = "$logits `,` $sampling `,` $seen attr-dict `:` "
                       "type(operands) `->` type($result)";
  let hasVerifier = 1;
}

#endif
