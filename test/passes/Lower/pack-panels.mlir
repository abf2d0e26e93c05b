// RUN: quern-opt %s --exec-pack-panels=rows=8 --split-input-file | FileCheck %s
// RUN: quern-opt %s --exec-pack-panels --split-input-file | FileCheck %s --check-prefix=NONE

// A tied embedding is read by both families that can read panels. @odd has rows
// that panels don't divide, and its kernel is its own.

qwen.weight @embed : tensor<24x64xbf16> from "a" at 0
qwen.weight @w : tensor<16x64xbf16> from "a" at 0
qwen.weight @odd : tensor<12x64xbf16> from "a" at 0
// CHECK: exec.weight @embed.plain plain [@embed] panels 8 : tensor<24x64xbf16>
// CHECK: exec.weight @w.plain plain [@w] panels 8 : tensor<16x64xbf16>
// CHECK: exec.weight @odd.plain plain [@odd] : tensor<12x64xbf16>
// CHECK: exec.kernel @embedding {{.*}} config {count = "tokens", weight_panels = 8 : i64}
// CHECK: exec.kernel @linear_16 {{.*}} config {weight_panels = 8 : i64}
// CHECK: exec.kernel @linear_24 {{.*}} config {weight_panels = 8 : i64}
// CHECK: exec.kernel @linear_12 {{.*}} config {}
// NONE-NOT: panels
exec.weight @embed.plain plain [@embed] : tensor<24x64xbf16>
exec.weight @w.plain plain [@w] : tensor<16x64xbf16>
exec.weight @odd.plain plain [@odd] : tensor<12x64xbf16>
exec.kernel @embedding family "embedding" arguments [#exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<24x64xbf16>>, #exec.argument<write, tensor<1x64xf32>>] config {count = "tokens"}
exec.kernel @linear_16 family "linear" arguments [#exec.argument<read, tensor<1x64xf32>>, #exec.argument<read, tensor<16x64xbf16>>, #exec.argument<write, tensor<1x16xf32>>] config {}
exec.kernel @linear_24 family "linear" arguments [#exec.argument<read, tensor<1x64xf32>>, #exec.argument<read, tensor<24x64xbf16>>, #exec.argument<write, tensor<1x24xf32>>] config {}
exec.kernel @linear_12 family "linear" arguments [#exec.argument<read, tensor<1x64xf32>>, #exec.argument<read, tensor<12x64xbf16>>, #exec.argument<write, tensor<1x12xf32>>] config {}
exec.program @decode kind decode tokens 1 rows 1 {
  %ids = exec.step token_ids : !exec.buffer<tensor<1xi32>>
  %embed = exec.weight_ref @embed.plain : !exec.buffer<tensor<24x64xbf16>>
  %w = exec.weight_ref @w.plain : !exec.buffer<tensor<16x64xbf16>>
  %odd = exec.weight_ref @odd.plain : !exec.buffer<tensor<12x64xbf16>>
  %x = exec.alloc : !exec.buffer<tensor<1x64xf32>>
  %a = exec.alloc : !exec.buffer<tensor<1x16xf32>>
  %b = exec.alloc : !exec.buffer<tensor<1x24xf32>>
  %c = exec.alloc : !exec.buffer<tensor<1x12xf32>>
  exec.dispatch @embedding(%ids, %embed, %x) : !exec.buffer<tensor<1xi32>>, !exec.buffer<tensor<24x64xbf16>>, !exec.buffer<tensor<1x64xf32>>
  exec.dispatch @linear_16(%x, %w, %a) : !exec.buffer<tensor<1x64xf32>>, !exec.buffer<tensor<16x64xbf16>>, !exec.buffer<tensor<1x16xf32>>
  exec.dispatch @linear_24(%x, %embed, %b) : !exec.buffer<tensor<1x64xf32>>, !exec.buffer<tensor<24x64xbf16>>, !exec.buffer<tensor<1x24xf32>>
  exec.dispatch @linear_12(%x, %odd, %c) : !exec.buffer<tensor<1x64xf32>>, !exec.buffer<tensor<12x64xbf16>>, !exec.buffer<tensor<1x12xf32>>
}

// -----

// What another family reads stays row-major, and so does all that its kernels
// read; an embedding that no linear layer reads gains nothing.

qwen.weight @a : tensor<16x64xbf16> from "a" at 0
qwen.weight @b : tensor<16x64xbf16> from "a" at 0
qwen.weight @embed : tensor<24x64xbf16> from "a" at 0
// CHECK: exec.weight @a.plain plain [@a] : tensor<16x64xbf16>
// CHECK: exec.weight @b.plain plain [@b] : tensor<16x64xbf16>
// CHECK: exec.weight @embed.plain plain [@embed] : tensor<24x64xbf16>
// CHECK-NOT: weight_panels
exec.weight @a.plain plain [@a] : tensor<16x64xbf16>
exec.weight @b.plain plain [@b] : tensor<16x64xbf16>
exec.weight @embed.plain plain [@embed] : tensor<24x64xbf16>
exec.kernel @embedding family "embedding" arguments [#exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<24x64xbf16>>, #exec.argument<write, tensor<1x64xf32>>] config {count = "tokens"}
exec.kernel @linear family "linear" arguments [#exec.argument<read, tensor<1x64xf32>>, #exec.argument<read, tensor<16x64xbf16>>, #exec.argument<write, tensor<1x16xf32>>] config {}
exec.kernel @other family "other" arguments [#exec.argument<read, tensor<1x64xf32>>, #exec.argument<read, tensor<16x64xbf16>>, #exec.argument<write, tensor<1x16xf32>>] config {}
exec.program @decode kind decode tokens 1 rows 1 {
  %ids = exec.step token_ids : !exec.buffer<tensor<1xi32>>
  %embed = exec.weight_ref @embed.plain : !exec.buffer<tensor<24x64xbf16>>
  %wa = exec.weight_ref @a.plain : !exec.buffer<tensor<16x64xbf16>>
  %wb = exec.weight_ref @b.plain : !exec.buffer<tensor<16x64xbf16>>
  %x = exec.alloc : !exec.buffer<tensor<1x64xf32>>
  %y = exec.alloc : !exec.buffer<tensor<1x16xf32>>
  exec.dispatch @embedding(%ids, %embed, %x) : !exec.buffer<tensor<1xi32>>, !exec.buffer<tensor<24x64xbf16>>, !exec.buffer<tensor<1x64xf32>>
  exec.dispatch @linear(%x, %wa, %y) : !exec.buffer<tensor<1x64xf32>>, !exec.buffer<tensor<16x64xbf16>>, !exec.buffer<tensor<1x16xf32>>
  exec.dispatch @linear(%x, %wb, %y) : !exec.buffer<tensor<1x64xf32>>, !exec.buffer<tensor<16x64xbf16>>, !exec.buffer<tensor<1x16xf32>>
  exec.dispatch @other(%x, %wb, %y) : !exec.buffer<tensor<1x64xf32>>, !exec.buffer<tensor<16x64xbf16>>, !exec.buffer<tensor<1x16xf32>>
}

// -----

// Quantised weights: what is multiplied with int8 activations, and an embedding
// with it; not what a linear kernel converts.

qwen.weight @embed : tensor<16x64xbf16> from "a" at 0 as !qwen.encoded<"int8">
qwen.weight @plain : tensor<16x64xbf16> from "a" at 0 as !qwen.encoded<"int8">
// CHECK: exec.weight @embed.plain plain [@embed] panels 8 : tensor<16x64x!qwen.encoded<"int8">>
// CHECK: exec.weight @plain.plain plain [@plain] : tensor<16x64x!qwen.encoded<"int8">>
// CHECK: exec.kernel @embedding {{.*}} config {count = "tokens", weight_panels = 8 : i64}
// CHECK: exec.kernel @integer_linear {{.*}} config {weight_panels = 8 : i64}
// CHECK: exec.kernel @linear {{.*}} config {}
exec.weight @embed.plain plain [@embed] : tensor<16x64x!qwen.encoded<"int8">>
exec.weight @plain.plain plain [@plain] : tensor<16x64x!qwen.encoded<"int8">>
exec.kernel @embedding family "embedding" arguments [#exec.argument<read, tensor<1xi32>>, #exec.argument<read, tensor<16x64x!qwen.encoded<"int8">>>, #exec.argument<write, tensor<1x64xf32>>] config {count = "tokens"}
exec.kernel @integer_linear family "integer_linear" arguments [#exec.argument<read, tensor<1x16xi32>>, #exec.argument<read, tensor<1x2x2xf32>>, #exec.argument<read, tensor<16x64x!qwen.encoded<"int8">>>, #exec.argument<write, tensor<1x16xf32>>] config {}
exec.kernel @linear family "linear" arguments [#exec.argument<read, tensor<1x64xf32>>, #exec.argument<read, tensor<16x64x!qwen.encoded<"int8">>>, #exec.argument<write, tensor<1x16xf32>>] config {}
exec.program @decode kind decode tokens 1 rows 1 {
  %ids = exec.step token_ids : !exec.buffer<tensor<1xi32>>
  %embed = exec.weight_ref @embed.plain : !exec.buffer<tensor<16x64x!qwen.encoded<"int8">>>
  %plain = exec.weight_ref @plain.plain : !exec.buffer<tensor<16x64x!qwen.encoded<"int8">>>
  %x = exec.alloc : !exec.buffer<tensor<1x64xf32>>
  %codes = exec.alloc : !exec.buffer<tensor<1x16xi32>>
  %factors = exec.alloc : !exec.buffer<tensor<1x2x2xf32>>
  %y = exec.alloc : !exec.buffer<tensor<1x16xf32>>
  exec.dispatch @embedding(%ids, %embed, %x) : !exec.buffer<tensor<1xi32>>, !exec.buffer<tensor<16x64x!qwen.encoded<"int8">>>, !exec.buffer<tensor<1x64xf32>>
  exec.dispatch @integer_linear(%codes, %factors, %embed, %y) : !exec.buffer<tensor<1x16xi32>>, !exec.buffer<tensor<1x2x2xf32>>, !exec.buffer<tensor<16x64x!qwen.encoded<"int8">>>, !exec.buffer<tensor<1x16xf32>>
  exec.dispatch @linear(%x, %plain, %y) : !exec.buffer<tensor<1x64xf32>>, !exec.buffer<tensor<16x64x!qwen.encoded<"int8">>>, !exec.buffer<tensor<1x16xf32>>
}
