// RUN: quern-opt %s --qwen-specialize-experts | FileCheck %s
// RUN: quern-opt %s --qwen-specialize-experts='form=sorted tile=4' | FileCheck %s --check-prefix=SORTED
// RUN: quern-opt %s --qwen-specialize-experts='form=gathered' | FileCheck %s --check-prefix=GATHERED
// RUN: quern-opt %s --qwen-specialize-experts=min-reuse=1000 | FileCheck %s --check-prefix=GATHERED
// RUN: quern-opt %s --qwen-specialize-experts=max-tile=2 | FileCheck %s --check-prefix=MOST
// RUN: quern-opt %s --qwen-specialize-experts=max-tile=32 | FileCheck %s --check-prefix=MATRIX
// RUN: quern-opt %s --qwen-specialize-experts='tile8-reuse=7' | FileCheck %s --check-prefix=EIGHT
// RUN: quern-opt %s --qwen-specialize-experts='tile4-reuse=9' | FileCheck %s --check-prefix=TWO
// RUN: not quern-opt %s --qwen-specialize-experts=form=best 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// RUN: not quern-opt %s --qwen-specialize-experts=tile=12 2>&1 | FileCheck %s --check-prefix=ROWS

// ROWS: 'qwen.experts' op can't be computed in tiles of 12 rows, expected a power of two
// UNKNOWN: 'qwen.experts' op can't be computed in the form 'best', expected auto, gathered or sorted

qwen.weight @gate_up : tensor<16x12x8xf32> from "a" at 0
qwen.weight @down : tensor<16x8x6xf32> from "a" at 0

// GATHERED-NOT: tile

// One token reads each of its experts once.
// CHECK-LABEL: func.func @decode
// SORTED-LABEL: func.func @decode
func.func @decode(%x: tensor<1x8xf32>, %e: tensor<1x2xi32>, %w: tensor<1x2xf32>) -> tensor<1x8xf32> {
  // CHECK: [@gate_up], [@down] : tensor<1x8xf32>
  // SORTED: [@gate_up], [@down] tile 4 : tensor<1x8xf32>
  %y = qwen.experts %x, %e, %w, [@gate_up], [@down] tile 16 : tensor<1x8xf32>, tensor<1x2xi32>, tensor<1x2xf32>
  return %y : tensor<1x8xf32>
}

// Two tokens that choose 2 of 16 experts rarely share one: reuse 1.07.
// CHECK-LABEL: func.func @pair
func.func @pair(%x: tensor<2x8xf32>, %e: tensor<2x2xi32>, %w: tensor<2x2xf32>) -> tensor<2x8xf32> {
  // CHECK: [@gate_up], [@down] : tensor<2x8xf32>
  %y = qwen.experts %x, %e, %w, [@gate_up], [@down] tile 8 : tensor<2x8xf32>, tensor<2x2xi32>, tensor<2x2xf32>
  return %y : tensor<2x8xf32>
}

// 64 tokens choose each of 16 experts about 8 times.
// CHECK-LABEL: func.func @short
func.func @short(%x: tensor<64x8xf32>, %e: tensor<64x2xi32>, %w: tensor<64x2xf32>) -> tensor<64x8xf32> {
  // CHECK: [@gate_up], [@down] tile 4 : tensor<64x8xf32>
  // EIGHT: [@gate_up], [@down] tile 8 : tensor<64x8xf32>
  // TWO: [@gate_up], [@down] tile 2 : tensor<64x8xf32>
  // MATRIX: [@gate_up], [@down] tile 16 : tensor<64x8xf32>
  %y = qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<64x8xf32>, tensor<64x2xi32>, tensor<64x2xf32>
  return %y : tensor<64x8xf32>
}

// CHECK-LABEL: func.func @long
func.func @long(%x: tensor<512x8xf32>, %e: tensor<512x2xi32>, %w: tensor<512x2xf32>) -> tensor<512x8xf32> {
  // CHECK: [@gate_up], [@down] tile 8 : tensor<512x8xf32>
  // MATRIX: [@gate_up], [@down] tile 32 : tensor<512x8xf32>
  // MOST: [@gate_up], [@down] tile 2 : tensor<512x8xf32>
  %y = qwen.experts %x, %e, %w, [@gate_up], [@down] : tensor<512x8xf32>, tensor<512x2xi32>, tensor<512x2xf32>
  return %y : tensor<512x8xf32>
}
