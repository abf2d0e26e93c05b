// RUN: quern-opt %s --qwen-lower-to-exec | FileCheck %s

// What a draft program takes and gives under one role is one buffer; behind the
// selection kernels count rows.

qwen.weight @embed : tensor<40x16xbf16> from "a" at 0
qwen.weight @norm : tensor<16xbf16> from "a" at 0

// CHECK: exec.kernel @rms_norm_t4_16 family "rms_norm" {{.*}} config {count = "tokens"
// CHECK: exec.kernel @select_rows_r1_16
// CHECK: exec.kernel @rms_norm_r1_16 family "rms_norm" {{.*}} config {count = "rows"
// CHECK: exec.kernel @linear_r1_16x40 family "linear" {{.*}} config {count = "rows"
// CHECK: exec.kernel @rms_norm_t1_16 family "rms_norm" {{.*}} config {count = "tokens"

// CHECK-LABEL: exec.program @draft_verify kind draft_verify tokens 4 rows 1 {
func.func @draft_verify(%rows: tensor<1xi32> {qwen.role = "rows"}, %hidden: tensor<4x16xf32> {qwen.role = "hidden"})
    -> (tensor<1x40xf32> {qwen.role = "logits"}, tensor<1x16xf32> {qwen.role = "draft_hidden"})
    attributes {exec.program_kind = #exec<program_kind draft_verify>, exec.tokens = 4 : i64, exec.rows = 1 : i64} {
  // CHECK-DAG: %[[HIDDEN:.*]] = exec.alloc persistent hidden : !exec.buffer<tensor<4x16xf32>>
  // CHECK-DAG: %[[DRAFT:.*]] = exec.alloc persistent draft_hidden : !exec.buffer<tensor<1x16xf32>>
  // CHECK: exec.dispatch @rms_norm_t4_16(%[[HIDDEN]],
  %h = qwen.rms_norm %hidden, @norm {epsilon = 1.0e-6} : tensor<4x16xf32> -> tensor<4x16xf32>
  // CHECK: exec.dispatch @select_rows_r1_16(%{{.*}}, %rows, %[[DRAFT]])
  %r = qwen.select_rows %h, %rows : tensor<4x16xf32>, tensor<1xi32> -> tensor<1x16xf32>
  // CHECK: exec.dispatch @rms_norm_r1_16(%[[DRAFT]],
  %n = qwen.rms_norm %r, @norm {epsilon = 1.0e-6} : tensor<1x16xf32> -> tensor<1x16xf32>
  %logits = qwen.linear %n, [@embed] : tensor<1x16xf32> -> tensor<1x40xf32>
  return %logits, %r : tensor<1x40xf32>, tensor<1x16xf32>
}

// CHECK-LABEL: exec.program @draft_decode kind draft_decode tokens 1 rows 1 {
func.func @draft_decode(%ids: tensor<1xi32> {qwen.role = "token_ids"}, %hidden: tensor<1x16xf32> {qwen.role = "draft_hidden"})
    -> (tensor<1x16xf32> {qwen.role = "draft_hidden"})
    attributes {exec.program_kind = #exec<program_kind draft_decode>, exec.tokens = 1 : i64, exec.rows = 1 : i64} {
  // CHECK: %[[DRAFT:.*]] = exec.alloc persistent draft_hidden : !exec.buffer<tensor<1x16xf32>>
  // CHECK-NOT: persistent draft_hidden
  // CHECK: exec.dispatch @rms_norm_t1_16(%[[DRAFT]], %norm.plain, %[[H:.*]])
  %h = qwen.rms_norm %hidden, @norm {epsilon = 1.0e-6} : tensor<1x16xf32> -> tensor<1x16xf32>
  %e = qwen.embedding %ids, @embed : tensor<1xi32> -> tensor<1x16xf32>
  // CHECK: exec.dispatch @residual_add_t1_16(%{{.*}}, %[[H]], %[[DRAFT]])
  %s = qwen.residual_add %e, %h : tensor<1x16xf32>, tensor<1x16xf32>
  return %s : tensor<1x16xf32>
}
