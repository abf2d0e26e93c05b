//===- CompilerTest.cpp - PTX by nvcc -------------------------------------===//

#include "test/cuda/DriverTest.h"

#include <bit>
#include <cmath>
#include <fstream>
#include <sstream>

using namespace quern::test;

static std::string readCorpus(const std::string &name) {
  std::ifstream file(QUERN_SOURCE_DIR "/test/cuda/corpus/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_F(CudaDriver, RunsSoftmaxByNvcc) {
  constexpr uint32_t rows = 2, columns = 1024;
  Words in;
  for (uint32_t i = 0; i != rows * columns; ++i)
    in.push_back(std::bit_cast<uint32_t>(
        static_cast<float>(i * 2654435761U >> 20) / 512 - 4));
  void *function = getFunction(load(readCorpus("reduce.ptx")), "softmax");
  CuPointer input = upload(in), output = allocate(in.size() * 4);
  for (const char *seed : {"0", "1", "2"}) {
    ASSERT_TRUE(quernTestCudaSetOption("SHUFFLE", seed));
    ASSERT_CU(launch(function, input, output, {{rows, 1, 1}, {256, 1, 1}, 0}))
        << quernTestCudaGetError();
    Words out = download(output, in.size());
    for (uint32_t row = 0; row != rows; ++row) {
      double sum = 0;
      for (uint32_t i = 0; i != columns; ++i)
        sum += std::exp(double(std::bit_cast<float>(in[row * columns + i])));
      for (uint32_t i = row * columns; i != (row + 1) * columns; ++i)
        ASSERT_NEAR(std::bit_cast<float>(out[i]),
                    std::exp(double(std::bit_cast<float>(in[i]))) / sum, 1e-8);
    }
  }
}

TEST_F(CudaDriver, RunsMatricesByNvcc) {
  // Whole numbers -3 ... 3 in bf16; sums are exact.
  const uint32_t magnitudes[] = {0, 0x3f80, 0x4000, 0x4040};
  auto number = [](int row, int k) { return (row * 5 + k * 3) % 7 - 3; };
  auto pack = [&](int rows, int shift) {
    Words words;
    for (int row = 0; row != rows; ++row)
      for (int k = 0; k != 64; k += 2) {
        uint32_t word = 0;
        for (int e = 0; e != 2; ++e) {
          int value = number(row + shift, k + e);
          word |= (magnitudes[std::abs(value)] | (value < 0 ? 0x8000 : 0))
                  << 16 * e;
        }
        words.push_back(word);
      }
    return words;
  };
  void *function = getFunction(load(readCorpus("matrix.ptx")), "matrix");
  CuPointer a = upload(pack(16, 0)), b = upload(pack(8, 2)), c = allocate(512);
  void *parameters[] = {&a, &b, &c};
  ASSERT_CU(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, nullptr, parameters,
                           nullptr));
  ASSERT_CU(cuStreamSynchronize(nullptr)) << quernTestCudaGetError();
  Words out = download(c, 128);
  for (int row = 0; row != 16; ++row)
    for (int column = 0; column != 8; ++column) {
      int sum = 0;
      for (int k = 0; k != 64; ++k)
        sum += number(row, k) * number(column + 2, k);
      EXPECT_EQ(std::bit_cast<float>(out[row * 8 + column]), float(sum))
          << row << " " << column;
    }
}
