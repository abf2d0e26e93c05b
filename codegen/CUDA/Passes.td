//===- Passes.td - From kernel functions to NVVM ---------*- tablegen -*-===//
#ifndef QUERN_CODEGEN_CUDA_PASSES_TD
#define QUERN_CODEGEN_CUDA_PASSES_TD

include "mlir/Pass/PassBase.td"

def KernelToNVVMPass : Pass<"convert-kernel-to-nvvm", "::mlir::ModuleOp"> {
  let summary = "Convert gpu.module with kernel functions to llvm and nvvm";
  let description = [{
    One full conversion with the upstream patterns for arith, math, vector, cf,
    ub and index plus those of gpu, memref and the kernel dialect here. It
    differs from the stock convert-gpu-to-nvvm in four ways: arguments are bare
    pointers to global memory in the order of their bindings; accesses have the
    alignment of the whole element; exp and log are the approximations of the
    hardware and never calls of libdevice; the functions end in the module
    itself, ready to translate.

    A `kernel.read` becomes an invariant load (ld.global.nc). Index arithmetic
    has 32 bits, as on other targets; addresses have 64.

    Requires structured control flow to be gone (convert-scf-to-cf) and
    `kernel.binding` on every argument. Guarantees llvm and nvvm ops only.
    Numerics: exp and log have the error of ex2.approx and lg2.approx.

    Before:
    ```mlir
    gpu.func @f(%x: memref<?xf32> {kernel.binding = 0 : i32}) kernel {
      %v = kernel.read %x[%i] : memref<?xf32>
    ```
    After:
    ```mlir
    llvm.func @f(%x: !llvm.ptr<1>) attributes {nvvm.kernel} {
      %p = llvm.getelementptr %x[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
      %v = llvm.load %p invariant {alignment = 4 : i64}
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

#endif // QUERN_CODEGEN_CUDA_PASSES_TD
