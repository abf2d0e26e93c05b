// C[16, 8] = A[16, 64] B[8, 64]^T in bf16 by one warp, two stages.
// nvcc -ptx -arch=sm_80 matrix.cu -o matrix.ptx
using Word = unsigned;

__device__ static void copy(Word to, const void *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
               "l"(from));
}

__device__ static void fetch(Word tile, const char *a, const char *b, int k) {
  // 24 rows of 32 bytes: A, then B.
  for (int chunk = threadIdx.x; chunk < 48; chunk += 32) {
    int row = chunk / 2, half = chunk % 2 * 16;
    const char *from = row < 16 ? a + row * 128 : b + (row - 16) * 128;
    copy(tile + row * 32 + half, from + k * 32 + half);
  }
  asm volatile("cp.async.commit_group;");
}

extern "C" __global__ void matrix(const char *__restrict__ a,
                                  const char *__restrict__ b, float *c) {
  __shared__ __align__(128) char tiles[2][768];
  Word base = __cvta_generic_to_shared(tiles), lane = threadIdx.x;
  float d[4] = {};
  fetch(base, a, b, 0);
#pragma unroll 1
  for (int k = 0; k != 4; ++k) {
    if (k != 3)
      fetch(base + (k + 1) % 2 * 768, a, b, k + 1);
    else
      asm volatile("cp.async.commit_group;");
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    Word tile = base + k % 2 * 768, x[4], y[2];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, "
                 "[%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(tile + lane % 16 * 32 + lane / 16 * 16));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(y[0]), "=r"(y[1])
                 : "r"(tile + 512 + lane % 8 * 32 + lane / 8 % 2 * 16));
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]),
                   "r"(y[1]));
    __syncthreads();
  }
  for (int i = 0; i != 4; ++i)
    c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}
