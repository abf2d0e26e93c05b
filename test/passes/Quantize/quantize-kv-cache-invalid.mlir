// RUN: quern-opt %s --qwen-quantize-kv-cache --verify-diagnostics

// expected-error @below {{heads of 24 elements can't be int8 codes, which takes a multiple of 16}}
qwen.state @k_cache key_cache : tensor<8x2x16x24xbf16>
