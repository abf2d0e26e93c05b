// RUN: quern-opt %s --split-input-file --verify-diagnostics

func.func @element(%a: memref<?xf16>, %i: index) {
  // expected-error @+1 {{'buffer' must be 1D memref of i32, f32, vector<4xi32> or vector<4xf32> values}}
  %x = kernel.read %a[%i] : memref<?xf16>
  return
}

// -----

func.func @rank(%a: memref<4x4xf32>, %i: index) {
  // expected-error @+1 {{'buffer' must be 1D memref of i32, f32, vector<4xi32> or vector<4xf32> values}}
  %x = kernel.read %a[%i] : memref<4x4xf32>
  return
}

// -----

func.func @binding(%i: index) {
  // expected-error @+1 {{attribute 'binding' failed to satisfy constraint}}
  %x = kernel.texel_fetch binding -1 [%i] : f32
  return
}

// -----

func.func @wide(%i: index) {
  // expected-error @+1 {{result #0 must be}}
  %x = kernel.texel_fetch binding 0 [%i] : vector<2xf32>
  return
}

// -----

// expected-error @+1 {{argument 0 has an unexpected attribute "kernel.binding" = -1 : i32}}
func.func @argument(%a: memref<?xf32> {kernel.binding = -1 : i32}) {
  return
}

// -----

// expected-error @+1 {{has an unexpected attribute "kernel.accesses" = 3}}
func.func @accesses() attributes {kernel.accesses = 3 : i64} {
  return
}

// -----

func.func @words(%a: i64) {
  // expected-error @+1 {{expected words of 32 bits, found 'i64'}}
  %x = kernel.byte_dot %a, %a, %a : i64
  return
}

// -----

func.func @copy(%a: memref<?xvector<4xi32>>, %i: index) {
  // expected-error @+1 {{expected workgroup memory, found 'memref<?xvector<4xi32>>'}}
  kernel.async_copy %a[%i] to %a[%i] : memref<?xvector<4xi32>> to memref<?xvector<4xi32>>
  return
}

// -----

func.func @copied(%a: memref<?xf32>, %b: memref<4xvector<4xi32>, #spirv.storage_class<Workgroup>>, %i: index) {
  // expected-error @+1 {{operand #0 must be 1D memref of vector of 32-bit signless integer values of length 4}}
  kernel.async_copy %a[%i] to %b[%i] : memref<?xf32> to memref<4xvector<4xi32>, #spirv.storage_class<Workgroup>>
  return
}

// -----

func.func @load(%a: memref<8xvector<4xi32>, #spirv.storage_class<StorageBuffer>>, %i: index) {
  // expected-error @+1 {{expected workgroup memory, found}}
  %x = kernel.load_matrix %a[%i] : memref<8xvector<4xi32>, #spirv.storage_class<StorageBuffer>>
  return
}

// -----

func.func @element(%a: vector<4xi32>, %b: vector<2xi32>, %sums: vector<4xf32>) {
  // expected-error @+1 {{attribute 'element' failed to satisfy constraint: the type f16 or bf16}}
  %x = kernel.mma f32 %a, %b, %sums
  return
}

// -----

func.func @wait() {
  // expected-error @+1 {{attribute 'pending' failed to satisfy constraint}}
  kernel.async_wait -1
  return
}

// -----

func.func @tile_words(%x: memref<?xi32>, %i: index) {
  // expected-error @+1 {{expected a power of two up to 16 or a multiple of it as words, found 24}}
  %a:16 = kernel.tile_products i8 %x[%i] stride 24, %x[%i] words 24 : memref<?xi32>, memref<?xi32>
  return
}

// -----

func.func @no_tile(%x: memref<?xi32>, %i: index) {
  // expected-error @+1 {{expected a tile and a panel at least}}
  kernel.tile_products i8 %x[] stride 16, %x[%i] words 16 : memref<?xi32>, memref<?xi32>
  return
}

// -----

func.func @tile_element(%x: memref<?xi32>, %i: index) {
  // expected-error @+1 {{attribute 'element' failed to satisfy constraint: the type i8 or bf16}}
  %a:16 = kernel.tile_products f16 %x[%i] stride 16, %x[%i] words 16 : memref<?xi32>, memref<?xi32>
  return
}

// -----

func.func @tile_parts(%x: memref<?xi32>, %i: index) {
  // expected-error @+1 {{expected a distance of parts if there are several}}
  %a:16 = "kernel.tile_products"(%x, %i, %x, %i) <{element = i8, row_stride = 16, parts = 2,
      words = 16, operandSegmentSizes = array<i32: 1, 1, 1, 1>}>
      : (memref<?xi32>, index, memref<?xi32>, index)
      -> (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32)
  return
}
