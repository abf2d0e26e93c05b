// RUN: quern-opt %s --split-input-file --verify-diagnostics --qwen-lower-to-exec

// expected-error @+1 {{doesn't say which program it is}}
func.func @forward() {
  return
}

// -----

func.func @a(%x: tensor<2x16xf32> {qwen.role = "hidden"}) -> (tensor<2x8xf32> {qwen.role = "logits"})
    attributes {exec.program_kind = #exec<program_kind head>, exec.tokens = 2 : i64, exec.rows = 2 : i64} {
  // expected-error @+1 {{has no kernel}}
  %0 = func.call @other(%x) : (tensor<2x16xf32>) -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}
func.func private @other(tensor<2x16xf32>) -> tensor<2x8xf32>

// -----

// expected-error @+1 {{has an argument without a role}}
func.func @a(%x: tensor<2x16xf32>)
    attributes {exec.program_kind = #exec<program_kind head>, exec.tokens = 2 : i64, exec.rows = 2 : i64} {
  return
}

// -----

// expected-error @+1 {{returns an argument unchanged}}
func.func @a(%x: tensor<2x16xf32> {qwen.role = "hidden"}) -> (tensor<2x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind head>, exec.tokens = 2 : i64, exec.rows = 2 : i64} {
  return %x : tensor<2x16xf32>
}

// -----

// expected-error @+1 {{expected arguments of static shapes}}
func.func @a(%x: tensor<?x16xf32> {qwen.role = "hidden"})
    attributes {exec.program_kind = #exec<program_kind head>, exec.tokens = 2 : i64, exec.rows = 2 : i64} {
  return
}

// -----

// expected-error @+1 {{expected one block}}
func.func private @a()
    attributes {exec.program_kind = #exec<program_kind head>, exec.tokens = 2 : i64, exec.rows = 2 : i64}
