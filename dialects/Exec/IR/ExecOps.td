//===- ExecOps.td - Operations of the exec dialect -------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_EXEC_EXECOPS_TD
#define QUERN_DIALECTS_EXEC_EXECOPS_TD

include "dialects/Exec/IR/ExecAttrs.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Exec_Op<string mnemonic, list<Trait> traits = []>
    : Op<Exec_Dialect, mnemonic, traits>;

/// Bytes from the start of a space; below 2^61, so that offset plus size can't
/// overflow.
def Exec_Offset : ConfinedAttr<I64Attr, [
    IntNonNegative, IntMaxValue<0x2000000000000000>]>;

/// A symbol of the module.
class Exec_ModuleOp<string mnemonic, list<Trait> traits = []>
    : Exec_Op<mnemonic, !listconcat([HasParent<"::mlir::ModuleOp">], traits)>;

/// An op that names a buffer inside a program.
class Exec_BufferOp<string mnemonic, list<Trait> traits = []>
    : Exec_Op<mnemonic, !listconcat([
        HasParent<"::quern::exec::ProgramOp">,
        DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>],
        traits)>;

//===----------------------------------------------------------------------===//
// Module level
//===----------------------------------------------------------------------===//

def Exec_WeightOp : Exec_ModuleOp<"weight", [
    Symbol, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a weight as it lies in the bundle, packed from its sources";
  let description = [{
    `plain` is one source unchanged. `concatenate` stacks the sources along
    dimension 0. `interleave` takes pairs of sources of one shape and alternates
    the rows of each pair, one pair after the other: a0, b0, a1, b1, ...; or it
    takes one source of rank 3 and alternates the first and the second half of
    the rows of each of its matrices. The sources are `qwen.weight` symbols that
    are stored with one element type, that of the weight; the bytes themselves
    never enter the IR. `parts` has one
    list for each source of a `plain` or `concatenate` weight and orders its
    rows as qwen.linear says.

    With `panels`, matrices lie in panels of so many consecutive rows. A panel
    has all first 32-bit words of its rows side by side, then all second words,
    ...: what a vector of lanes reads of as many rows is contiguous. Of a
    quantised weight it is the words of the codes that lie so. Only kernels
    whose config has the same `weight_panels` read it.

    Example:
    ```mlir
    exec.weight @layers.0.mlp.gate_up
        interleave [@gate, @up] : tensor<6144x1024xbf16>
    exec.weight @lm_head plain [@embed] panels 8 : tensor<512x64xbf16>
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    Exec_PackingAttr:$packing,
    TypedArrayAttrBase<FlatSymbolRefAttr, "array of weight symbols">:$sources,
    OptionalAttr<TypedArrayAttrBase<DenseI64ArrayAttr,
        "array of lists of rows">>:$parts,
    OptionalAttr<ConfinedAttr<I64Attr, [IntMinValue<2>]>>:$panels,
    TypeAttrOf<AnyRankedTensor>:$type);
  let assemblyFormat = [{
    $sym_name custom<Keyword>($packing) $sources (`parts` $parts^)?
    (`panels` $panels^)? attr-dict `:` $type
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getType());
    }
  }];
}

def Exec_ConstantOp : Exec_ModuleOp<"constant", [Symbol]> {
  let summary = "a small constant of the device program";
  let description = [{
    Kept in the weights section of the bundle. For tables that no checkpoint
    tensor holds, such as the inverse frequencies of the rotary embedding.

    Example:
    ```mlir
    exec.constant @inverse_frequencies dense<[1.0, 0.5]> : tensor<2xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ElementsAttr:$value);
  let assemblyFormat = "$sym_name $value attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getValue().getType());
    }
  }];
}

