// RUN: quern-opt %s --split-input-file --convert-kernel-to-nvvm | FileCheck %s

// Arguments are bare pointers in the order of their bindings; reads are
// invariant and as aligned as their element.
// CHECK-LABEL: llvm.func @f(
// CHECK-SAME: %[[X:.*]]: !llvm.ptr<1>, %[[Y:.*]]: !llvm.ptr<1>)
// CHECK-SAME: nvvm.kernel
// CHECK: nvvm.read.ptx.sreg.tid.x
// CHECK: %[[P:.*]] = llvm.getelementptr inbounds %[[X]]
// CHECK: %[[V:.*]] = llvm.load %[[P]] invariant {alignment = 16 : i64}
// CHECK: llvm.fmul %[[V]], %[[V]]
// CHECK: %[[Q:.*]] = llvm.getelementptr inbounds %[[Y]]
// CHECK: llvm.store {{.*}} {alignment = 16 : i64}
gpu.module @m {
  gpu.func @f(
      %y: memref<?xvector<4xf32>> {kernel.binding = 1 : i32, kernel.bytes = 512 : i64},
      %x: memref<?xvector<4xf32>> {kernel.binding = 0 : i32, kernel.bytes = 512 : i64}) kernel {
    %lane = gpu.thread_id x
    %a = kernel.read %x[%lane] : memref<?xvector<4xf32>>
    %b = arith.mulf %a, %a : vector<4xf32>
    memref.store %b, %y[%lane] : memref<?xvector<4xf32>>
    gpu.return
  }
}
