// RUN: quern-opt %s --split-input-file --kernel-vectorize-subgroups=lanes=8 --cse \
// RUN:   --canonicalize | FileCheck %s

// Consecutive elements are one vector; a sum across lanes is uniform again.
// CHECK-LABEL: func.func @sum(
// CHECK-SAME: %[[TABLE:.*]]: !llvm.ptr, %[[GRID:.*]]: !llvm.ptr, %[[BEGIN:.*]]: i64, %[[END:.*]]: i64
// CHECK: %[[X:.*]] = llvm.load %[[TABLE]]
// CHECK: scf.for %[[GROUP:.*]] = %[[BEGIN]] to %[[END]]
// CHECK: %[[V:.*]] = llvm.load {{.*}}alignment = 4{{.*}} -> vector<8xf32>
// CHECK: %[[S1:.*]] = vector.shuffle %[[V]], %[[V]] [1, 0, 3, 2, 5, 4, 7, 6]
// CHECK: %[[A1:.*]] = arith.addf %[[V]], %[[S1]] : vector<8xf32>
// CHECK: vector.shuffle %[[A1]], %[[A1]] [2, 3, 0, 1, 6, 7, 4, 5]
// CHECK: vector.shuffle {{.*}} [4, 5, 6, 7, 0, 1, 2, 3]
// CHECK: %[[T:.*]] = arith.addf {{.*}} : vector<8xf32>
// CHECK: %[[U:.*]] = vector.extract %[[T]][0] : f32
// CHECK: llvm.store %[[U]], {{.*}} : f32, !llvm.ptr
gpu.module @m {
  gpu.func @sum(
      %x: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 64 : i64},
      %y: memref<?xf32> {kernel.binding = 1 : i32, kernel.bytes = 64 : i64}) kernel {
    %lane = gpu.thread_id x
    %group = gpu.block_id x
    %c1 = arith.constant 1 : i32
    %c2 = arith.constant 2 : i32
    %c4 = arith.constant 4 : i32
    %c8 = arith.constant 8 : i32
    %i8 = arith.constant 8 : index
    %base = arith.muli %group, %i8 : index
    %i = arith.addi %base, %lane : index
    %a = kernel.read %x[%i] : memref<?xf32>
    %s1, %v1 = gpu.shuffle xor %a, %c1, %c8 : f32
    %a1 = arith.addf %a, %s1 : f32
    %s2, %v2 = gpu.shuffle xor %a1, %c2, %c8 : f32
    %a2 = arith.addf %a1, %s2 : f32
    %s3, %v3 = gpu.shuffle xor %a2, %c4, %c8 : f32
    %a3 = arith.addf %a2, %s3 : f32
    memref.store %a3, %y[%group] : memref<?xf32>
    gpu.return
  }
}

// -----

// Vectors of consecutive lanes stay as they lie in memory. A condition that is
// known for every lane needs no mask: lane 0 stores a scalar.
// CHECK-LABEL: func.func @flat(
// CHECK: %[[V:.*]] = llvm.load {{.*}} -> vector<32xf32>
// CHECK: arith.mulf %[[V]], %[[V]] : vector<32xf32>
// CHECK: llvm.store {{.*}} : vector<32xf32>
// CHECK-NOT: scf.if
// CHECK: llvm.store {{.*}} : vector<4xf32>
gpu.module @m {
  gpu.func @flat(
      %x: memref<?xvector<4xf32>> {kernel.binding = 0 : i32, kernel.bytes = 512 : i64},
      %y: memref<?xvector<4xf32>> {kernel.binding = 1 : i32, kernel.bytes = 512 : i64},
      %z: memref<?xvector<4xf32>> {kernel.binding = 2 : i32, kernel.bytes = 512 : i64}) kernel {
    %lane = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %a = kernel.read %x[%lane] : memref<?xvector<4xf32>>
    %b = arith.mulf %a, %a : vector<4xf32>
    memref.store %b, %y[%lane] : memref<?xvector<4xf32>>
    %first = arith.cmpi eq, %lane, %c0 : index
    scf.if %first {
      memref.store %b, %z[%lane] : memref<?xvector<4xf32>>
    }
    gpu.return
  }
}

// -----

// A condition on data becomes a mask; the branch is skipped if it is empty.
// CHECK-LABEL: func.func @masked(
// CHECK: %[[C:.*]] = arith.cmpf olt, {{.*}} : vector<8xf32>
// CHECK: %[[ANY:.*]] = vector.reduction <or>, %[[C]] : vector<8xi1> into i1
// CHECK: %[[R:.*]] = scf.if %[[ANY]] -> (vector<8xf32>)
// CHECK: arith.mulf
// CHECK: arith.select %[[C]], %[[R]]
// CHECK: llvm.intr.masked.store
gpu.module @m {
  gpu.func @masked(
      %x: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 32 : i64},
      %y: memref<?xf32> {kernel.binding = 1 : i32, kernel.bytes = 32 : i64}) kernel {
    %lane = gpu.thread_id x
    %zero = arith.constant 0.0 : f32
    %a = kernel.read %x[%lane] : memref<?xf32>
    %c = arith.cmpf olt, %a, %zero : f32
    %r = scf.if %c -> (f32) {
      %m = arith.mulf %a, %a : f32
      scf.yield %m : f32
    } else {
      scf.yield %a : f32
    }
    scf.if %c {
      memref.store %r, %y[%lane] : memref<?xf32>
    }
    gpu.return
  }
}

// -----