def Exec_KernelOp : Exec_ModuleOp<"kernel", [Symbol]> {
  let summary = "a kernel request, and after codegen how to launch it";
  let description = [{
    All facts that the kernel family needs: the arguments in binding order and
    the family's own configuration. Two dispatches with the same request share
    one kernel. `launch` is absent until codegen has answered the request.

    Example:
    ```mlir
    exec.kernel @linear_t1_1024x3072 family "linear"
        arguments [#exec.argument<read, tensor<1x1024xf32>>,
                   #exec.argument<read, tensor<3072x1024xbf16>>,
                   #exec.argument<write, tensor<1x3072xf32>>]
        config {count = "tokens", epilogue = "none"}
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    StrAttr:$family,
    Exec_ArgumentArrayAttr:$arguments,
    DictionaryAttr:$config,
    OptionalAttr<Exec_LaunchAttr>:$launch);
  let assemblyFormat = [{
    $sym_name `family` $family `arguments` $arguments `config` $config
    (`launch` $launch^)? attr-dict
  }];
  let builders = [OpBuilder<(ins
      "::llvm::StringRef":$name, "::llvm::StringRef":$family,
      "::llvm::ArrayRef<ArgumentAttr>":$arguments,
      "::mlir::DictionaryAttr":$config)>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ArgumentAttr getArgument(unsigned index) {
      return ::llvm::cast<ArgumentAttr>(getArguments()[index]);
    }
    /// Rows of the panels in which it reads weights that have rows; 0: none.
    int64_t getWeightPanels() {
      auto rows = getConfig().getAs<::mlir::IntegerAttr>("weight_panels");
      return rows ? rows.getInt() : 0;
    }
    unsigned getNumArguments() { return getArguments().size(); }
  }];
}

def Exec_ProgramOp : Exec_ModuleOp<"program", [
    Symbol, IsolatedFromAbove, NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "a list of dispatches that computes one step";
  let description = [{
    `tokens` and `rows` are the largest counts of a step; `rows` is 0 for a
    program without logits. `arena_peak` is the number of arena bytes in use at
    the worst point of the program, set by memory planning.

    Example:
    ```mlir
    exec.program @decode kind decode tokens 1 rows 1 {
      %ids = exec.step token_ids : !exec.buffer<tensor<1xi32>>
      %w = exec.weight_ref @embed : !exec.buffer<tensor<512x64xf32>>
      %x = exec.alloc : !exec.buffer<tensor<1x64xf32>>
      exec.dispatch @embedding(%ids, %w, %x) label "embed_tokens"
          : !exec.buffer<tensor<1xi32>>, !exec.buffer<tensor<512x64xf32>>,
            !exec.buffer<tensor<1x64xf32>>
    }
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    Exec_ProgramKindAttr:$kind,
    ConfinedAttr<I64Attr, [IntPositive, IntMaxValue<2147483647>]>:$tokens,
    ConfinedAttr<I64Attr, [IntNonNegative, IntMaxValue<2147483647>]>:$rows,
    OptionalAttr<ConfinedAttr<I64Attr, [IntNonNegative]>>:$arena_peak);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `kind` custom<Keyword>($kind) `tokens` $tokens `rows` $rows
    (`arena_peak` $arena_peak^)? attr-dict-with-keyword $body
  }];
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins
      "::llvm::StringRef":$name, "ProgramKind":$kind,
      "int64_t":$tokens, "int64_t":$rows)>];
  let hasRegionVerifier = 1;
}

