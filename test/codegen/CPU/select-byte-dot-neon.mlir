// RUN: quern-opt %s --kernel-select-byte-dot=instructions=neon_dot | FileCheck %s --check-prefixes=CHECK,DOT
// RUN: quern-opt %s --kernel-select-byte-dot=instructions=neon | FileCheck %s --check-prefixes=CHECK,NEON

// CHECK-LABEL: func.func @signed
// CHECK-SAME: %[[A:.*]]: vector<4xi32>, %[[B:.*]]: vector<4xi32>, %[[SUM:.*]]: vector<4xi32>
func.func @signed(%a: vector<4xi32>, %b: vector<4xi32>, %sum: vector<4xi32>) -> vector<4xi32> {
  // DOT: %[[S0:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"(%[[SUM]],
  // DOT: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"(%[[S0]],
  // Two products fit into 16 bits.
  // NEON: %[[P0:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
  // NEON: %[[P1:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
  // NEON: %[[P:.*]] = arith.addi %[[P0]], %[[P1]] : vector<8xi16>
  // NEON: %[[LOW:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.saddlp.v4i32.v8i16"(%[[P]])
  // NEON: llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
  // NEON: llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
  // NEON: %[[HIGH:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.saddlp.v4i32.v8i16"
  // NEON: %[[PAIRS:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.addp.v4i32"(%[[LOW]], %[[HIGH]])
  // NEON: arith.addi %[[SUM]], %[[PAIRS]] : vector<4xi32>
  // CHECK-NOT: kernel.byte_dot
  %0 = kernel.byte_dot %a, %b, %sum : vector<4xi32>
  %1 = kernel.byte_dot %b, %a, %0 : vector<4xi32>
  return %1 : vector<4xi32>
}

// Three do not.
// CHECK-LABEL: func.func @long
func.func @long(%a: vector<4xi32>, %b: vector<4xi32>, %sum: vector<4xi32>) -> vector<4xi32> {
  // DOT-COUNT-3: sdot
  // NEON-COUNT-4: smull
  // NEON-COUNT-2: smull
  // NEON: saddlp
  // NEON-NOT: smull
  // NEON: addp.v4i32
  %0 = kernel.byte_dot %a, %b, %sum : vector<4xi32>
  %1 = kernel.byte_dot %a, %b, %0 : vector<4xi32>
  %2 = kernel.byte_dot %a, %b, %1 : vector<4xi32>
  return %2 : vector<4xi32>
}

// Lanes fill two registers.
// CHECK-LABEL: func.func @lanes
func.func @lanes(%a: vector<8xi32>, %b: vector<8xi32>, %sum: vector<8xi32>) -> vector<8xi32> {
  // DOT: sdot
  // DOT: sdot
  // NEON: addp.v4i32
  // NEON: addp.v4i32
  // CHECK: vector.insert_strided_slice {{.*}} {offsets = [4], strides = [1]}
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 7 : vector<8xi32>
  return %0 : vector<8xi32>
}

// Bytes of 8 bits without a sign are not of that range.
// CHECK-LABEL: func.func @unsigned
func.func @unsigned(%a: vector<4xi32>, %b: vector<4xi32>, %sum: vector<4xi32>) -> vector<4xi32> {
  // CHECK-NOT: intrinsic
  // CHECK: arith.muli
  %0 = kernel.byte_dot %a, %b, %sum unsigned_bits 8 : vector<4xi32>
  return %0 : vector<4xi32>
}
