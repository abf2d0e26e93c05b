//===- Passes.td - From kernel functions to SPIR-V -------*- tablegen -*-===//
#ifndef QUERN_CODEGEN_SPIRV_PASSES_TD
#define QUERN_CODEGEN_SPIRV_PASSES_TD

include "mlir/Pass/PassBase.td"

def SelectBufferAccessPass : Pass<"kernel-select-buffer-access",
                                  "::mlir::gpu::GPUFuncOp"> {
  let summary = "Decide how each argument of a kernel is bound";
  let description = [{
    An argument whose every use is a `kernel.read` can be bound as a texel
    buffer or as a storage buffer. The pass takes the preferred way where the
    argument's size is legal for it, else the other way, else it reports an
    error. Reads of texel buffers become `kernel.texel_fetch` and the argument
    goes away; reads of storage buffers become `memref.load` and the argument
    gets an explicit `spirv.interface_var_abi`, so that binding numbers stay
    those of the kernel request. Arguments with other uses are storage buffers.

    Requires `kernel.binding` and `kernel.bytes` on every argument.
    Guarantees no `kernel.read`; the function has `kernel.accesses`.
    Numerics do not change.

    Before:
    ```mlir
    gpu.func @f(%x: memref<?xf32> {kernel.binding = 0 : i32,
                                   kernel.bytes = 64 : i64}) kernel {
      %v = kernel.read %x[%i] : memref<?xf32>
    ```
    After, with read-access=texel:
    ```mlir
    gpu.func @f() kernel attributes {kernel.accesses = ["texel_float1"]} {
      %v = kernel.texel_fetch binding 0 [%i] : f32
    ```
  }];
  let options = [
    Option<"readAccess", "read-access", "std::string", "\"storage\"",
           "Preferred way to bind read-only arguments: storage or texel">,
    Option<"maxStorageBytes", "max-storage-bytes", "int64_t", "134217728",
           "Largest storage buffer binding in bytes">,
    Option<"maxTexelElements", "max-texel-elements", "int64_t", "134217728",
           "Largest texel buffer view in texels">,
  ];
  let statistics = [
    Statistic<"numTexel", "texel-arguments", "Arguments bound as texel buffers">,
    Statistic<"numStorage", "storage-arguments",
              "Arguments bound as storage buffers">,
  ];
  let dependentDialects = ["::mlir::memref::MemRefDialect",
                           "::mlir::spirv::SPIRVDialect"];
}

def KernelToSPIRVPass : Pass<"convert-kernel-to-spirv", "::mlir::ModuleOp"> {
  let summary = "Convert gpu.module with kernel functions to spirv.module";
  let description = [{
    One full conversion with the upstream patterns for gpu, scf, arith, math,
    memref, vector, cf, ub and index plus those of the kernel dialect. It
    differs from the stock convert-gpu-to-spirv in three ways: emulation of
    missing types is off, so that a missing capability is an error and never a
    silent change of a buffer's layout; math is included; the gpu.module is
    converted in place.

    Requires `spirv.target_env` on the module, no `kernel.read`, vectors of at
    most 4 elements, no bf16, no scf.for with results that may run zero times
    (upstream's pattern leaves such results undefined; --scf-for-to-while
    rewrites these loops). Guarantees spirv.module ops only.

    Before:
    ```mlir
    gpu.module @m { gpu.func @f() kernel { ... gpu.return } }
    ```
    After:
    ```mlir
    spirv.module @__spv__m Logical GLSL450 { spirv.func @f() "None" { ... } }
    ```
  }];
  let options = [
    Option<"use64bitIndex", "use-64bit-index", "bool", "false",
           "Index arithmetic in 64 bits">,
  ];
  let dependentDialects = ["::mlir::spirv::SPIRVDialect"];
}

#endif // QUERN_CODEGEN_SPIRV_PASSES_TD