// Lanes with different ends turn until the last is done.
// CHECK-LABEL: func.func @different_ends(
// CHECK: %[[LAST:.*]] = vector.reduction <maxui>, %[[ENDS:.*]] : vector<8xi64> into i64
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[LAST]] {{.*}} -> (vector<8xf32>)
// CHECK: %[[ACTIVE:.*]] = arith.cmpi ult, %{{.*}}, %[[ENDS]]
// CHECK: arith.select %[[ACTIVE]]
gpu.module @m {
  gpu.func @different_ends(
      %n: memref<?xi32> {kernel.binding = 0 : i32, kernel.bytes = 32 : i64},
      %x: memref<?xf32> {kernel.binding = 1 : i32, kernel.bytes = 256 : i64},
      %y: memref<?xf32> {kernel.binding = 2 : i32, kernel.bytes = 32 : i64}) kernel {
    %lane = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %count = kernel.read %n[%lane] : memref<?xi32>
    %end = arith.index_castui %count : i32 to index
    %sum = scf.for %i = %c0 to %end step %c1 iter_args(%s = %zero) -> (f32) {
      %a = kernel.read %x[%i] : memref<?xf32>
      %t = arith.addf %s, %a : f32
      scf.yield %t : f32
    }
    memref.store %sum, %y[%lane] : memref<?xf32>
    gpu.return
  }
}

// -----

// Lanes that begin at different values count from 0, each from its begin.
// CHECK-LABEL: func.func @different_begins(
// CHECK-DAG: %[[ENDS:.*]] = arith.constant dense<[5, 4, 3, 2, 1, 0, 0, 0]> : vector<8xi64>
// CHECK: %[[LAST:.*]] = vector.reduction <maxui>, %[[ENDS]] : vector<8xi64> into i64
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[LAST]] {{.*}} -> (vector<8xf32>)
// CHECK: %[[NOW:.*]] = vector.broadcast %[[I]]
// CHECK: %[[ACTIVE:.*]] = arith.cmpi ult, %[[NOW]], %[[ENDS]]
// CHECK: arith.select %[[ACTIVE]]
gpu.module @m {
  gpu.func @different_begins(
      %x: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 256 : i64},
      %y: memref<?xf32> {kernel.binding = 1 : i32, kernel.bytes = 32 : i64}) kernel {
    %lane = gpu.thread_id x
    %c1 = arith.constant 1 : index
    %c5 = arith.constant 5 : index
    %zero = arith.constant 0.0 : f32
    %sum = scf.for %i = %lane to %c5 step %c1 iter_args(%s = %zero) -> (f32) {
      %a = kernel.read %x[%i] : memref<?xf32>
      %t = arith.addf %s, %a : f32
      scf.yield %t : f32
    }
    memref.store %sum, %y[%lane] : memref<?xf32>
    gpu.return
  }
}

// -----

// Halves of consecutive lanes are one load; a product of bytes is one of
// vectors, a word that all lanes hold is repeated.
// CHECK-LABEL: func.func @bytes(
// CHECK: %[[HALVES:.*]] = llvm.load {{.*}} : !llvm.ptr -> vector<8xf16>
// CHECK: arith.extf %[[HALVES]] : vector<8xf16> to vector<8xf32>
// CHECK: %[[B:.*]] = vector.broadcast %{{.*}} : i32 to vector<8xi32>
// CHECK: kernel.byte_dot %{{.*}}, %[[B]], %{{.*}} unsigned_bits 4 : vector<8xi32>
gpu.module @m {
  gpu.func @bytes(
      %w: memref<?xi32> {kernel.binding = 0 : i32, kernel.bytes = 64 : i64},
      %q: memref<?xi32> {kernel.binding = 1 : i32, kernel.bytes = 4 : i64},
      %y: memref<?xf32> {kernel.binding = 2 : i32, kernel.bytes = 32 : i64}) kernel {
    %lane = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0 : i32
    %scale = kernel.read_half %w[%lane] : memref<?xi32>
    %a = kernel.read %w[%lane] : memref<?xi32>
    %b = kernel.read %q[%c0] : memref<?xi32>
    %sum = kernel.byte_dot %a, %b, %zero unsigned_bits 4 : i32
    %float = arith.sitofp %sum : i32 to f32
    %product = arith.mulf %float, %scale : f32
    memref.store %product, %y[%lane] : memref<?xf32>
    gpu.return
  }
}

// -----

// Workgroup memory is the thread's stack, taken once for all workgroups; the
// line that is prefetched is that of the first lane.
// CHECK-LABEL: func.func @memory(
// CHECK: %[[MEMORY:.*]] = llvm.alloca %{{.*}} x f32 {alignment = 64 : i64}
// CHECK: scf.for
// CHECK: "llvm.intr.prefetch"({{.*}}) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}>
// CHECK: llvm.store %{{.*}}, %[[MEMORY]] {{.*}}: vector<8xf32>, !llvm.ptr
gpu.module @m {
  gpu.func @memory(
      %x: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 64 : i64},
      %y: memref<?xf32> {kernel.binding = 1 : i32, kernel.bytes = 32 : i64}) kernel {
    %shared = memref.alloc() : memref<8xf32, #spirv.storage_class<Workgroup>>
    %lane = gpu.thread_id x
    %c0 = arith.constant 0 : index
    memref.prefetch %x[%c0], read, locality<3>, data : memref<?xf32>
    %a = kernel.read %x[%lane] : memref<?xf32>
    memref.store %a, %shared[%lane] : memref<8xf32, #spirv.storage_class<Workgroup>>
    %b = memref.load %shared[%c0] : memref<8xf32, #spirv.storage_class<Workgroup>>
    memref.store %b, %y[%lane] : memref<?xf32>
    gpu.return
  }
}
