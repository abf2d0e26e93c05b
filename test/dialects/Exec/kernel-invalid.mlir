// RUN: quern-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{has an empty family}}
exec.kernel @k family "" arguments [#exec.argument<write, tensor<4xf32>>] config {}

// -----

// expected-error @+1 {{writes none of its arguments}}
exec.kernel @k family "f" arguments [#exec.argument<read, tensor<4xf32>>] config {}

// -----

// expected-error @+1 {{expected a static shape, found 'tensor<?xf32>'}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<?xf32>>] config {}

// -----

// expected-error @+1 {{expected dimensions of at least 1, found 'tensor<0xf32>'}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<0xf32>>] config {}

// -----

// expected-error @+1 {{buffer is too large: 'tensor<4294967296x4294967296xf32>'}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4294967296x4294967296xf32>>] config {}

// -----

// expected-error @+1 {{has 1 arguments, but its launch states 2 accesses}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [4, 1, 1], grid_count = none, grid_axis = 0, grid_tile = 1,
            grid_scale = 1, subgroup_size = 0, workgroup_memory = 0,
            accesses = [storage_buffer, storage_buffer]>

// -----

// expected-error @+1 {{argument 0 is written, but its access texel_float4 is read-only}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [4, 1, 1], grid_count = none, grid_axis = 0, grid_tile = 1,
            grid_scale = 1, subgroup_size = 0, workgroup_memory = 0,
            accesses = [texel_float4]>

// -----

exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
    // expected-error @+1 {{grid needs three dimensions of at least 1}}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [4, 0, 1], grid_count = none, grid_axis = 0, grid_tile = 1,
            grid_scale = 1, subgroup_size = 0, workgroup_memory = 0,
            accesses = [storage_buffer]>

// -----

exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
    // expected-error @+1 {{workgroup_size needs three dimensions of at least 1}}
    launch <entry_point = "main", workgroup_size = [64],
            grid = [4, 1, 1], grid_count = none, grid_axis = 0, grid_tile = 1,
            grid_scale = 1, subgroup_size = 0, workgroup_memory = 0,
            accesses = [storage_buffer]>

// -----

exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
    // expected-error @+1 {{grid[0] = 5 is not a multiple of grid_scale 2}}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [5, 1, 1], grid_count = tokens, grid_axis = 0, grid_tile = 1,
            grid_scale = 2, subgroup_size = 0, workgroup_memory = 0,
            accesses = [storage_buffer]>

// -----

exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
    // expected-error @+1 {{expected grid_axis 0, 1 or 2, found 3}}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [5, 1, 1], grid_count = tokens, grid_axis = 3, grid_tile = 1,
            grid_scale = 1, subgroup_size = 0, workgroup_memory = 0,
            accesses = [storage_buffer]>

// -----

exec.kernel @k family "f" arguments [#exec.argument<write, tensor<4xf32>>] config {}
    // expected-error @+1 {{expected grid_tile of 1 to 2^31 - 1, found 4294967296}}
    launch <entry_point = "main", workgroup_size = [64, 1, 1],
            grid = [5, 1, 1], grid_count = tokens, grid_axis = 0,
            grid_tile = 4294967296, grid_scale = 1, subgroup_size = 0,
            workgroup_memory = 0, accesses = [storage_buffer]>

// -----

// expected-error @below {{expected matrices with rows of a multiple of 16 elements, found 'tensor<2x4x24x!qwen.int8_rows>'}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<2x4x24x!qwen.int8_rows>>] config {}

// -----

// expected-error @below {{expected matrices with rows of a multiple of 16 elements, found 'tensor<16x!qwen.int8_rows>'}}
exec.kernel @k family "f" arguments [#exec.argument<write, tensor<16x!qwen.int8_rows>>] config {}
