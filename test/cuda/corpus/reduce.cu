// Softmax of rows of 1024 floats, a block of 256 threads each.
// nvcc -ptx -arch=sm_80 --use_fast_math reduce.cu -o reduce.ptx
extern "C" __global__ void softmax(const float *__restrict__ in, float *out) {
  __shared__ float partial[8];
  const float *row = in + blockIdx.x * 1024;
  unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float values[4], largest = -1e30f;
  for (int i = 0; i != 4; ++i)
    largest = fmaxf(largest, values[i] = row[threadIdx.x + 256 * i]);
  for (int step = 16; step != 0; step /= 2)
    largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, step));
  if (lane == 0)
    partial[warp] = largest;
  __syncthreads();
  for (int i = 0; i != 8; ++i)
    largest = fmaxf(largest, partial[i]);
  __syncthreads();
  float sum = 0;
  for (int i = 0; i != 4; ++i)
    sum += values[i] = __expf(values[i] - largest);
  for (int step = 16; step != 0; step /= 2)
    sum += __shfl_xor_sync(~0u, sum, step);
  if (lane == 0)
    partial[warp] = sum;
  __syncthreads();
  sum = 0;
  for (int i = 0; i != 8; ++i)
    sum += partial[i];
  for (int i = 0; i != 4; ++i)
    out[blockIdx.x * 1024 + threadIdx.x + 256 * i] = values[i] / sum;
}
