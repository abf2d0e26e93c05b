// The kernels of TestKernels.cpp as native code; each becomes an image with
// that function as its entry.
#include <stdint.h>

#define KERNEL(name)                                                           \
  void name(void *const *arguments, const uint32_t *grid, uint64_t begin,      \
            uint64_t end)

KERNEL(copy_words) {
  const uint32_t *in = arguments[0];
  uint32_t *out = arguments[1];
  for (uint64_t i = begin * 64; i != end * 64; ++i)
    out[i] = in[i];
}

KERNEL(neighbor_sum) {
  const uint32_t *in = arguments[0];
  uint32_t *out = arguments[1];
  uint64_t count = (uint64_t)grid[0] * 64;
  for (uint64_t i = begin * 64; i != end * 64; ++i)
    out[i] = in[i] + in[(i + 97) % count];
}

KERNEL(grid_marks) {
  uint32_t *out = arguments[0];
  for (uint64_t i = begin; i != end; ++i) {
    uint32_t x = (uint32_t)(i % grid[0]), y = (uint32_t)(i / grid[0] % grid[1]),
             z = (uint32_t)(i / grid[0] / grid[1]);
    out[i] = (x | y << 8 | z << 16) + 1;
  }
}

KERNEL(texel_views) {
  const uint32_t *u4 = arguments[0], *u1 = arguments[2];
  const float *f4 = arguments[1], *f1 = arguments[3];
  uint32_t *out = arguments[4];
  for (uint64_t i = begin * 32; i != end * 32; ++i)
    out[i] = u4[i] + (uint32_t)f4[i] + u1[i] + (uint32_t)f1[i];
}

// Code is compiled for a number of lanes; this one says 8.
KERNEL(subgroup_count) {
  uint32_t *out = arguments[0];
  for (uint64_t i = begin * 64; i != end * 64; ++i)
    out[i] = 8;
}
