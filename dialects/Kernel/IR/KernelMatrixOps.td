//===- KernelMatrixOps.td - Copies and products of tiles -*- tablegen -*-===//
//
// What a workgroup needs to multiply matrices with the matrix units of a GPU:
// copies into workgroup memory that go on while it computes, and fragments of
// 16-bit matrices, held by the 32 lanes of a subgroup together.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_KERNEL_KERNELMATRIXOPS_TD
#define QUERN_DIALECTS_KERNEL_KERNELMATRIXOPS_TD

include "dialects/Kernel/IR/KernelDialect.td"

/// Workgroup memory of words.
def Kernel_WordMemory : MemRefRankOf<
    [I32, VectorOfLengthAndType<[2, 4], [I32]>], [1]>;
/// Workgroup memory in units of 16 bytes: 8 elements of 16 bits.
def Kernel_OctetMemory : MemRefRankOf<
    [VectorOfLengthAndType<[4], [I32]>], [1]>;
def Kernel_FragmentA : VectorOfLengthAndType<[4], [I32]>;
def Kernel_FragmentB : VectorOfLengthAndType<[2], [I32]>;
def Kernel_FragmentC : VectorOfLengthAndType<[4], [F32]>;

def Kernel_AsyncCopyOp : Kernel_Op<"async_copy",
    [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "begins a copy of 16 bytes into workgroup memory";
  let description = [{
    Begins `to[to_index ...] = from[from_index]`, 16 bytes that nobody may touch
    until the lane has waited for the copy (`kernel.async_wait`) and the
    workgroup has met at a barrier. `to_index` counts elements of `to` and
    begins 16 aligned bytes. Nothing in the kernel writes `from`.

    Example:
    ```mlir
    kernel.async_copy %x[%i] to %memory[%j]
        : memref<?xvector<4xi32>> to memref<512xvector<4xi32>>
    ```
  }];
  let arguments = (ins Kernel_OctetMemory:$from, Index:$from_index,
      Kernel_WordMemory:$to, Index:$to_index);
  let assemblyFormat = "$from `[` $from_index `]` `to` $to `[` $to_index `]` "
                       "attr-dict `:` type($from) `to` type($to)";
}

def Kernel_AsyncCommitOp : Kernel_Op<"async_commit",
    [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "makes the copies that this lane has begun a group";
  let description = [{
    Of the copies since the latest commit; there may be none.

    Example:
    ```mlir
    kernel.async_commit
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Kernel_AsyncWaitOp : Kernel_Op<"async_wait",
    [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for all but the latest groups of copies of this lane";
  let description = [{
    When it returns, no more than `pending` groups of this lane are under way.
    Other lanes see the copies after a barrier.

    Example:
    ```mlir
    kernel.async_wait 2
    ```
  }];
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Kernel_LoadMatrixOp : Kernel_Op<"load_matrix", [
    MemoryEffects<[MemRead]>,
    TypesMatchWith<"result type is the memory's element type", "memory",
                   "result",
                   "::llvm::cast<::mlir::MemRefType>($_self).getElementType()">]> {
  let summary = "reads four 8x8 matrices of 16-bit elements";
  let description = [{
    Of a subgroup of 32 lanes, all of which get there. Row r of matrix m is the
    octet `memory[index]` of lane 8 m + r. Component m of the result holds, in
    lane l, elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4 of matrix m, the
    first in the low half.

    Example:
    ```mlir
    %a = kernel.load_matrix %memory[%i] : memref<512xvector<4xi32>>
    ```
  }];
  let arguments = (ins Kernel_OctetMemory:$memory, Index:$index);
  let results = (outs Kernel_FragmentA:$result);
  let assemblyFormat = "$memory `[` $index `]` attr-dict `:` type($memory)";
}

class Kernel_WordsOf<string fragment, int count> : TypesMatchWith<
    fragment # " is a vector of " # count # " words", "c", fragment,
    "::mlir::VectorType::get({" # count # "}, ::mlir::IntegerType::get("
    "$_self.getContext(), 32))">;

def Kernel_MmaOp : Kernel_Op<"mma", [Pure, AllTypesMatch<["c", "result"]>,
    Kernel_WordsOf<"a", 4>, Kernel_WordsOf<"b", 2>]> {
  let summary = "multiplies a 16x16 with a 16x8 matrix and adds a 16x8 matrix";
  let description = [{
    result[i, j] = c[i, j] + sum over k < 16 of a[i, k] b[k, j], of a subgroup
    of 32 lanes, all of which get there. With g = l / 4 and t = l % 4, lane l
    holds, words with the first element in the low half:

    | Component | of `a` | of `b` | of `c` and the result |
    |---|---|---|---|
    | 0 | a[g, 2t], a[g, 2t+1] | b[2t, g], b[2t+1, g] | c[g, 2t] |
    | 1 | a[g+8, 2t], a[g+8, 2t+1] | b[2t+8, g], b[2t+9, g] | c[g, 2t+1] |
    | 2 | a[g, 2t+8], a[g, 2t+9] | | c[g+8, 2t] |
    | 3 | a[g+8, 2t+8], a[g+8, 2t+9] | | c[g+8, 2t+1] |

    `type` is that of the elements of a and b. Products are exact; the sums are
    of f32, in an order and with a rounding that are the device's.

    Example:
    ```mlir
    %d = kernel.mma bf16 %a, %b, %c : vector<4xf32>
    ```
  }];
  let arguments = (ins TypeAttrOf<AnyTypeOf<[F16, BF16]>>:$type,
      Kernel_FragmentA:$a, Kernel_FragmentB:$b, Kernel_FragmentC:$c);
  let results = (outs Kernel_FragmentC:$result);
  let assemblyFormat = "$type $a `,` $b `,` $c attr-dict `:` type($c)";
}

#endif // QUERN_DIALECTS_KERNEL_KERNELMATRIXOPS_TD
