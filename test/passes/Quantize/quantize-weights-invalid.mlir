// RUN: quern-opt %s --qwen-quantize-weights=weights=q3 --verify-diagnostics

// expected-error @below {{weights can't be quantised as 'q3', expected keep, bf16, f16, int8, q4, q4-asymmetric}}
module {
  qwen.weight @a : tensor<64x64xbf16> from "f" at 0
}
