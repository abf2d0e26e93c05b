//===- ExecAttrs.td - Enums, attributes and types of exec -*- tablegen -*-===//
#ifndef QUERN_DIALECTS_EXEC_EXECATTRS_TD
#define QUERN_DIALECTS_EXEC_EXECATTRS_TD

include "dialects/Exec/IR/ExecDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"

//===----------------------------------------------------------------------===//
// Enums. The values are those of runtime/bundle/manifest.fbs.
//===----------------------------------------------------------------------===//

class Exec_I32Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::quern::exec";
  let genSpecializedAttr = 0;
}

class Exec_EnumAttr<EnumAttrInfo info, string mnemonic>
    : EnumAttr<Exec_Dialect, info, mnemonic>;

def Exec_Effect : Exec_I32Enum<"Effect", "what a kernel does to an argument", [
  I32EnumAttrCase<"Read", 0, "read">,
  I32EnumAttrCase<"Write", 1, "write">,
  I32EnumAttrCase<"ReadWrite", 2, "readwrite">
]>;

def Exec_Access : Exec_I32Enum<"Access", "how a kernel reads an argument", [
  I32EnumAttrCase<"StorageBuffer", 0, "storage_buffer">,
  I32EnumAttrCase<"TexelUint4", 1, "texel_uint4">,
  I32EnumAttrCase<"TexelFloat4", 2, "texel_float4">,
  I32EnumAttrCase<"TexelUint1", 3, "texel_uint1">,
  I32EnumAttrCase<"TexelFloat1", 4, "texel_float1">
]>;

def Exec_StepRole
    : Exec_I32Enum<"StepRole", "what a step buffer means to the engine", [
  I32EnumAttrCase<"TokenIds", 0, "token_ids">,
  I32EnumAttrCase<"Positions", 1, "positions">,
  I32EnumAttrCase<"Slots", 2, "slots">,
  I32EnumAttrCase<"Rows", 3, "rows">,
  I32EnumAttrCase<"PageTable", 4, "page_table">,
  I32EnumAttrCase<"Sampling", 5, "sampling">,
  I32EnumAttrCase<"SeenTokens", 6, "seen_tokens">,
  I32EnumAttrCase<"Tokens", 7, "tokens">,
  I32EnumAttrCase<"Sequences", 8, "sequences">
]>;
def Exec_StepRoleAttr : Exec_EnumAttr<Exec_StepRole, "step_role">;

def Exec_ProgramKind
    : Exec_I32Enum<"ProgramKind", "which kind of step a program computes", [
  I32EnumAttrCase<"Decode", 0, "decode">,
  I32EnumAttrCase<"Verify", 1, "verify">,
  I32EnumAttrCase<"Prefill", 2, "prefill">,
  I32EnumAttrCase<"Head", 3, "head">,
  I32EnumAttrCase<"DraftPrefill", 4, "draft_prefill">,
  I32EnumAttrCase<"DraftVerify", 5, "draft_verify">,
  I32EnumAttrCase<"DraftDecode", 6, "draft_decode">
]>;
def Exec_ProgramKindAttr : Exec_EnumAttr<Exec_ProgramKind, "program_kind">;

def Exec_GridCount
    : Exec_I32Enum<"GridCount", "which run-time count scales a grid", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Tokens", 1, "tokens">,
  I32EnumAttrCase<"Rows", 2, "rows">
]>;

def Exec_Packing
    : Exec_I32Enum<"Packing", "how checkpoint tensors form one weight", [
  I32EnumAttrCase<"Plain", 0, "plain">,
  I32EnumAttrCase<"Concatenate", 1, "concatenate">,
  I32EnumAttrCase<"Interleave", 2, "interleave">
]>;
def Exec_PackingAttr : Exec_EnumAttr<Exec_Packing, "packing">;

def Exec_BufferRole
    : Exec_I32Enum<"BufferRole", "an arena buffer that outlives its program", [
  I32EnumAttrCase<"Hidden", 0, "hidden">,
  I32EnumAttrCase<"Logits", 1, "logits">,
  I32EnumAttrCase<"DraftHidden", 2, "draft_hidden">
]>;
def Exec_BufferRoleAttr : Exec_EnumAttr<Exec_BufferRole, "buffer_role">;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class Exec_Type<string name, string typeMnemonic, list<Trait> traits = []>
    : TypeDef<Exec_Dialect, name, traits> {
  let mnemonic = typeMnemonic;
}

