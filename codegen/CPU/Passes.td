//===- Passes.td - From kernel functions to CPU code -----*- tablegen -*-===//
#ifndef QUERN_CODEGEN_CPU_PASSES_TD
#define QUERN_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def VectorizeSubgroupsPass : Pass<"kernel-vectorize-subgroups",
                                  "::mlir::ModuleOp"> {
  let summary = "Run the lanes of a subgroup as one SIMD vector";
  let description = [{
    A kernel function becomes a function that one thread calls for a range of
    workgroups. What lanes hold becomes a vector of as many elements; what all
    lanes hold stays a scalar, sums across lanes included. A branch on a
    condition that differs between lanes becomes masks and selects, its
    branches jumped over when no lane takes them. Accesses of memory are scalar,
    contiguous or by lane, as the index tells.

    The function's arguments are a table of pointers, one for each binding, the
    grid as three i32, and the first workgroup and the one behind the last,
    counted with x fastest.

    Workgroup memory lies on the thread's stack. kernel.tile_products, of
    subgroups of 16 lanes, becomes calls of LLVM's intrinsics for AMX; sums go
    from tile registers to vectors through the stack.

    Requires one gpu.func in a gpu.module, of one subgroup per workgroup;
    `kernel.binding` on every argument; loops whose
    lanes begin together. Guarantees func, scf, arith, math, vector and the
    memory operations of llvm, no index type. Numerics do not change; lanes that
    store to the same place store in order.

    Before:
    ```mlir
    gpu.func @f(%x: memref<?xf32> {kernel.binding = 0 : i32,
                                   kernel.bytes = 64 : i64}) kernel {
      %lane = gpu.thread_id x
      %v = kernel.read %x[%lane] : memref<?xf32>
    ```
    After, with lanes=8:
    ```mlir
    func.func @f(%arguments: !llvm.ptr, %grid: !llvm.ptr, %begin: i64,
                 %end: i64) {
      %x = llvm.load %arguments : !llvm.ptr -> !llvm.ptr
      scf.for %workgroup = %begin to %end step %c1 : i64 {
        %v = llvm.load %x {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
    ```
  }];
  let options = [
    Option<"lanes", "lanes", "unsigned", "8", "Lanes of a subgroup, 2^n">,
  ];
  let statistics = [
    Statistic<"numFunctions", "functions", "Functions vectorised">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

def ExpandMathPass : Pass<"kernel-expand-math", "::mlir::ModuleOp"> {
  let summary = "Expand exp and log into polynomials";
  let description = [{
    CPU code calls no library: math.exp and math.log of f32, scalars and
    vectors, become upstream's polynomial approximations, with errors of a few
    units in the last place. Other math ops are instructions.

    Before:
    ```mlir
    %y = math.exp %x : vector<8xf32>
    ```
    After: arith and math.fma.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::vector::VectorDialect"];
}

def SelectByteDotPass : Pass<"kernel-select-byte-dot", "::mlir::ModuleOp"> {
  let summary = "Byte products by the instructions of the CPU";
  let description = [{
    kernel.byte_dot on vectors that fill registers becomes what the CPU has.
    avx2: pmaddubsw adds pairs of products of unsigned and signed bytes in 16
    bits, pmaddwd pairs of those in 32; bytes with a sign give it to the other
    factor (psignb). vnni: vpdpbusd does both; to bytes with a sign 128 is added
    before, and 128 times the other factor subtracted. vnni_int8: vpdpbssd for
    bytes with a sign. neon: smull, then pairs as with avx2. neon_dot: sdot.
    A chain of products of few bits is summed in 16 bits while they can't
    overflow. Others are expanded as by --kernel-expand-bytes.

    Before:
    ```mlir
    %sum = kernel.byte_dot %a, %b, %zero unsigned_bits 4 : vector<8xi32>
    ```
    After, with instructions=avx2:
    ```mlir
    %pairs = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%a_bytes, %b_bytes) : (vector<32xi8>, vector<32xi8>) -> vector<16xi16>
    %sums = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%pairs, %ones) : (vector<16xi16>, vector<16xi16>) -> vector<8xi32>
    %sum = arith.addi %zero, %sums : vector<8xi32>
    ```

    Requires: nothing. Guarantees: no kernel.byte_dot is left. Numerics: the sum
    is exact either way.
  }];
  let options = [
    Option<"instructions", "instructions", "std::string", "\"none\"",
           "none, avx2, vnni, vnni_int8, neon or neon_dot">
  ];
  let statistics = [
    Statistic<"numSelected", "num-selected", "Products by such instructions">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::vector::VectorDialect"];
}

#endif // QUERN_CODEGEN_CPU_PASSES_TD
