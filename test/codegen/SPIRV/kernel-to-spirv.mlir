// RUN: quern-opt %s --split-input-file --verify-diagnostics --convert-kernel-to-spirv | FileCheck %s

module attributes {spirv.target_env = #spirv.target_env<#spirv.vce<v1.3, [Shader, SampledBuffer], [SPV_KHR_storage_buffer_storage_class]>, #spirv.resource_limits<>>} {
  // CHECK-LABEL: spirv.module @{{.*}} Logical GLSL450
  // One variable per texel buffer, whatever the number of reads.
  // CHECK-COUNT-1: spirv.GlobalVariable @texel_buffer_3 bind(0, 3) : !spirv.ptr<!spirv.image<i32, Buffer
  // CHECK-NOT: GlobalVariable @texel
  // CHECK: spirv.func @f
  gpu.module @m {
    gpu.func @f(%y: memref<?xvector<4xi32>, #spirv.storage_class<StorageBuffer>> {spirv.interface_var_abi = #spirv.interface_var_abi<(0, 0)>}) kernel attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [8, 1, 1]>} {
      %i = arith.constant 5 : index
      // CHECK: spirv.ImageFetch
      %a = kernel.texel_fetch binding 3 [%i] : vector<4xi32>
      // CHECK: spirv.ImageFetch
      // CHECK: spirv.CompositeExtract %{{.*}}[0 : i32] : vector<4xi32>
      %b = kernel.texel_fetch binding 3 [%i] : i32
      // CHECK: spirv.GL.UnpackHalf2x16
      %pair = kernel.unpack_half %b : i32 -> vector<2xf32>
      // CHECK: spirv.GL.PackHalf2x16
      %word = kernel.pack_half %pair : vector<2xf32> -> i32
      %v = vector.insert %word, %a [0] : i32 into vector<4xi32>
      memref.store %v, %y[%i] : memref<?xvector<4xi32>, #spirv.storage_class<StorageBuffer>>
      gpu.return
    }
  }
}

// -----

// expected-error @+1 {{needs spirv.target_env on it or an op around it}}
gpu.module @no_environment {
}

// -----

module attributes {spirv.target_env = #spirv.target_env<#spirv.vce<v1.3, [Shader], [SPV_KHR_storage_buffer_storage_class]>, #spirv.resource_limits<>>} {
  gpu.module @loop {
    gpu.func @f(%n: memref<?xi32, #spirv.storage_class<StorageBuffer>>) kernel attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [8, 1, 1]>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %z = arith.constant 3 : i32
      %count = memref.load %n[%c0] : memref<?xi32, #spirv.storage_class<StorageBuffer>>
      %end = arith.index_cast %count : i32 to index
      // expected-error @+1 {{has results and may not run; convert it with --scf-for-to-while}}
      %r = scf.for %i = %c0 to %end step %c1 iter_args(%x = %z) -> i32 {
        %y = arith.addi %x, %z : i32
        scf.yield %y : i32
      }
      memref.store %r, %n[%c0] : memref<?xi32, #spirv.storage_class<StorageBuffer>>
      gpu.return
    }
  }
}

// -----

// A type that the target lacks is an error, not an emulation.
module attributes {spirv.target_env = #spirv.target_env<#spirv.vce<v1.3, [Shader], [SPV_KHR_storage_buffer_storage_class]>, #spirv.resource_limits<>>} {
  gpu.module @half {
    // expected-error @+1 {{failed to legalize operation 'gpu.func'}}
    gpu.func @f(%n: memref<?xf16, #spirv.storage_class<StorageBuffer>>) kernel attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [8, 1, 1]>} {
      gpu.return
    }
  }
}
