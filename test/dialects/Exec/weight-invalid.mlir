// RUN: quern-opt %s --split-input-file --verify-diagnostics

qwen.weight @a : tensor<4x8xf32> from "f" at 0
qwen.weight @b : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{plain packing takes one source, found 2}}
exec.weight @w plain [@a, @b] : tensor<8x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{concatenate takes at least two sources, found 1}}
exec.weight @w concatenate [@a] : tensor<4x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{interleave of one source takes matrices of an even number of rows}}
exec.weight @w interleave [@a] : tensor<4x8xf32>

// -----

qwen.weight @a : tensor<2x3x8xf32> from "f" at 0
// expected-error @+1 {{interleave of one source takes matrices of an even number of rows, found 'tensor<2x3x8xf32>'}}
exec.weight @w interleave [@a] : tensor<2x3x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{interleave takes pairs of sources, found 3}}
exec.weight @w interleave [@a, @a, @a] : tensor<12x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-note @+1 {{the source has type 'tensor<6x8xf32>'}}
qwen.weight @b : tensor<6x8xf32> from "f" at 0
// expected-error @+1 {{interleave takes sources of one shape}}
exec.weight @w interleave [@a, @b] : tensor<10x8xf32>

// -----

// expected-error @+1 {{refers to @a, which does not exist}}
exec.weight @w plain [@a] : tensor<4x8xf32>

// -----

// expected-note @+1 {{defined here}}
exec.constant @a dense<0.0> : tensor<4x8xf32>
// expected-error @+1 {{expected @a to be a qwen.weight, found a exec.constant}}
exec.weight @w plain [@a] : tensor<4x8xf32>

// -----

// expected-note @+1 {{the source has type 'tensor<4x8xbf16>'}}
qwen.weight @a : tensor<4x8xbf16> from "f" at 0
// expected-error @+1 {{of type 'tensor<4x8xf32>' can't hold rows of @a}}
exec.weight @w plain [@a] : tensor<4x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{has 5 rows, but its sources have 4}}
exec.weight @w plain [@a] : tensor<5x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{expected a static shape, found 'tensor<?x8xf32>'}}
exec.weight @w plain [@a] : tensor<?x8xf32>

// -----

// expected-error @+1 {{expected elements of whole bytes, found 'tensor<4xi1>'}}
exec.constant @c dense<true> : tensor<4xi1>

// -----

// expected-error @+1 {{expected a ranked tensor, found 'vector<4xf32>'}}
exec.constant @c dense<0.0> : vector<4xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{interleave takes no parts}}
exec.weight @w interleave [@a, @a] parts [array<i64: 2>, array<i64>] : tensor<8x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{has 2 lists of parts for 1 sources}}
exec.weight @w plain [@a] parts [array<i64: 2>, array<i64>] : tensor<4x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{has a part of 5 rows in a source of 4}}
exec.weight @w plain [@a] parts [array<i64: 5>] : tensor<4x8xf32>

// -----

qwen.weight @a : tensor<4x8xf32> from "f" at 0
// expected-error @+1 {{has groups of 3 rows in a source of 4}}
exec.weight @w plain [@a] parts [array<i64: 1, 2>] : tensor<4x8xf32>

// -----

qwen.weight @a : tensor<12x8xf32> from "f" at 0
// expected-error @+1 {{panels of 8 rows take matrices of a multiple of them and of whole 32-bit words, found 'tensor<12x8xf32>'}}
exec.weight @w plain [@a] panels 8 : tensor<12x8xf32>

// -----

qwen.weight @a : tensor<8x3xf16> from "f" at 0
// expected-error @+1 {{panels of 4 rows take matrices of a multiple of them and of whole 32-bit words, found 'tensor<8x3xf16>'}}
exec.weight @w plain [@a] panels 4 : tensor<8x3xf16>

// -----

// expected-note @+1 {{the source has type 'tensor<4x64xbf16>', stored as '!qwen.encoded<"q4">'}}
qwen.weight @a : tensor<4x64xbf16> from "f" at 0 as !qwen.encoded<"q4">
// expected-error @+1 {{can't hold rows of @a}}
exec.weight @w plain [@a] : tensor<4x64x!qwen.encoded<"int8">>

// -----

// expected-error @+1 {{expected rows of a multiple of 32 elements, found 'tensor<2x16x!qwen.encoded<"q4">>'}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<2x16x!qwen.encoded<"q4">>>] config {}

// -----

qwen.weight @a : tensor<10x32xf16> from "f" at 0 as !qwen.encoded<"q4">
// expected-error @+1 {{panels of 4 rows take matrices of a multiple of them and of whole 32-bit words, found 'tensor<10x32x!qwen.encoded<"q4">>'}}
exec.weight @w plain [@a] panels 4 : tensor<10x32x!qwen.encoded<"q4">>

// -----

// All rows make panels, those of a matrix do not.
qwen.weight @a : tensor<2x12x8xf32> from "f" at 0
// expected-error @+1 {{panels of 8 rows take matrices of a multiple of them and of whole 32-bit words, found 'tensor<2x12x8xf32>'}}
exec.weight @w plain [@a] panels 8 : tensor<2x12x8xf32>
