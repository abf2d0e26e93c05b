// RUN: quern-opt %s --split-input-file --verify-diagnostics --kernel-vectorize-subgroups=lanes=8

gpu.module @m {
  // expected-error @below {{argument 0 has no kernel.binding}}
  gpu.func @no_binding(%x: memref<?xf32>) kernel {
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @not_elementwise() kernel {
    // expected-error @below {{can't be vectorised}}
    %m = memref.alloca() : memref<8xf32>
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @different_steps() kernel {
    %lane = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c9 = arith.constant 9 : index
    // expected-error @below {{lanes have different steps; write it as scf.while}}
    scf.for %i = %c0 to %c9 step %lane {
    }
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @far_lane(
      %x: memref<?xf32> {kernel.binding = 0 : i32, kernel.bytes = 32 : i64}) kernel {
    %lane = gpu.thread_id x
    %c8 = arith.constant 8 : i32
    %a = kernel.read %x[%lane] : memref<?xf32>
    // expected-error @below {{the distance is no constant below 8}}
    %s, %v = gpu.shuffle xor %a, %c8, %c8 : f32
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @tile_lanes(
      %x: memref<?xi32> {kernel.binding = 0 : i32, kernel.bytes = 4096 : i64}) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @below {{tiles have panels of 16 rows, and a subgroup has 8 lanes}}
    %sums:16 = kernel.tile_products i8 %x[%c0] stride 8, %x[%c0] words 8
        : memref<?xi32>, memref<?xi32>
    gpu.return
  }
}
