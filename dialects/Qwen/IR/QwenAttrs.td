//===- QwenAttrs.td - attributes and enums of the qwen dialect -*- tablegen -*-//
#ifndef QUERN_DIALECTS_QWEN_IR_QWENATTRS_TD
#define QUERN_DIALECTS_QWEN_IR_QWENATTRS_TD

include "dialects/Qwen/IR/QwenDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Qwen_KeyCache : I32EnumAttrCase<"KeyCache", 0, "key_cache">;
def Qwen_ValueCache : I32EnumAttrCase<"ValueCache", 1, "value_cache">;

def Qwen_Recurrent : I32EnumAttrCase<"Recurrent", 2, "recurrent">;
def Qwen_Convolution : I32EnumAttrCase<"Convolution", 3, "convolution">;
def Qwen_DeltaKeys : I32EnumAttrCase<"DeltaKeys", 4, "delta_keys">;
def Qwen_DeltaUpdates : I32EnumAttrCase<"DeltaUpdates", 5, "delta_updates">;
def Qwen_DeltaDecays : I32EnumAttrCase<"DeltaDecays", 6, "delta_decays">;

def Qwen_StateKind : I32EnumAttr<"StateKind", "what a state holds", [
    Qwen_KeyCache, Qwen_ValueCache, Qwen_Recurrent, Qwen_Convolution,
    Qwen_DeltaKeys, Qwen_DeltaUpdates, Qwen_DeltaDecays]> {
  let cppNamespace = "::quern::qwen";
  let genSpecializedAttr = 0;
}
def Qwen_StateKindAttr : EnumAttr<Qwen_Dialect, Qwen_StateKind, "state_kind">;

class Qwen_RoleCase<string symbol, int value, string text>
    : I32EnumAttrCase<symbol, value, text>;

// The data that a step takes from and gives to the host or another program.
def Qwen_Role : I32EnumAttr<"Role", "role of an argument or a result", [
    Qwen_RoleCase<"TokenIds", 0, "token_ids">,
    Qwen_RoleCase<"Positions", 1, "positions">,
    Qwen_RoleCase<"Slots", 2, "slots">,
    Qwen_RoleCase<"PageTable", 3, "page_table">,
    Qwen_RoleCase<"Rows", 4, "rows">,
    Qwen_RoleCase<"Sampling", 5, "sampling">,
    Qwen_RoleCase<"SeenTokens", 6, "seen_tokens">,
    Qwen_RoleCase<"Hidden", 7, "hidden">,
    Qwen_RoleCase<"Logits", 8, "logits">,
    Qwen_RoleCase<"Tokens", 9, "tokens">,
    Qwen_RoleCase<"Sequences", 10, "sequences">,
    Qwen_RoleCase<"DraftHidden", 11, "draft_hidden">]> {
  let cppNamespace = "::quern::qwen";
  let genSpecializedAttr = 0;
}

def Qwen_ModelAttr : AttrDef<Qwen_Dialect, "Model"> {
  let mnemonic = "model";
  let summary = "facts of the model and of the limits it is compiled for";
  let description = [{
    `family` is the model_type of config.json. `context_length` counts the
    tokens that one slot can hold, `num_slots` the sequences that live at the
    same time, `page_size` the tokens of a cache page and `num_pages` the pages
    shared by all slots. `compute` is the element type of normed activations,
    linear outputs and, unless they are quantised, caches.

    ```mlir
    #qwen.model<family = "qwen3", num_hidden_layers = 4, vocab_size = 512,
                context_length = 256, num_slots = 4, page_size = 16,
                num_pages = 64, compute = f32>
    ```
  }];
  let parameters = (ins StringRefParameter<"model_type">:$family,
      "int64_t":$num_hidden_layers, "int64_t":$vocab_size,
      "int64_t":$context_length, "int64_t":$num_slots, "int64_t":$page_size,
      "int64_t":$num_pages, "::mlir::Type":$compute);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Pages that one slot needs to hold context_length tokens: the second
    /// dimension of the page table.
    int64_t getPagesPerSlot() const {
      return (getContextLength() + getPageSize() - 1) / getPageSize();
    }
  }];
}

#endif
