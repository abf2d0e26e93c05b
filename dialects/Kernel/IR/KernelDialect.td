//===- KernelDialect.td - The kernel dialect -------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_KERNEL_KERNELDIALECT_TD
#define QUERN_DIALECTS_KERNEL_KERNELDIALECT_TD

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

#endif // QUERN_DIALECTS_KERNEL_KERNELDIALECT_TD
