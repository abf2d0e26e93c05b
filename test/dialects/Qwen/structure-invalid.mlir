// RUN: quern-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{attribute 'offset' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
qwen.weight @w : tensor<4xf32> from "a" at -1

// -----

// expected-error @below {{'qwen.weight' op file is empty}}
qwen.weight @w : tensor<4xf32> from "" at 0

// -----

// expected-error @below {{'qwen.weight' op has no elements: 'tensor<0x4xf32>'}}
qwen.weight @w : tensor<0x4xf32> from "a" at 0

// -----

// expected-error @below {{'qwen.weight' op is a scalar, expected a rank of at least 1}}
qwen.weight @w : tensor<f32> from "a" at 0

// -----

// expected-error @below {{'qwen.weight' op is transposed, which takes a stack of matrices, found 'tensor<4x2xf32>'}}
qwen.weight @w : tensor<4x2xf32> from "a" at 0 transposed

// -----

// expected-error @below {{attribute 'type' failed to satisfy constraint: type attribute of static ranked tensor of 32-bit float or 16-bit float or bfloat16 values}}
qwen.weight @w : tensor<4xi32> from "a" at 0

// -----

// expected-error @below {{attribute 'type' failed to satisfy constraint: type attribute of static ranked tensor}}
qwen.weight @w : tensor<?x4xf32> from "a" at 0

// -----

// expected-error @below {{'qwen.state' op of kind key_cache has rank 3, expected 4: pages x heads x page_size x head_dim}}
qwen.state @k key_cache : tensor<4x4x4xf32>

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.split_heads' op has 2 heads of 3, which are not 8 features}}
  qwen.split_heads %x : tensor<?x8xf32> -> tensor<?x2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.split_heads' op changes the element type}}
  qwen.split_heads %x : tensor<?x8xf32> -> tensor<?x2x4xf16>
  return
}

// -----

func.func @f(%x: tensor<?x2x4xf32>) {
  // expected-error @below {{'qwen.merge_heads' op has 2 heads of 4, which are not 9 features}}
  qwen.merge_heads %x : tensor<?x2x4xf32> -> tensor<?x9xf32>
  return
}

// -----

// The rule of TokenDimOpInterface, for a result and for an operand.
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.split_heads' op result #0 has first dimension 4, expected ?}}
  qwen.split_heads %x : tensor<?x8xf32> -> tensor<4x2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %y: tensor<5x8xf32>) {
  // expected-error @below {{'qwen.residual_add' op operand #1 has first dimension 5, expected 4}}
  qwen.residual_add %x, %y : tensor<4x8xf32>, tensor<5x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x?xf32>) {
  // expected-error @below {{operand #0 must be 2D tensor of 32-bit float or 16-bit float or bfloat16 type values, tokens x features with static features}}
  qwen.split_heads %x : tensor<4x?xf32> -> tensor<4x2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.slice_features' op takes 4 features from offset 5 of 8}}
  qwen.slice_features %x offset 5 : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.slice_features' op takes 4 features from offset 9223372036854775807 of 8}}
  qwen.slice_features %x offset 9223372036854775807 : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{'qwen.slice_features' op changes the element type}}
  qwen.slice_features %x offset 0 : tensor<?x8xf32> -> tensor<?x4xbf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %rows: tensor<2xi32>) {
  // expected-error @below {{'qwen.select_rows' op result 'tensor<2x4xf32>' has other features than 'tensor<?x8xf32>'}}
  qwen.select_rows %x, %rows : tensor<?x8xf32>, tensor<2xi32> -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<8x8xf32>, %rows: tensor<2xi32>) {
  // expected-error @below {{'qwen.select_rows' op result #0 has first dimension 8, expected 2}}
  qwen.select_rows %x, %rows : tensor<8x8xf32>, tensor<2xi32> -> tensor<8x8xf32>
  return
}

// -----

// expected-error @below {{'qwen.state' op of kind recurrent has rank 3, expected 4: slots x heads x key_head_dim x value_head_dim}}
qwen.state @s recurrent : tensor<2x4x4xf32>

// -----

// expected-error @below {{'qwen.state' op of kind convolution has rank 4, expected 3: slots x ring x channels}}
qwen.state @s convolution : tensor<2x16x4x4xf32>

// -----

// expected-error @below {{'qwen.state' op of kind delta_updates has rank 3, expected 4: slots x ring x heads x head_dim}}
qwen.state @s delta_updates : tensor<2x32x4xf32>

// -----

// expected-error @below {{'qwen.state' op of kind delta_decays has rank 4, expected 3: slots x ring x heads}}
qwen.state @s delta_decays : tensor<2x32x4x4xf32>

// -----

// expected-error @below {{'qwen.state' op of kind recurrent has elements of 'bf16', expected f32}}
qwen.state @s recurrent : tensor<2x4x4x4xbf16>

// -----

// expected-error @below {{'qwen.state' op of kind delta_keys has elements of 'f16', expected f32}}
qwen.state @s delta_keys : tensor<2x32x4x4xf16>

// -----

func.func @f(%a: tensor<?x4xf32>, %b: tensor<?x4xbf16>) {
  // expected-error @below {{'qwen.concat_features' op changes the element type}}
  qwen.concat_features %a, %b : tensor<?x4xf32>, tensor<?x4xbf16> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%a: tensor<?x4xf32>, %b: tensor<?x3xf32>) {
  // expected-error @below {{'qwen.concat_features' op result has 8 features, expected 7}}
  qwen.concat_features %a, %b : tensor<?x4xf32>, tensor<?x3xf32> -> tensor<?x8xf32>
  return
}

// -----

// expected-error @below {{is stored as 'i8', expected f32, f16, bf16 or !qwen.encoded}}
qwen.weight @w : tensor<4x32xf32> from "a" at 0 as i8

// -----

// expected-error @below {{which takes matrices with rows of a multiple of 32 elements, found 'tensor<4x48xf32>'}}
qwen.weight @w : tensor<4x48xf32> from "a" at 0 as !qwen.encoded<"int8">

// -----

// expected-error @below {{which takes matrices with rows of a multiple of 32 elements, found 'tensor<64xf32>'}}
qwen.weight @w : tensor<64xf32> from "a" at 0 as !qwen.encoded<"int8">

// -----

// expected-error @below {{unknown encoding 'q5'}}
// expected-error @below {{failed to parse Qwen_EncodedType parameter 'encoding'}}
qwen.weight @w : tensor<4x64xf32> from "a" at 0 as !qwen.encoded<"q5">

// -----

// expected-error @below {{'qwen.state' op of kind convolution has int8 rows, which only caches have}}
qwen.state @s convolution : tensor<2x16x16x!qwen.int8_rows>

// -----

// expected-error @below {{'qwen.state' op has int8 rows of 24 elements, expected a multiple of 16}}
qwen.state @s key_cache : tensor<8x2x16x24x!qwen.int8_rows>

// -----

// expected-error @below {{'qwen.weight' op attribute 'type' failed to satisfy constraint}}
qwen.weight @w : tensor<4x64x!qwen.int8_rows> from "a" at 0

// -----

// expected-error @below {{is stored as '!qwen.int8_rows', expected f32, f16, bf16 or !qwen.encoded}}
qwen.weight @w : tensor<4x64xf32> from "a" at 0 as !qwen.int8_rows
