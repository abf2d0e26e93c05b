// RUN: quern-opt %s --convert-kernel-to-nvvm --verify-diagnostics

gpu.module @m {
  // expected-error @below {{argument 0 needs a kernel.binding of its own below the number of arguments}}
  gpu.func @f(%x: memref<?xf32>) kernel {
    gpu.return
  }
}
