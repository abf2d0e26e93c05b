// RUN: quern-opt %s --split-input-file --verify-diagnostics \
// RUN:   --pass-pipeline='builtin.module(gpu.module(gpu.func(kernel-select-buffer-access{read-access=texel max-storage-bytes=1024 max-texel-elements=1024})))' \
// RUN:   | FileCheck %s --check-prefix=TEXEL
// RUN: quern-opt %s --split-input-file --verify-diagnostics \
// RUN:   --pass-pipeline='builtin.module(gpu.module(gpu.func(kernel-select-buffer-access{read-access=storage max-storage-bytes=1024 max-texel-elements=1024})))' \
// RUN:   | FileCheck %s --check-prefix=STORAGE

gpu.module @m {
  // Written arguments and those with other uses stay storage buffers.
  // TEXEL-LABEL: gpu.func @preferred
  // TEXEL-SAME: (%[[OUT:.*]]: memref<?xf32> {spirv.interface_var_abi = #spirv.interface_var_abi<(0, 2)>}) kernel
  // TEXEL-SAME: kernel.accesses = ["texel_float1", "texel_uint4", "storage_buffer"]
  // TEXEL: kernel.texel_fetch binding 0[%{{.*}}] : f32
  // TEXEL: kernel.texel_fetch binding 1[%{{.*}}] : vector<4xi32>
  // STORAGE-LABEL: gpu.func @preferred
  // STORAGE-SAME: (0, 1)
  // STORAGE-SAME: (0, 0)
  // STORAGE-SAME: (0, 2)
  // STORAGE-SAME: kernel.accesses = ["storage_buffer", "storage_buffer", "storage_buffer"]
  // STORAGE-COUNT-2: memref.load
  gpu.func @preferred(
      %w: memref<?xvector<4xi32>> {kernel.binding = 1 : i32, kernel.bytes = 64 : i64},
      %x: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 64 : i64},
      %y: memref<?xf32> {kernel.binding = 2 : i32, kernel.bytes = 64 : i64}) kernel {
    %i = gpu.thread_id x
    %a = kernel.read %x[%i] : memref<?xf32>
    %b = kernel.read %w[%i] : memref<?xvector<4xi32>>
    memref.store %a, %y[%i] : memref<?xf32>
    gpu.return
  }

  // Too large for the preferred way: the other one.
  // STORAGE-LABEL: gpu.func @large_storage
  // STORAGE-SAME: kernel.accesses = ["texel_uint4"]
  gpu.func @large_storage(
      %w: memref<?xvector<4xi32>> {kernel.binding = 0 : i32, kernel.bytes = 8192 : i64}) kernel {
    %i = gpu.thread_id x
    %b = kernel.read %w[%i] : memref<?xvector<4xi32>>
    gpu.return
  }
}

// -----

gpu.module @too_large {
  // expected-error @+1 {{argument 0 of 65536 bytes exceeds the target's storage buffers (1024 bytes) and texel buffers (1024 texels of 16 bytes)}}
  gpu.func @f(%w: memref<?xvector<4xi32>> {kernel.binding = 0 : i32, kernel.bytes = 65536 : i64}) kernel {
    %i = gpu.thread_id x
    %b = kernel.read %w[%i] : memref<?xvector<4xi32>>
    gpu.return
  }
}

// -----

gpu.module @written {
  // expected-error @+1 {{argument 0 of 2048 bytes exceeds the target's storage buffers (1024 bytes)}}
  gpu.func @f(%y: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 2048 : i64}) kernel {
    %i = gpu.thread_id x
    %c = arith.constant 1.0 : f32
    memref.store %c, %y[%i] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @bindings {
  // expected-error @+1 {{argument 1 needs kernel.bytes and a kernel.binding of its own below the number of arguments}}
  gpu.func @f(%x: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 8 : i64},
              %y: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 8 : i64}) kernel {
    gpu.return
  }
}

// -----

gpu.module @missing {
  // expected-error @+1 {{argument 0 needs kernel.bytes and a kernel.binding of its own}}
  gpu.func @f(%x: memref<?xf32>) kernel {
    gpu.return
  }
}
