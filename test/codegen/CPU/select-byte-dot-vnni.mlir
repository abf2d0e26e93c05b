// RUN: quern-opt %s --kernel-select-byte-dot=instructions=vnni | FileCheck %s --check-prefixes=CHECK,VNNI
// RUN: quern-opt %s --kernel-select-byte-dot=instructions=vnni_int8 | FileCheck %s --check-prefixes=CHECK,INT8

// CHECK-LABEL: func.func @unsigned
// CHECK-SAME: %[[A:.*]]: vector<8xi32>, %[[B:.*]]: vector<8xi32>, %[[SUM:.*]]: vector<8xi32>
func.func @unsigned(%a: vector<8xi32>, %b: vector<8xi32>, %sum: vector<8xi32>) -> vector<8xi32> {
  // CHECK: %[[A0:.*]] = llvm.bitcast %[[A]] : vector<8xi32> to vector<32xi8>
  // CHECK: %[[B0:.*]] = llvm.bitcast %[[B]] : vector<8xi32> to vector<32xi8>
  // CHECK: %[[S0:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[SUM]], %[[A0]], %[[B0]])
  // CHECK: %[[S1:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[S0]],
  // CHECK-NOT: kernel.byte_dot
  // CHECK: return %[[S1]]
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 8 : vector<8xi32>
  %1 = kernel.byte_dot %b, %a, %0 unsigned_bits 8 : vector<8xi32>
  return %1 : vector<8xi32>
}

// 128 is added to bytes with a sign, and 128 b subtracted.
// CHECK-LABEL: func.func @signed
// CHECK-SAME: %[[A:.*]]: vector<8xi32>, %[[B:.*]]: vector<8xi32>, %[[SUM:.*]]: vector<8xi32>
func.func @signed(%a: vector<8xi32>, %b: vector<8xi32>, %sum: vector<8xi32>) -> vector<8xi32> {
  // VNNI: %[[SIGNS:.*]] = arith.constant dense<-2139062144> : vector<8xi32>
  // VNNI: %[[ZERO:.*]] = arith.constant dense<0> : vector<8xi32>
  // VNNI: arith.xori %[[A]], %[[SIGNS]]
  // VNNI: %[[S0:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[SUM]],
  // VNNI: %[[E0:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[ZERO]],
  // VNNI: %[[S1:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[S0]],
  // VNNI: %[[E1:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"(%[[E0]],
  // VNNI: arith.subi %[[S1]], %[[E1]]
  // INT8: %[[S0:.*]] = llvm.call_intrinsic "llvm.x86.avx2.vpdpbssd.256"(%[[SUM]],
  // INT8: llvm.call_intrinsic "llvm.x86.avx2.vpdpbssd.256"(%[[S0]],
  // INT8-NOT: arith
  // CHECK: return
  %0 = kernel.byte_dot %a, %b, %sum : vector<8xi32>
  %1 = kernel.byte_dot %b, %a, %0 : vector<8xi32>
  return %1 : vector<8xi32>
}

// Vectors of several registers go in parts.
// CHECK-LABEL: func.func @wide
func.func @wide(%a: vector<16xi32>, %b: vector<16xi32>, %sum: vector<16xi32>) -> vector<16xi32> {
  // CHECK: vector.extract_strided_slice {{.*}} {offsets = [0], sizes = [8], strides = [1]}
  // CHECK: vpdpbusd.256
  // CHECK: vector.insert_strided_slice {{.*}} {offsets = [0], strides = [1]}
  // CHECK: vector.extract_strided_slice {{.*}} {offsets = [8], sizes = [8], strides = [1]}
  // CHECK: vpdpbusd.256
  // CHECK: vector.insert_strided_slice {{.*}} {offsets = [8], strides = [1]}
  // CHECK-NOT: vpdpbusd.256
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 4 : vector<16xi32>
  return %0 : vector<16xi32>
}

// Half a register is none.
// CHECK-LABEL: func.func @narrow
func.func @narrow(%a: vector<4xi32>, %b: vector<4xi32>, %sum: vector<4xi32>) -> vector<4xi32> {
  // CHECK-NOT: intrinsic
  // CHECK: arith.muli
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 4 : vector<4xi32>
  return %0 : vector<4xi32>
}
