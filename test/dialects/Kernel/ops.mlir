// RUN: quern-opt %s | quern-opt | FileCheck %s

// CHECK-LABEL: func.func @reads
func.func @reads(%a: memref<?xf32>, %b: memref<?xvector<4xi32>>, %i: index)
    -> (f32, vector<4xi32>) {
  // CHECK: kernel.read %{{.*}}[%{{.*}}] : memref<?xf32>
  %x = kernel.read %a[%i] : memref<?xf32>
  // CHECK: kernel.read %{{.*}}[%{{.*}}] : memref<?xvector<4xi32>>
  %y = kernel.read %b[%i] : memref<?xvector<4xi32>>
  return %x, %y : f32, vector<4xi32>
}

// CHECK-LABEL: func.func @fetch
func.func @fetch(%i: index) -> vector<4xf32> {
  // CHECK: kernel.texel_fetch binding 2[%{{.*}}] : vector<4xf32>
  %x = kernel.texel_fetch binding 2 [%i] : vector<4xf32>
  return %x : vector<4xf32>
}

// CHECK-LABEL: func.func @halves
func.func @halves(%word: i32) -> i32 {
  // CHECK: kernel.unpack_half %{{.*}} : i32 -> vector<2xf32>
  %pair = kernel.unpack_half %word : i32 -> vector<2xf32>
  // CHECK: kernel.pack_half %{{.*}} : vector<2xf32> -> i32
  %packed = kernel.pack_half %pair : vector<2xf32> -> i32
  return %packed : i32
}

// CHECK-LABEL: func.func @bytes
func.func @bytes(%buffer: memref<?xi32>, %i: index, %a: vector<8xi32>, %s: i32) -> (f32, vector<8xi32>, i32) {
  // CHECK: kernel.read_half %{{.*}}[%{{.*}}] : memref<?xi32>
  %half = kernel.read_half %buffer[%i] : memref<?xi32>
  // CHECK: kernel.byte_dot %{{.*}}, %{{.*}}, %{{.*}} unsigned_bits 4 : vector<8xi32>
  %0 = kernel.byte_dot %a, %a, %a unsigned_bits 4 : vector<8xi32>
  // CHECK: kernel.byte_dot %{{.*}}, %{{.*}}, %{{.*}} : i32
  %1 = kernel.byte_dot %s, %s, %s : i32
  return %half, %0, %1 : f32, vector<8xi32>, i32
}

!tile = memref<64xvector<4xi32>, #spirv.storage_class<Workgroup>>

// CHECK-LABEL: func.func @matrix
func.func @matrix(%x: memref<?xvector<4xi32>>, %tile: !tile, %i: index, %valid: i1,
                  %b: vector<2xi32>, %sums: vector<4xf32>) -> vector<4xf32> {
  // CHECK: kernel.async_copy %{{.*}}[%{{.*}}] to %{{.*}}[%{{.*}}] : memref<?xvector<4xi32>> to memref<64xvector<4xi32>, #spirv.storage_class<Workgroup>>
  kernel.async_copy %x[%i] to %tile[%i] : memref<?xvector<4xi32>> to !tile
  // CHECK: kernel.async_copy %{{.*}}[%{{.*}}] to %{{.*}}[%{{.*}}] if %{{.*}} : memref<?xvector<4xi32>> to memref
  kernel.async_copy %x[%i] to %tile[%i] if %valid : memref<?xvector<4xi32>> to !tile
  // CHECK: kernel.async_commit
  kernel.async_commit
  // CHECK: kernel.async_wait 2
  kernel.async_wait 2
  // CHECK: kernel.load_matrix %{{.*}}[%{{.*}}] : memref<64xvector<4xi32>, #spirv.storage_class<Workgroup>>
  %a = kernel.load_matrix %tile[%i] : !tile
  // CHECK: kernel.mma bf16 %{{.*}}, %{{.*}}, %{{.*}}
  %0 = kernel.mma bf16 %a, %b, %sums
  // CHECK: kernel.mma f16 %{{.*}}, %{{.*}}, %{{.*}}
  %1 = kernel.mma f16 %a, %b, %0
  return %1 : vector<4xf32>
}

// CHECK-LABEL: func.func @tiles
func.func @tiles(%x: memref<?xi32>, %memory: memref<64xvector<4xi32>>, %weight: memref<?xi32>,
                 %i: index) -> (i32, f32) {
  // CHECK: kernel.tile_products i8 %{{.*}}[%{{.*}}] stride 256, %{{.*}}[%{{.*}}] words 8 : memref<?xi32>, memref<?xi32>
  %a:16 = kernel.tile_products i8 %x[%i] stride 256, %weight[%i] words 8
      : memref<?xi32>, memref<?xi32>
  // CHECK: %[[B:.*]]:64 = kernel.tile_products bf16 %{{.*}}[%{{.*}}, %{{.*}}] stride 64 parts 2 apart 32, %{{.*}}[%{{.*}}, %{{.*}}] words 32 : memref<64xvector<4xi32>>, memref<?xi32>
  %b:64 = kernel.tile_products bf16 %memory[%i, %i] stride 64 parts 2 apart 32, %weight[%i, %i] words 32
      : memref<64xvector<4xi32>>, memref<?xi32>
  return %a#15, %b#63 : i32, f32
}