def Exec_BufferType : Exec_Type<"Buffer", "buffer"> {
  let summary = "device memory that holds one dense row-major tensor";
  let description = [{
    Example: `!exec.buffer<tensor<1x1024xf32>>`. The tensor type is ranked and
    static, its element type an integer or float of whole bytes, of a weight
    !qwen.encoded, or of a cache !qwen.int8_rows.
  }];
  let parameters = (ins "::mlir::RankedTensorType":$tensor);
  let assemblyFormat = "`<` $tensor `>`";
  let builders = [TypeBuilderWithInferredContext<
      (ins "::mlir::RankedTensorType":$tensor),
      [{ return $_get(tensor.getContext(), tensor); }]>];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of the tensor, without padding.
    int64_t getSizeInBytes() const;
  }];
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Exec_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Exec_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Exec_ArgumentAttr : Exec_Attr<"Argument", "argument"> {
  let summary = "one argument of a kernel";
  let description = [{
    What the kernel does to the argument, and its shape and element type.
    Example: `#exec.argument<read, tensor<1x1024xf32>>`.
  }];
  let parameters = (ins EnumParameter<Exec_Effect>:$effect,
                        "::mlir::RankedTensorType":$tensor);
  let assemblyFormat = "`<` $effect `,` $tensor `>`";
  let builders = [AttrBuilderWithInferredContext<
      (ins "Effect":$effect, "::mlir::RankedTensorType":$tensor),
      [{ return $_get(tensor.getContext(), effect, tensor); }]>];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool isRead() const { return getEffect() != Effect::Write; }
    bool isWritten() const { return getEffect() != Effect::Read; }
  }];
}

def Exec_LaunchAttr : Exec_Attr<"Launch", "launch"> {
  let summary = "how a generated kernel is launched";
  let description = [{
    Codegen's answer to a kernel request. `grid` counts workgroups at the
    program's full count. If `grid_count` is not `none`, the device replaces
    `grid[grid_axis]` at run time by `ceil(count / grid_tile) * grid_scale`.
    `subgroup_size` is the size that the code relies on, 0 for any;
    `workgroup_memory` is in bytes. `accesses` has one entry per argument.

    Example:
    ```mlir
    #exec.launch<entry_point = "linear", workgroup_size = [64, 1, 1],
                 grid = [16, 1, 1], grid_count = tokens, grid_axis = 1,
                 grid_tile = 1, grid_scale = 1, subgroup_size = 8,
                 workgroup_memory = 0,
                 accesses = [storage_buffer, texel_uint4, storage_buffer]>
    ```
  }];
  let parameters = (ins
    "::mlir::StringAttr":$entry_point,
    ArrayRefParameter<"int64_t">:$workgroup_size,
    ArrayRefParameter<"int64_t">:$grid,
    EnumParameter<Exec_GridCount>:$grid_count,
    "int64_t":$grid_axis,
    "int64_t":$grid_tile,
    "int64_t":$grid_scale,
    "int64_t":$subgroup_size,
    "int64_t":$workgroup_memory,
    ArrayRefParameter<"::quern::exec::Access">:$accesses);
  let assemblyFormat = [{
    `<` `entry_point` `=` $entry_point `,`
    `workgroup_size` `=` `[` $workgroup_size `]` `,`
    `grid` `=` `[` $grid `]` `,`
    `grid_count` `=` $grid_count `,`
    `grid_axis` `=` $grid_axis `,`
    `grid_tile` `=` $grid_tile `,`
    `grid_scale` `=` $grid_scale `,`
    `subgroup_size` `=` $subgroup_size `,`
    `workgroup_memory` `=` $workgroup_memory `,`
    `accesses` `=` `[` $accesses `]` `>`
  }];
  let genVerifyDecl = 1;
}

def Exec_StepBufferAttr : Exec_Attr<"StepBuffer", "step_buffer"> {
  let summary = "place of one role in the step block";
  let description = [{
    `tensor` has the largest shape that any program needs; a program with
    fewer tokens or rows uses the first of them.
    Example: `#exec.step_buffer<token_ids, tensor<512xi32>, offset = 0>`.
  }];
  let parameters = (ins EnumParameter<Exec_StepRole>:$role,
                        "::mlir::RankedTensorType":$tensor,
                        "int64_t":$offset);
  let assemblyFormat =
      "`<` $role `,` $tensor `,` `offset` `=` $offset `>`";
  let builders = [AttrBuilderWithInferredContext<
      (ins "StepRole":$role, "::mlir::RankedTensorType":$tensor,
           "int64_t":$offset),
      [{ return $_get(tensor.getContext(), role, tensor, offset); }]>];
  let genVerifyDecl = 1;
}

def Exec_ArgumentArrayAttr
    : TypedArrayAttrBase<Exec_ArgumentAttr, "array of kernel arguments">;
def Exec_StepBufferArrayAttr
    : TypedArrayAttrBase<Exec_StepBufferAttr, "array of step buffers">;

#endif // QUERN_DIALECTS_EXEC_EXECATTRS_TD
