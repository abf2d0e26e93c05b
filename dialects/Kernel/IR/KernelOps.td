//===- KernelOps.td - The kernel dialect -----------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_KERNEL_KERNELOPS_TD
#define QUERN_DIALECTS_KERNEL_KERNELOPS_TD

include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::quern::kernel";
  let summary = "What device functions need and upstream dialects lack";
  let description = [{
    Device functions are gpu, scf, arith, math, vector (at most 4 wide) and
    1-D memrefs whose element type is the access width. This dialect adds the
    few things on which targets differ.

    Arguments of a kernel function carry `kernel.binding` (the argument's
    number in the request) and `kernel.bytes` (its size). After
    `--kernel-select-buffer-access` the function carries `kernel.accesses`,
    one name per binding.
  }];
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
}

class Kernel_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kernel_Dialect, mnemonic, traits>;

/// What one access of a buffer moves.
def Kernel_Element : AnyTypeOf<
    [I32, F32, VectorOfLengthAndType<[4], [I32]>,
     VectorOfLengthAndType<[4], [F32]>],
    "i32, f32, vector<4xi32> or vector<4xf32>">;
def Kernel_Buffer : MemRefRankOf<[Kernel_Element], [1]>;
def Kernel_HalfPair : VectorOfLengthAndType<[2], [F32]>;

def Kernel_ReadOp : Kernel_Op<"read", [
    NoMemoryEffect,
    TypesMatchWith<"result type is the buffer's element type", "buffer",
                   "result",
                   "::llvm::cast<::mlir::MemRefType>($_self).getElementType()">]> {
  let summary = "reads an element of a buffer that this kernel never writes";
  let description = [{
    `result = buffer[index]`. How the buffer is bound (storage buffer or texel
    buffer) is left open; `--kernel-select-buffer-access` decides it for the
    target. Because nothing in the kernel writes the buffer the op has no
    memory effect, but it must not be executed with an index out of bounds.

    Example:
    ```mlir
    %x = kernel.read %buffer[%i] : memref<?xvector<4xf32>>
    ```
  }];
  let arguments = (ins Kernel_Buffer:$buffer, Index:$index);
  let results = (outs Kernel_Element:$result);
  let assemblyFormat = "$buffer `[` $index `]` attr-dict `:` type($buffer)";
}

def Kernel_TexelFetchOp : Kernel_Op<"texel_fetch", [NoMemoryEffect]> {
  let summary = "reads an element of a buffer bound as a uniform texel buffer";
  let description = [{
    The lowered form of `kernel.read`. The format of the texel buffer follows
    from the result type: 32-bit unsigned or float, one or four components.
    The binding is in descriptor set 0.

    Example:
    ```mlir
    %x = kernel.texel_fetch binding 2 [%i] : vector<4xi32>
    ```
  }];
  let arguments = (ins
      ConfinedAttr<I32Attr, [IntNonNegative]>:$binding, Index:$index);
  let results = (outs Kernel_Element:$result);
  let assemblyFormat =
      "`binding` $binding `[` $index `]` attr-dict `:` type($result)";
}

def Kernel_UnpackHalfOp : Kernel_Op<"unpack_half", [Pure]> {
  let summary = "the two f16 values of a 32-bit word, as f32";
  let description = [{
    Component 0 is the low half of the word. Exact. Unlike a bitcast to f16,
    it needs no 16-bit arithmetic of the device.

    Example:
    ```mlir
    %pair = kernel.unpack_half %word : i32 -> vector<2xf32>
    ```
  }];
  let arguments = (ins I32:$word);
  let results = (outs Kernel_HalfPair:$result);
  let assemblyFormat = "$word attr-dict `:` type($word) `->` type($result)";
}

def Kernel_PackHalfOp : Kernel_Op<"pack_half", [Pure]> {
  let summary = "two f32 values rounded to f16, in a 32-bit word";
  let description = [{
    Component 0 becomes the low half of the word. Values beyond the range of
    f16 become infinite; rounding is the device's (to nearest even or to zero
    are both allowed by SPIR-V).

    Example:
    ```mlir
    %word = kernel.pack_half %pair : vector<2xf32> -> i32
    ```
  }];
  let arguments = (ins Kernel_HalfPair:$values);
  let results = (outs I32:$result);
  let assemblyFormat = "$values attr-dict `:` type($values) `->` type($result)";
}

def Kernel_ReadHalfOp : Kernel_Op<"read_half", [NoMemoryEffect]> {
  let summary = "reads an f16 from a buffer of words, as f32";
  let description = [{
    Like `kernel.read`; `index` counts halves of words, low ones first.
    `--kernel-expand-bytes` makes it kernel.read and kernel.unpack_half for
    targets that read no less than a word.

    Example:
    ```mlir
    %x = kernel.read_half %buffer[%i] : memref<?xi32>
    ```
  }];
  let arguments = (ins MemRefRankOf<[I32], [1]>:$buffer, Index:$index);
  let results = (outs F32:$result);
  let assemblyFormat = "$buffer `[` $index `]` attr-dict `:` type($buffer)";
}

