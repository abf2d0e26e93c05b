// RUN: quern-opt %s --kernel-expand-bytes | FileCheck %s

// CHECK-LABEL: func.func @half
// CHECK-SAME: %[[BUFFER:.*]]: memref<?xi32>, %[[I:.*]]: index
func.func @half(%buffer: memref<?xi32>, %i: index) -> f32 {
  // CHECK: %[[AT:.*]] = arith.divui %[[I]]
  // CHECK: %[[WORD:.*]] = kernel.read %[[BUFFER]][%[[AT]]]
  // CHECK: %[[PAIR:.*]] = kernel.unpack_half %[[WORD]]
  // CHECK: %[[ODD:.*]] = arith.remui %[[I]]
  // CHECK: %[[HIGH:.*]] = arith.cmpi ne, %[[ODD]]
  // CHECK: arith.select %[[HIGH]]
  // CHECK-NOT: kernel.read_half
  %x = kernel.read_half %buffer[%i] : memref<?xi32>
  return %x : f32
}

// The bytes of b have a sign, those of a only without unsigned_bits.
// CHECK-LABEL: func.func @signed
func.func @signed(%a: i32, %b: i32, %sum: i32) -> i32 {
  // CHECK-COUNT-8: arith.shrsi
  // CHECK-NOT: arith.shrui
  // CHECK: return
  %0 = kernel.byte_dot %a, %b, %sum : i32
  return %0 : i32
}

// CHECK-LABEL: func.func @unsigned
func.func @unsigned(%a: vector<4xi32>, %b: vector<4xi32>, %sum: vector<4xi32>) -> vector<4xi32> {
  // CHECK: arith.shrui
  // CHECK: arith.shrsi
  // CHECK: arith.muli {{.*}} : vector<4xi32>
  // CHECK-NOT: kernel.byte_dot
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 4 : vector<4xi32>
  return %0 : vector<4xi32>
}