def Exec_MemoryPlanOp : Exec_ModuleOp<"memory_plan"> {
  let summary = "sizes of the arena and layout of the step block";
  let description = [{
    One per module, made by memory planning. The arena and the step block are
    shared by all programs.

    Example:
    ```mlir
    exec.memory_plan arena 4096 step 512 buffers [
      #exec.step_buffer<token_ids, tensor<1xi32>, offset = 0>,
      #exec.step_buffer<tokens, tensor<1xi32>, offset = 256>]
    ```
  }];
  let arguments = (ins
    ConfinedAttr<I64Attr, [IntNonNegative]>:$arena_size,
    ConfinedAttr<I64Attr, [IntNonNegative]>:$step_size,
    Exec_StepBufferArrayAttr:$step_buffers);
  let assemblyFormat = [{
    `arena` $arena_size `step` $step_size `buffers` $step_buffers attr-dict
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Buffers of a program
//===----------------------------------------------------------------------===//

def Exec_StepOp : Exec_BufferOp<"step", [Pure]> {
  let summary = "a buffer of the step block";
  let description = [{
    Written by the host before the step, or read by it afterwards (`tokens`).
    The element type and rank follow from the role; `token_ids`, `positions`
    and `slots` have one entry per token of the program, `rows`, `sampling`,
    `seen_tokens` and `tokens` one per row, `sequences` one row of 8 numbers for
    each sequence that a step can have.

    Example:
    ```mlir
    %ids = exec.step token_ids : !exec.buffer<tensor<1xi32>>
    ```
  }];
  let arguments = (ins Exec_StepRoleAttr:$role);
  let results = (outs Exec_BufferType:$buffer);
  let assemblyFormat = "custom<Keyword>($role) attr-dict `:` qualified(type($buffer))";
  let hasVerifier = 1;
}

class Exec_SymbolRefOp<string mnemonic> : Exec_BufferOp<mnemonic, [
    Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let results = (outs Exec_BufferType:$buffer);
}

def Exec_WeightRefOp : Exec_SymbolRefOp<"weight_ref"> {
  let summary = "the buffer of an exec.weight; read-only";
  let description = [{
    Example:
    ```mlir
    %w = exec.weight_ref @embed : !exec.buffer<tensor<512x64xf32>>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let assemblyFormat = "$weight attr-dict `:` qualified(type($buffer))";
}

def Exec_ConstantRefOp : Exec_SymbolRefOp<"constant_ref"> {
  let summary = "the buffer of an exec.constant; read-only";
  let description = [{
    Example:
    ```mlir
    %c = exec.constant_ref @inverse_frequencies : !exec.buffer<tensor<2xf32>>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$constant);
  let assemblyFormat = "$constant attr-dict `:` qualified(type($buffer))";
}

def Exec_StateRefOp : Exec_SymbolRefOp<"state_ref"> {
  let summary = "the buffer of a qwen.state; keeps its contents between steps";
  let description = [{
    Example:
    ```mlir
    %s = exec.state_ref @k_cache : !exec.buffer<tensor<8x2x16x64xf32>>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let assemblyFormat = "$state attr-dict `:` qualified(type($buffer))";
}

def Exec_AllocOp : Exec_BufferOp<"alloc"> {
  let summary = "a buffer of the arena";
  let description = [{
    A temporary whose contents are lost after its last use in the program,
    except for the persistent ones: `hidden` (written by prefill, read by head
    and the draft programs), `draft_hidden` (passed from one draft program to
    the next) and `logits` (read by the host on request), which no other buffer
    of any program overlaps. `offset` is in bytes from the start of the arena, set by
    memory planning.

    Example:
    ```mlir
    %t = exec.alloc offset 256 : !exec.buffer<tensor<1x1024xf32>>
    %h = exec.alloc persistent hidden : !exec.buffer<tensor<512x1024xf32>>
    ```
  }];
  let arguments = (ins
    OptionalAttr<Exec_BufferRoleAttr>:$role,
    OptionalAttr<Exec_Offset>:$offset);
  let results = (outs Res<Exec_BufferType, "", [MemAlloc]>:$buffer);
  let assemblyFormat = [{
    (`persistent` custom<Keyword>($role)^)? (`offset` $offset^)? attr-dict `:` qualified(type($buffer))
  }];
  let builders = [OpBuilder<(ins
      "::mlir::RankedTensorType":$tensor, CArg<"BufferRoleAttr", "{}">:$role)>];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

def Exec_DispatchOp : Exec_Op<"dispatch", [
    HasParent<"::quern::exec::ProgramOp">, MemoryEffects<[MemRead, MemWrite]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel";
  let description = [{
    Operand i is argument i of the kernel and has its element type and number
    of elements; the shape may differ, as buffers are dense. What happens to it
    is stated by the kernel. Dispatches between two barriers may run at the
    same time. `label` names the op and layer it came from, for profiles.

    Example:
    ```mlir
    exec.dispatch @copy(%a, %b) label "layers.0.copy"
        : !exec.buffer<tensor<4xf32>>, !exec.buffer<tensor<4xf32>>
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$kernel,
    Variadic<Exec_BufferType>:$operands,
    OptionalAttr<StrAttr>:$label);
  let assemblyFormat = [{
    $kernel `(` $operands `)` (`label` $label^)? attr-dict `:` qualified(type($operands))
  }];
}

def Exec_BarrierOp : Exec_Op<"barrier", [
    HasParent<"::quern::exec::ProgramOp">, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "orders the dispatches before it and those after it";
  let description = [{
    Everything that earlier dispatches wrote is visible to later ones, and
    earlier reads are finished before later writes.

    Example:
    ```mlir
    exec.barrier
    ```
  }];
  let assemblyFormat = "attr-dict";
}

#endif // QUERN_DIALECTS_EXEC_EXECOPS_TD
