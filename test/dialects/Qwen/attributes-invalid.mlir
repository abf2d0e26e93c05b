// RUN: quern-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{num_slots is 0, expected a positive number}}
module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40, context_length = 64, num_slots = 0, page_size = 16, num_pages = 8, compute = bf16>} {}

// -----

// expected-error @below {{compute is 'f64', expected f32, f16 or bf16}}
module attributes {qwen.model = #qwen.model<family = "qwen3", num_hidden_layers = 1, vocab_size = 40, context_length = 64, num_slots = 1, page_size = 16, num_pages = 8, compute = f64>} {}

// -----

// expected-error @below {{qwen.model is "qwen3", expected a #qwen.model}}
module attributes {qwen.model = "qwen3"} {}

// -----

// expected-error @below {{qwen.model belongs on a module, found on func.func}}
func.func private @f() attributes {qwen.model = 1 : i32}

// -----

// expected-error @below {{unknown attribute "qwen.modle" of the qwen dialect}}
module attributes {qwen.modle = 1 : i32} {}

// -----

// expected-error @below {{unknown qwen.role "tokens_ids"}}
func.func @f(%ids: tensor<?xi32> {qwen.role = "tokens_ids"}) { return }

// -----

// expected-error @below {{unknown qwen.role 3 : i32}}
func.func @f(%ids: tensor<?xi32> {qwen.role = 3 : i32}) { return }

// -----

// expected-error @below {{unknown attribute "qwen.rol" of the qwen dialect}}
func.func @f(%ids: tensor<?xi32> {qwen.rol = "rows"}) { return }

// -----

// expected-error @below {{value of role "rows" has type 'tensor<?xf32>', expected rank 1 of i32}}
func.func @f(%rows: tensor<?xf32> {qwen.role = "rows"}) { return }

// -----

// expected-error @below {{value of role "logits" has type 'tensor<?xf32>', expected rank 2 of f32}}
func.func @f(%logits: tensor<?xf32>) -> (tensor<?xf32> {qwen.role = "logits"}) {
  return %logits : tensor<?xf32>
}
