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

// -----

!tile = memref<64xvector<4xi32>, #spirv.storage_class<Workgroup>>

// Workgroup memory is aligned for matrix loads; a copy that is not valid reads
// no bytes; bf16 are words and f16 are pairs to the matrix unit.
// CHECK: llvm.mlir.global internal @workgroup_0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x vector<4xi32>>
// CHECK-LABEL: llvm.func @matrix(
// CHECK: %[[VALID:.*]] = llvm.icmp
// CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
// CHECK: %[[BYTES:.*]] = llvm.select %[[VALID]]
// CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[BYTES]]
// CHECK: nvvm.cp.async.commit.group
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: nvvm.barrier
// CHECK: nvvm.ldmatrix
// CHECK-SAME: num = 4 : i32
// CHECK-SAME: (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
// CHECK: nvvm.mma.sync A[{{.*}}] B[{{.*}}] C[{{.*}}]
// CHECK-SAME: multiplicandAPtxType = #nvvm.mma_type<bf16>
// CHECK-SAME: (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
// CHECK: llvm.bitcast {{.*}} : i32 to vector<2xf16>
// CHECK: nvvm.mma.sync
// CHECK-SAME: (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
gpu.module @m {
  gpu.func @matrix(
      %x: memref<?xvector<4xi32>> {kernel.binding = 0 : i32, kernel.bytes = 512 : i64},
      %y: memref<?xvector<4xf32>> {kernel.binding = 1 : i32, kernel.bytes = 512 : i64}) kernel {
    %tile = memref.alloc() : !tile
    %lane = gpu.thread_id x
    %sums = arith.constant dense<0.0> : vector<4xf32>
    %last = arith.constant 16 : index
    %valid = arith.cmpi ult, %lane, %last : index
    kernel.async_copy %x[%lane] to %tile[%lane] : memref<?xvector<4xi32>> to !tile
    kernel.async_copy %x[%lane] to %tile[%lane] if %valid : memref<?xvector<4xi32>> to !tile
    kernel.async_commit
    kernel.async_wait 0
    gpu.barrier
    %a = kernel.load_matrix %tile[%lane] : !tile
    %b = vector.shuffle %a, %a [0, 1] : vector<4xi32>, vector<4xi32>
    %0 = kernel.mma bf16 %a, %b, %sums
    %1 = kernel.mma f16 %a, %b, %0
    memref.store %1, %y[%lane] : memref<?xvector<4xf32>>
    gpu.return
  }
}
