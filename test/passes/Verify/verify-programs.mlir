// RUN: quern-opt %s --split-input-file --verify-diagnostics --qwen-verify-programs

// expected-error @+1 {{doesn't say which program it is}}
func.func @forward() {
  return
}

// -----

qwen.weight @embed : tensor<40x16xf32> from "a" at 0
// expected-note @+1 {{the first}}
func.func @a(%ids: tensor<2xi32> {qwen.role = "token_ids"}) -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  %0 = qwen.embedding %ids, @embed : tensor<2xi32> -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}
// expected-error @+1 {{is the second program of its kind}}
func.func @b(%ids: tensor<2xi32> {qwen.role = "token_ids"}) -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  %0 = qwen.embedding %ids, @embed : tensor<2xi32> -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----

qwen.weight @embed : tensor<40x16xf32> from "a" at 0
func.func @a(%ids: tensor<?xi32> {qwen.role = "token_ids"}) -> (tensor<?x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  // expected-error @+1 {{expected static shapes, found 'tensor<?x16xf32>'}}
  %0 = qwen.embedding %ids, @embed : tensor<?xi32> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// -----

qwen.weight @embed : tensor<40x16xf32> from "a" at 0
// expected-error @+1 {{argument 0, token_ids, expects 4 entries, found 'tensor<2xi32>'}}
func.func @a(%ids: tensor<2xi32> {qwen.role = "token_ids"}) -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 4 : i64, exec.rows = 0 : i64} {
  %0 = qwen.embedding %ids, @embed : tensor<2xi32> -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----

qwen.weight @embed : tensor<40x16xf32> from "a" at 0
// expected-error @+1 {{argument 0 has no role}}
func.func @a(%ids: tensor<2xi32>) -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  %0 = qwen.embedding %ids, @embed : tensor<2xi32> -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----

qwen.weight @embed : tensor<40x16xf32> from "a" at 0
// expected-error @+1 {{argument 0 has the role rows, which isn't expected here}}
func.func @a(%ids: tensor<2xi32> {qwen.role = "rows"}) -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  %0 = qwen.embedding %ids, @embed : tensor<2xi32> -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----

// expected-error @+1 {{has no result with the role hidden}}
func.func @a() attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  return
}

// -----

func.func @a(%x: tensor<2x16xf32> {qwen.role = "hidden"}, %rows: tensor<2xi32> {qwen.role = "token_ids"}) -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind prefill>, exec.tokens = 2 : i64, exec.rows = 0 : i64} {
  // expected-error @+1 {{is only expected in programs that look at some of the rows of another}}
  %0 = qwen.select_rows %x, %rows : tensor<2x16xf32>, tensor<2xi32> -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----

// Behind the selection nothing counts tokens.
qwen.weight @norm : tensor<16xf32> from "a" at 0
func.func @a(%rows: tensor<1xi32> {qwen.role = "rows"}, %x: tensor<2x16xf32> {qwen.role = "hidden"}) -> (tensor<2x16xf32> {qwen.role = "logits"}, tensor<1x16xf32> {qwen.role = "draft_hidden"})
    attributes {exec.program_kind = #exec<program_kind draft_verify>, exec.tokens = 2 : i64, exec.rows = 1 : i64} {
  %0 = qwen.select_rows %x, %rows : tensor<2x16xf32>, tensor<1xi32> -> tensor<1x16xf32>
  // expected-error @+1 {{has 2 entries behind the selection of 1 rows}}
  %1 = qwen.rms_norm %x, @norm {epsilon = 1.0e-6} : tensor<2x16xf32> -> tensor<2x16xf32>
  return %1, %0 : tensor<2x16xf32>, tensor<1x16xf32>
}
