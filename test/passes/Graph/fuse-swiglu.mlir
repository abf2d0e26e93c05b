// RUN: quern-opt %s --qwen-fuse-swiglu | FileCheck %s
// RUN: quern-opt %s --qwen-fuse-swiglu > %t.once
// RUN: quern-opt %t.once --qwen-fuse-swiglu | diff - %t.once

qwen.weight @gate : tensor<24x16xbf16> from "a" at 0
qwen.weight @up : tensor<24x16xbf16> from "a" at 0
qwen.weight @up_f32 : tensor<24x16xf32> from "a" at 0
qwen.weight @half : tensor<12x16xbf16> from "a" at 0

// CHECK-LABEL: func.func @fuses
// CHECK-SAME: %[[X:[^:]*]]:
// CHECK-NEXT: %[[Y:.*]] = qwen.linear_swiglu %[[X]], @gate, @up : tensor<?x16xbf16> -> tensor<?x24xbf16>
// CHECK-NEXT: return %[[Y]]
func.func @fuses(%x: tensor<?x16xbf16>) -> tensor<?x24xbf16> {
  %u = qwen.linear %x, [@up] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %g = qwen.linear %x, [@gate] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %y = qwen.swiglu %g, %u : tensor<?x24xbf16>
  return %y : tensor<?x24xbf16>
}

// CHECK-LABEL: func.func @other_input
// CHECK: qwen.swiglu
func.func @other_input(%x: tensor<?x16xbf16>, %z: tensor<?x16xbf16>) -> tensor<?x24xbf16> {
  %g = qwen.linear %x, [@gate] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %u = qwen.linear %z, [@up] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %y = qwen.swiglu %g, %u : tensor<?x24xbf16>
  return %y : tensor<?x24xbf16>
}

// CHECK-LABEL: func.func @other_use
// CHECK: qwen.swiglu
func.func @other_use(%x: tensor<?x16xbf16>) -> (tensor<?x24xbf16>, tensor<?x24xbf16>) {
  %g = qwen.linear %x, [@gate] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %u = qwen.linear %x, [@up] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %y = qwen.swiglu %g, %u : tensor<?x24xbf16>
  return %y, %u : tensor<?x24xbf16>, tensor<?x24xbf16>
}

// One value is both gate and up.
// CHECK-LABEL: func.func @one_product
// CHECK: qwen.swiglu
func.func @one_product(%x: tensor<?x16xbf16>) -> tensor<?x24xbf16> {
  %g = qwen.linear %x, [@gate] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %y = qwen.swiglu %g, %g : tensor<?x24xbf16>
  return %y : tensor<?x24xbf16>
}

// CHECK-LABEL: func.func @other_weight_type
// CHECK: qwen.swiglu
func.func @other_weight_type(%x: tensor<?x16xbf16>) -> tensor<?x24xbf16> {
  %g = qwen.linear %x, [@gate] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %u = qwen.linear %x, [@up_f32] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %y = qwen.swiglu %g, %u : tensor<?x24xbf16>
  return %y : tensor<?x24xbf16>
}

// CHECK-LABEL: func.func @merged_product
// CHECK: qwen.swiglu
func.func @merged_product(%x: tensor<?x16xbf16>) -> tensor<?x24xbf16> {
  %g = qwen.linear %x, [@half, @half] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %u = qwen.linear %x, [@up] : tensor<?x16xbf16> -> tensor<?x24xbf16>
  %y = qwen.swiglu %g, %u : tensor<?x24xbf16>
  return %y : tensor<?x24xbf16>
}
