// RUN: quern-opt %s --qwen-quantize-weights=weights=q4 | FileCheck %s
// RUN: quern-opt %s --qwen-quantize-weights | FileCheck %s --check-prefix=KEEP
// RUN: quern-opt %s --qwen-quantize-weights='weights=keep embedding=q4 head=q4' | FileCheck %s --check-prefix=TOLD
// RUN: quern-opt %s --qwen-quantize-weights=weights=f16 | FileCheck %s --check-prefix=HALF

// KEEP-NOT: {{ as }}

// Embedding, head, router and draft keep 8 bits.
// CHECK: qwen.weight @embed : tensor<96x64xbf16> from "f" at 0 as !qwen.encoded<"int8">
// TOLD: qwen.weight @embed : tensor<96x64xbf16> from "f" at 0 as !qwen.encoded<"q4">
// HALF: qwen.weight @embed : tensor<96x64xbf16> from "f" at 0 as f16
qwen.weight @embed : tensor<96x64xbf16> from "f" at 0
// CHECK: qwen.weight @head : tensor<96x64xbf16> from "f" at 1 as !qwen.encoded<"int8">
// TOLD: qwen.weight @head : tensor<96x64xbf16> from "f" at 1 as !qwen.encoded<"q4">
qwen.weight @head : tensor<96x64xbf16> from "f" at 1
// CHECK: qwen.weight @router : tensor<4x64xbf16> from "f" at 2 as !qwen.encoded<"int8">
qwen.weight @router : tensor<4x64xbf16> from "f" at 2

// Layers and experts do not.
// CHECK: qwen.weight @q : tensor<64x64xbf16> from "f" at 3 as !qwen.encoded<"q4">
// TOLD: qwen.weight @q : tensor<64x64xbf16> from "f" at 3{{$}}
// HALF: qwen.weight @q : tensor<64x64xbf16> from "f" at 3 as f16
qwen.weight @q : tensor<64x64xbf16> from "f" at 3
// CHECK: qwen.weight @gate : tensor<64x64xbf16> from "f" at 4 as !qwen.encoded<"q4">
qwen.weight @gate : tensor<64x64xbf16> from "f" at 4
// CHECK: qwen.weight @up : tensor<64x64xbf16> from "f" at 5 as !qwen.encoded<"q4">
qwen.weight @up : tensor<64x64xbf16> from "f" at 5
// CHECK: qwen.weight @gate_up : tensor<4x80x64xbf16> from "f" at 6 as !qwen.encoded<"q4">
qwen.weight @gate_up : tensor<4x80x64xbf16> from "f" at 6

// Rows of 40 are no whole groups.
// CHECK: qwen.weight @down : tensor<4x64x40xbf16> from "f" at 7{{$}}
// HALF: qwen.weight @down : tensor<4x64x40xbf16> from "f" at 7 as f16
qwen.weight @down : tensor<4x64x40xbf16> from "f" at 7
// CHECK: qwen.weight @odd : tensor<64x48xbf16> from "f" at 8{{$}}
qwen.weight @odd : tensor<64x48xbf16> from "f" at 8

// Gates and vectors stay as they are.
// CHECK: qwen.weight @expert_gate : tensor<1x64xbf16> from "f" at 9{{$}}
qwen.weight @expert_gate : tensor<1x64xbf16> from "f" at 9
// CHECK: qwen.weight @norm : tensor<64xbf16> from "f" at 10{{$}}
// HALF: qwen.weight @norm : tensor<64xbf16> from "f" at 10{{$}}
qwen.weight @norm : tensor<64xbf16> from "f" at 10

// The embedding of a tied model is its head too: the more precise decides.
// CHECK: qwen.weight @tied : tensor<96x64xbf16> from "f" at 11 as !qwen.encoded<"int8">
qwen.weight @tied : tensor<96x64xbf16> from "f" at 11
// A layer and a draft: likewise.
// CHECK: qwen.weight @shared : tensor<64x64xbf16> from "f" at 12 as !qwen.encoded<"int8">
qwen.weight @shared : tensor<64x64xbf16> from "f" at 12
// CHECK: qwen.weight @draft : tensor<64x64xbf16> from "f" at 13 as !qwen.encoded<"int8">
qwen.weight @draft : tensor<64x64xbf16> from "f" at 13
// One product with @shared.
// CHECK: qwen.weight @k : tensor<64x64xbf16> from "f" at 14 as !qwen.encoded<"int8">
qwen.weight @k : tensor<64x64xbf16> from "f" at 14

func.func @decode(%ids: tensor<1xi32>, %s: tensor<1x8xf32>, %seen: tensor<1x3xi32>, %z: tensor<1x48xf32>) -> (tensor<1x64xf32>, tensor<1xi32>, tensor<1xi32>) {
  %x = qwen.embedding %ids, @embed : tensor<1xi32> -> tensor<1x64xf32>
  %n = qwen.rms_norm %x, @norm {epsilon = 1.0e-6} : tensor<1x64xf32> -> tensor<1x64xf32>
  %q = qwen.linear %n, [@q] : tensor<1x64xf32> -> tensor<1x64xf32>
  %f = qwen.linear_swiglu %q, @gate, @up : tensor<1x64xf32> -> tensor<1x64xf32>
  %e, %w = qwen.router %f, @router {normalize} : tensor<1x64xf32> -> tensor<1x2xi32>, tensor<1x2xf32>
  %y = qwen.experts %f, %e, %w, [@gate_up], [@down] : tensor<1x64xf32>, tensor<1x2xi32>, tensor<1x2xf32>
  %g = qwen.linear %y, [@expert_gate] : tensor<1x64xf32> -> tensor<1x1xf32>
  %h = qwen.scale_by_sigmoid %y, %g : tensor<1x64xf32>, tensor<1x1xf32>
  %o = qwen.linear %z, [@odd] : tensor<1x48xf32> -> tensor<1x64xf32>
  %l = qwen.linear %h, [@head] : tensor<1x64xf32> -> tensor<1x96xf32>
  %t = qwen.sample %l, %s, %seen : tensor<1x96xf32>, tensor<1x8xf32>, tensor<1x3xi32> -> tensor<1xi32>
  %x2 = qwen.embedding %t, @tied : tensor<1xi32> -> tensor<1x64xf32>
  %kk = qwen.linear %x2, [@shared, @k] : tensor<1x64xf32> -> tensor<1x128xf32>
  %l2 = qwen.linear %x2, [@tied] : tensor<1x64xf32> -> tensor<1x96xf32>
  %t2 = qwen.sample %l2, %s, %seen : tensor<1x96xf32>, tensor<1x8xf32>, tensor<1x3xi32> -> tensor<1xi32>
  return %o, %t, %t2 : tensor<1x64xf32>, tensor<1xi32>, tensor<1xi32>
}

func.func @draft_decode(%x: tensor<1x64xf32>) -> tensor<1x64xf32> {
  %a = qwen.linear %x, [@draft] : tensor<1x64xf32> -> tensor<1x64xf32>
  %b = qwen.linear %a, [@shared] : tensor<1x64xf32> -> tensor<1x64xf32>
  return %b : tensor<1x64xf32>
}
