//===- QwenDialect.td - the qwen dialect -------------------*- tablegen -*-===//
//
// The model on tensors: dialect definition and the base class of its ops.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_QWEN_IR_QWENDIALECT_TD
#define QUERN_DIALECTS_QWEN_IR_QWENDIALECT_TD

include "mlir/IR/OpBase.td"

def Qwen_Dialect : Dialect {
  let name = "qwen";
  let cppNamespace = "::quern::qwen";
  let summary = "Qwen3 models on tensors";
  let description = [{
    Describes one step of a Qwen3 model over a flat list of tokens of any mix
    of sequences. Dimension 0 of every per-token tensor is the token (or, after
    `qwen.select_rows`, the row) dimension: dynamic as the frontend emits it,
    static once the programs are specialised. All other dimensions are static.

    Letters in the op descriptions: T tokens, R rows, H hidden_size, D
    head_dim, Hq and Hk query and key/value heads, V vocab_size, S slots, P
    pages per slot, `f` the compute type (f32, f16 or bf16).

    Numerical contract of all ops: operands are converted to f32, the equation
    of the op is evaluated in f32, and the result is rounded once (to nearest,
    ties to even) to the element type of the result tensor. Sums may be
    evaluated in any order. The residual stream and the logits are f32.

    Weights (`qwen.weight`) and mutable states (`qwen.state`) are module-level
    symbols; ops name them. Weights are read only, so naming one is no memory
    effect. Ops that touch a state declare reads and writes of it.

    The module carries `qwen.model = #qwen.model<...>`; arguments and results
    of its functions carry `qwen.role = "..."` with a name of the enum Role.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    /// The module attribute that holds the #qwen.model.
    static llvm::StringRef getModelAttrName() { return "qwen.model"; }
    /// The argument and result attribute that holds a role's name.
    static llvm::StringRef getRoleAttrName() { return "qwen.role"; }
  }];
}

class Qwen_Op<string mnemonic, list<Trait> traits = []>
    : Op<Qwen_Dialect, mnemonic, traits>;

#endif
