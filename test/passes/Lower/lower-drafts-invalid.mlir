// RUN: quern-opt %s --split-input-file --verify-diagnostics --qwen-lower-to-exec

// The buffer of the argument would be overwritten before it is read.
qwen.weight @norm : tensor<16xbf16> from "a" at 0
func.func @draft_decode(%hidden: tensor<1x16xf32> {qwen.role = "draft_hidden"})
    -> (tensor<1x16xf32> {qwen.role = "draft_hidden"}, tensor<1x16xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind draft_decode>, exec.tokens = 1 : i64, exec.rows = 1 : i64} {
  %h = qwen.rms_norm %hidden, @norm {epsilon = 1.0e-6} : tensor<1x16xf32> -> tensor<1x16xf32>
  %s = qwen.residual_add %h, %h : tensor<1x16xf32>, tensor<1x16xf32>
  // expected-error @+1 {{reads argument 0 no earlier than the result of its role is written}}
  %t = qwen.residual_add %hidden, %s : tensor<1x16xf32>, tensor<1x16xf32>
  return %s, %t : tensor<1x16xf32>, tensor<1x16xf32>
}

// -----

qwen.weight @norm : tensor<16xbf16> from "a" at 0
qwen.weight @fc : tensor<8x16xf32> from "a" at 0
// expected-error @+1 {{has a result of another type than the argument of draft_hidden}}
func.func @draft_decode(%hidden: tensor<1x16xf32> {qwen.role = "draft_hidden"})
    -> (tensor<1x8xf32> {qwen.role = "draft_hidden"})
    attributes {exec.program_kind = #exec<program_kind draft_decode>, exec.tokens = 1 : i64, exec.rows = 1 : i64} {
  %s = qwen.linear %hidden, [@fc] : tensor<1x16xf32> -> tensor<1x8xf32>
  return %s : tensor<1x8xf32>
}
