// RUN: quern-opt %s --split-input-file --kernel-vectorize-subgroups=lanes=16 --cse --canonicalize | FileCheck %s

// One group of codes: no loop. Sums of rows are vectors of all lanes.
// CHECK-LABEL: func.func @codes(
// CHECK-DAG: %[[STACK:.*]] = llvm.alloca {{.*}} x i32 {alignment = 64
// CHECK: scf.for
// CHECK-DAG: %[[ZERO:.*]] = llvm.call_intrinsic "llvm.x86.tilezero.internal"
// CHECK-DAG: %[[PANEL:.*]] = llvm.call_intrinsic "llvm.x86.tileloadd64.internal"(%c8_i16, %c64_i16, %{{.*}}, %c64_i64)
// CHECK-DAG: %[[ROWS:.*]] = llvm.call_intrinsic "llvm.x86.tileloadd64.internal"(%c16_i16, %c32_i16, %{{.*}}, %c1024_i64)
// CHECK: %[[SUM:.*]] = llvm.call_intrinsic "llvm.x86.tdpbssd.internal"(%c16_i16, %c64_i16, %c32_i16, %[[ZERO]], %[[ROWS]], %[[PANEL]])
// CHECK: llvm.call_intrinsic "llvm.x86.tilestored64.internal"(%c16_i16, %c64_i16, %[[STACK]], %c64_i64, %[[SUM]])
// CHECK: llvm.load %{{.*}} {alignment = 64 : i64} : !llvm.ptr -> vector<16xi32>
gpu.module @m {
  gpu.func @codes(
      %x: memref<?xi32> {kernel.binding = 0 : i32, kernel.bytes = 16384 : i64},
      %weight: memref<?xi32> {kernel.binding = 1 : i32, kernel.bytes = 512 : i64},
      %y: memref<?xi32> {kernel.binding = 2 : i32, kernel.bytes = 64 : i64}) kernel {
    %lane = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %sums:16 = kernel.tile_products i8 %x[%c0] stride 256, %weight[%c0] words 8
        : memref<?xi32>, memref<?xi32>
    memref.store %sums#1, %y[%lane] : memref<?xi32>
    gpu.return
  }
}

// -----

// Sums stay in tile registers over the words of the rows, of which there are
// two parts.
// CHECK-LABEL: func.func @numbers(
// CHECK: scf.for
// CHECK: %[[SUMS:.*]]:2 = scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}}) -> (!llvm.x86_amx, !llvm.x86_amx)
// CHECK: %[[A1:.*]] = llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"(%{{.*}}, %{{.*}}, %{{.*}}, %[[A]], %[[X1:.*]], %{{.*}})
// CHECK: %[[B1:.*]] = llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"(%{{.*}}, %{{.*}}, %{{.*}}, %[[B]], %[[X1]], %{{.*}})
// CHECK: %[[A2:.*]] = llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"(%{{.*}}, %{{.*}}, %{{.*}}, %[[A1]], %[[X2:.*]], %{{.*}})
// CHECK: %[[B2:.*]] = llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"(%{{.*}}, %{{.*}}, %{{.*}}, %[[B1]], %[[X2]], %{{.*}})
// CHECK: scf.yield %[[A2]], %[[B2]]
gpu.module @m {
  gpu.func @numbers(
      %x: memref<?xi32> {kernel.binding = 0 : i32, kernel.bytes = 4096 : i64},
      %weight: memref<?xi32> {kernel.binding = 1 : i32, kernel.bytes = 4096 : i64},
      %y: memref<?xf32> {kernel.binding = 2 : i32, kernel.bytes = 64 : i64}) kernel {
    %lane = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c512 = arith.constant 512 : index
    %sums:32 = kernel.tile_products bf16 %x[%c0] stride 64 parts 2 apart 32, %weight[%c0, %c512] words 32
        : memref<?xi32>, memref<?xi32>
    memref.store %sums#17, %y[%lane] : memref<?xf32>
    gpu.return
  }
}