def Kernel_ByteDotOp : Kernel_Op<"byte_dot",
    [Pure, SameOperandsAndResultType]> {
  let summary = "adds the products of the four bytes of two words";
  let description = [{
    result = sum + a[0] b[0] + a[1] b[1] + a[2] b[2] + a[3] b[3], for each
    component of a vector. The bytes of b have a sign and are not -128. With
    `unsigned_bits` the bytes of a are below 2^unsigned_bits, else they have a
    sign. CPUs, CUDA and SPIR-V have instructions for it;
    `--kernel-expand-bytes` makes it shifts and products.

    Example:
    ```mlir
    %sum1 = kernel.byte_dot %a, %b, %sum0 : i32
    %sum2 = kernel.byte_dot %a, %b, %sum1 unsigned_bits 4 : i32
    ```
  }];
  let arguments = (ins SignlessIntegerLike:$a, SignlessIntegerLike:$b,
      SignlessIntegerLike:$sum,
      OptionalAttr<ConfinedAttr<I64Attr, [IntMinValue<1>, IntMaxValue<8>]>>
          :$unsigned_bits);
  let results = (outs SignlessIntegerLike:$result);
  let assemblyFormat = "$a `,` $b `,` $sum (`unsigned_bits` $unsigned_bits^)? "
                       "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Matrix units. Only targets whose description names their tiles (`mma`) get
// these ops.
//===----------------------------------------------------------------------===//

/// 16 bytes, what one lane of a matrix unit loads and copies.
def Kernel_Vectors : MemRefRankOf<[VectorOfLengthAndType<[4], [I32]>], [1]>;
class Kernel_Exact<int length, Type element, string builder>
    : Type<VectorOfLengthAndType<[length], [element]>.predicate,
           VectorOfLengthAndType<[length], [element]>.summary,
           "::mlir::VectorType">,
      BuildableType<"::mlir::VectorType::get({" # length # "}, $_builder."
                    # builder # "())">;
def Kernel_Words4 : Kernel_Exact<4, I32, "getI32Type">;
def Kernel_Words2 : Kernel_Exact<2, I32, "getI32Type">;
def Kernel_Sums : Kernel_Exact<4, F32, "getF32Type">;

def Kernel_AsyncCopyOp : Kernel_Op<"async_copy", 
    [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "starts to copy 16 bytes of a buffer to workgroup memory";
  let description = [{
    to[to_index] = from[from_index], or zeros if `valid` is there and false;
    then nothing is read, and `from_index` may be out of bounds. The bytes may be touched
    after a kernel.async_wait of this lane for the group of the copy, by other
    lanes after a barrier that follows.

    Example:
    ```mlir
    kernel.async_copy %x[%i] to %tile[%j] : memref<?xvector<4xi32>> to memref<64xvector<4xi32>, #spirv.storage_class<Workgroup>>
    kernel.async_copy %x[%i] to %tile[%j] if %valid : memref<?xvector<4xi32>> to memref<64xvector<4xi32>, #spirv.storage_class<Workgroup>>
    ```
  }];
  let arguments = (ins Kernel_Vectors:$from, Index:$from_index,
      Kernel_Vectors:$to, Index:$to_index, Optional<I1>:$valid);
  let assemblyFormat = [{
    $from `[` $from_index `]` `to` $to `[` $to_index `]` (`if` $valid^)?
    attr-dict `:` type($from) `to` type($to)
  }];
  let hasVerifier = 1;
}

def Kernel_AsyncCommitOp : Kernel_Op<"async_commit",
    [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "makes a group of this lane's copies since the last one";
  let description = [{
    Groups may be empty.

    Example:
    ```mlir
    kernel.async_commit
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Kernel_AsyncWaitOp : Kernel_Op<"async_wait",
    [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for all but the latest groups of this lane's copies";
  let description = [{
    Afterwards at most `pending` groups are under way.

    Example:
    ```mlir
    kernel.async_wait 1
    ```
  }];
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Kernel_LoadMatrixOp : Kernel_Op<"load_matrix"> {
  let summary = "loads four matrices of 8 x 8 halves from workgroup memory";
  let description = [{
    Lane 8 m + r gives the index of row r of matrix m, 16 bytes. Word m of the
    result of lane l holds elements 2 (l mod 4) and 2 (l mod 4) + 1 of row l / 4
    of matrix m. All 32 lanes of a subgroup take part.

    Example:
    ```mlir
    %words = kernel.load_matrix %tile[%i] : memref<64xvector<4xi32>, #spirv.storage_class<Workgroup>>
    ```
  }];
  let arguments = (ins Arg<Kernel_Vectors, "", [MemRead]>:$memory,
      Index:$index);
  let results = (outs Kernel_Words4:$result);
  let assemblyFormat = "$memory `[` $index `]` attr-dict `:` type($memory)";
  let hasVerifier = 1;
}

def Kernel_MatrixElement : TypeAttrBase<"::mlir::FloatType",
    "the type f16 or bf16", Or<[F16.predicate, BF16.predicate]>> {
  let constBuilderCall = "::mlir::TypeAttr::get($0)";
}

def Kernel_MmaOp : Kernel_Op<"mma", [Pure]> {
  let summary = "adds the product of 16 x 16 and 16 x 8 elements to sums";
  let description = [{
    result = A B + sums, over all 32 lanes of a subgroup; products are exact and
    summed in f32. Lane l has, with g = l / 4 and t = l mod 4,

    - of A (16 x 16) in words 0 to 3 the pairs from column 2 t of rows g and
      g + 8, then from column 2 t + 8 of the same rows;
    - of B (16 x 8) in words 0 and 1 the pairs of column g from rows 2 t and
      2 t + 8;
    - of the sums (16 x 8) elements 2 t and 2 t + 1 of row g, then of row g + 8.

    That is how kernel.load_matrix loads the rows of A and the columns of B.

    Example:
    ```mlir
    %sums1 = kernel.mma bf16 %a, %b, %sums0
    ```
  }];
  let arguments = (ins Kernel_MatrixElement:$element, Kernel_Words4:$a,
      Kernel_Words2:$b, Kernel_Sums:$sums);
  let results = (outs Kernel_Sums:$result);
  let assemblyFormat = "$element $a `,` $b `,` $sums attr-dict";
}

//===----------------------------------------------------------------------===//
// Tile units of CPUs: registers of 16 rows of 64 bytes (Intel AMX). Only
// targets whose description has `tiles` get this op.
//===----------------------------------------------------------------------===//

def Kernel_TileElement : TypeAttrBase<"::mlir::Type",
    "the type i8 or bf16", Or<[I8.predicate, BF16.predicate]>> {
  let constBuilderCall = "::mlir::TypeAttr::get($0)";
}

def Kernel_TileProductsOp : Kernel_Op<"tile_products", [
    InferTypeOpAdaptor, AttrSizedOperandSegments]> {
  let summary = "products of tiles of 16 rows of words with weight panels";
  let description = [{
    A word of 32 bits has four i8 with a sign or two bf16. A panel has as many
    rows as a subgroup has lanes and lies word by word: word w of row l is
    `panel[start + w * lanes + l]`. With the tiles of `row_starts` in order, and
    for each the panels of `panel_starts`, result number r of the 16 of a tile
    and a panel is in lane l

        sum over w < words and q < parts of
          dot(rows[row_start + r * row_stride + q * part_stride + w],
              panel[panel_start + w * lanes + l])

    in i32, which is exact, or in f32, where numbers too small to be normal
    count as zero. Starts and strides count words, whatever an access of the
    buffer moves. With more than one part a row is the sum of its parts, each
    of which rounds what the ones before it leave. All lanes take part, with the
    same starts.

    Example:
    ```mlir
    %sums:16 = kernel.tile_products i8 %codes[%row] stride 256, %weight[%word] words 8 : memref<?xi32>, memref<?xi32>
    %both:32 = kernel.tile_products bf16 %x[%a, %b] stride 1024 parts 2 apart 512, %weight[%word] words 512 : memref<32768xf32>, memref<?xi32>
    ```
  }];
  let arguments = (ins Kernel_TileElement:$element,
      Arg<Kernel_Buffer, "", [MemRead]>:$rows,
      Variadic<Index>:$row_starts,
      ConfinedAttr<I64Attr, [IntPositive]>:$row_stride,
      DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$parts,
      OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$part_stride,
      Arg<Kernel_Buffer, "", [MemRead]>:$panel,
      Variadic<Index>:$panel_starts,
      ConfinedAttr<I64Attr, [IntPositive]>:$words);
  let results = (outs Variadic<AnyTypeOf<[I32, F32]>>:$sums);
  let assemblyFormat = [{
    $element $rows `[` $row_starts `]` `stride` $row_stride
    (`parts` $parts^ `apart` $part_stride)? `,`
    $panel `[` $panel_starts `]` `words` $words attr-dict
    `:` type($rows) `,` type($panel)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Rows of a tile; words of a row of a tile register.
    static constexpr int64_t kRows = 16, kRegisterWords = 16;
  }];
}

#endif // QUERN_DIALECTS_KERNEL_KERNELOPS_TD
