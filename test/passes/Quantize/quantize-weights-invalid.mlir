// RUN: quern-opt %s --qwen-quantize-weights=weights=q3 --verify-diagnostics

// expected-error @below {{weights can't be quantised as 'q3', expected keep, f32, bf16, f16, int8, q4, q4-asymmetric, q4-zero-point}}
module {
  qwen.weight @a : tensor<64x64xbf16> from "f" at 0
}
