// RUN: quern-opt %s --kernel-select-byte-dot=instructions=avx2 | FileCheck %s
// RUN: quern-opt %s --kernel-select-byte-dot | FileCheck %s --check-prefix=NONE

// NONE-NOT: intrinsic

// Products of 4 bits are summed in 16 bits, up to 8 of them.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: %[[A:.*]]: vector<8xi32>, %[[B:.*]]: vector<8xi32>, %[[SUM:.*]]: vector<8xi32>
func.func @chain(%a: vector<8xi32>, %b: vector<8xi32>, %sum: vector<8xi32>) -> vector<8xi32> {
  // CHECK: %[[P0:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
  // CHECK: %[[P1:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
  // CHECK: %[[PAIRS:.*]] = arith.addi %[[P0]], %[[P1]] : vector<16xi16>
  // CHECK: %[[SUMS:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[PAIRS]]
  // CHECK: arith.addi %[[SUM]], %[[SUMS]] : vector<8xi32>
  // CHECK-NOT: kernel.byte_dot
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 4 : vector<8xi32>
  %1 = kernel.byte_dot %b, %a, %0 unsigned_bits 4 : vector<8xi32>
  return %1 : vector<8xi32>
}

// Nine of them would not fit.
// CHECK-LABEL: func.func @long
func.func @long(%a: vector<8xi32>, %b: vector<8xi32>, %s0: vector<8xi32>) -> vector<8xi32> {
  // CHECK-COUNT-8: pmadd.ub.sw
  // CHECK: pmadd.wd
  // CHECK: pmadd.ub.sw
  // CHECK: pmadd.wd
  %s1 = kernel.byte_dot %a, %b, %s0 unsigned_bits 4 : vector<8xi32>
  %s2 = kernel.byte_dot %a, %b, %s1 unsigned_bits 4 : vector<8xi32>
  %s3 = kernel.byte_dot %a, %b, %s2 unsigned_bits 4 : vector<8xi32>
  %s4 = kernel.byte_dot %a, %b, %s3 unsigned_bits 4 : vector<8xi32>
  %s5 = kernel.byte_dot %a, %b, %s4 unsigned_bits 4 : vector<8xi32>
  %s6 = kernel.byte_dot %a, %b, %s5 unsigned_bits 4 : vector<8xi32>
  %s7 = kernel.byte_dot %a, %b, %s6 unsigned_bits 4 : vector<8xi32>
  %s8 = kernel.byte_dot %a, %b, %s7 unsigned_bits 4 : vector<8xi32>
  %s9 = kernel.byte_dot %a, %b, %s8 unsigned_bits 4 : vector<8xi32>
  return %s9 : vector<8xi32>
}

// A sign of a is given to b.
// CHECK-LABEL: func.func @signed
func.func @signed(%a: vector<8xi32>, %b: vector<8xi32>, %sum: vector<8xi32>) -> vector<8xi32> {
  // CHECK: %[[SIGNED:.*]] = llvm.call_intrinsic "llvm.x86.avx2.psign.b"
  // CHECK: %[[ABS:.*]] = llvm.call_intrinsic "llvm.abs.v32i8"
  // CHECK: pmadd.ub.sw"(%[[ABS]], %[[SIGNED]])
  %0 = kernel.byte_dot %a, %b, %sum : vector<8xi32>
  return %0 : vector<8xi32>
}

// CHECK-LABEL: func.func @scalar
func.func @scalar(%a: i32, %b: i32, %sum: i32) -> i32 {
  // CHECK: arith.muli
  // CHECK-NOT: kernel.byte_dot
  %0 = kernel.byte_dot %a, %b, %sum : i32
  return %0 : i32
}

// Pairs of products of 8 unsigned bits do not fit into 16.
// CHECK-LABEL: func.func @wide
func.func @wide(%a: vector<8xi32>, %b: vector<8xi32>, %sum: vector<8xi32>) -> vector<8xi32> {
  // CHECK-NOT: intrinsic
  // CHECK: arith.muli
  // CHECK-NOT: kernel.byte_dot
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 8 : vector<8xi32>
  return %0 : vector<8xi32>
}
