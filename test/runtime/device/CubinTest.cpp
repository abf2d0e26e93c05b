//===- CubinTest.cpp - Code for one architecture --------------------------===//

#include "Conformance.h"
#include "TestKernels.h"

#include "runtime/device/DeviceRegistry.h"
#include "runtime/device/cuda/CubinHeader.h"
#include "test/cuda/driver/TestDriver.h"

#include <cstdlib>
#include <cstring>
#include <elf.h>

using namespace quern;
using namespace quern::test;

/// An image with what the runtime reads: .text and .nv.info of one entry point.
static std::string makeCubin(const std::string &entry,
                             uint16_t parameterBytes) {
  std::string info = {4, 0x0a, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 0x19};
  info.append(reinterpret_cast<const char *>(&parameterBytes), 2);
  std::vector<std::pair<std::string, std::string>> sections = {
      {"", ""}, {".nv.info." + entry, info}, {".text." + entry, "code"}};
  std::string names;
  std::vector<Elf64_Shdr> headers;
  std::string image(sizeof(Elf64_Ehdr), '\0');
  auto add = [&](const std::string &name, const std::string &bytes) {
    Elf64_Shdr header = {};
    header.sh_name = static_cast<Elf64_Word>(names.size());
    header.sh_offset = image.size();
    header.sh_size = bytes.size();
    names += name + '\0';
    image += bytes;
    headers.push_back(header);
  };
  for (auto &[name, bytes] : sections)
    add(name, bytes);
  names += std::string(".shstrtab") + '\0';
  std::string all = names;
  headers.push_back({});
  headers.back().sh_name = static_cast<Elf64_Word>(names.size() - 10);
  headers.back().sh_offset = image.size();
  headers.back().sh_size = all.size();
  image += all;
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_machine = 190;
  header.e_shoff = image.size();
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = static_cast<Elf64_Half>(headers.size());
  header.e_shstrndx = header.e_shnum - 1;
  std::memcpy(image.data(), &header, sizeof(header));
  image.append(reinterpret_cast<const char *>(headers.data()),
               headers.size() * sizeof(Elf64_Shdr));
  return image;
}

static Result<size_t> read(const std::string &image,
                           std::string_view entry = "k") {
  return cuda::readCubinParameterBytes(std::as_bytes(std::span(image)), entry);
}

TEST(CubinHeader, ReadsParameters) {
  std::string image = makeCubin("k", 40);
  EXPECT_TRUE(cuda::isCubin(std::as_bytes(std::span(image))));
  Result<size_t> bytes = read(image);
  ASSERT_TRUE(bytes.isOk()) << bytes.getStatus().getMessage();
  EXPECT_EQ(*bytes, 40u);
  EXPECT_EQ(*read(makeCubin("linear_rows", 8), "linear_rows"), 8u);
  for (const char *name : {"", "kk", "other"})
    EXPECT_CODE(read(image, name).getStatus(), StatusCode::Corrupt);
  std::string other = image;
  other[18] = 62; // x86-64
  EXPECT_CODE(read(other).getStatus(), StatusCode::Corrupt);
}

/// Whatever is cut or changed: an answer, and no access beyond the image.
TEST(CubinHeader, SurvivesDamage) {
  std::string image = makeCubin("k", 40);
  for (size_t size = 0; size != image.size(); ++size) {
    // An allocation of exactly this size, for the sanitizer.
    std::vector<char> part(image.begin(),
                           image.begin() + static_cast<ptrdiff_t>(size));
    (void)cuda::readCubinParameterBytes(std::as_bytes(std::span(part)), "k");
  }
  for (size_t at = 0; at != image.size(); ++at)
    for (int value : {0x00, 0x01, 0x7f, 0xff}) {
      std::vector<char> changed(image.begin(), image.end());
      changed[at] = static_cast<char>(value);
      (void)cuda::readCubinParameterBytes(std::as_bytes(std::span(changed)),
                                          "k");
    }
}

namespace {
class CubinTest : public testing::Test {
protected:
  void SetUp() override {
    ::setenv("QUERN_CUDA_LIBRARY", QUERN_TEST_CUDA_LIBRARY, 1);
    quernTestCudaReset();
    quernTestCudaSetOption("QUIET", "1");
  }
  void TearDown() override {
    ::unsetenv("QUERN_CUDA_PTX");
    quernTestCudaReset();
  }
  static std::unique_ptr<Device> open() {
    return std::move(*openDevice({.api = "cuda"}));
  }
};
} // namespace

TEST_F(CubinTest, DevicesSayWhichTheyTake) {
  ASSERT_TRUE(quernTestCudaSetOption("ARCH", "90"));
  DeviceInfo info = open()->getInfo();
  for (const char *name : {"cubin-sm_90", "cubin-sm_90a", "cuda-12", "cuda-13"})
    EXPECT_TRUE(info.hasFeature(name)) << name;
  for (const char *name : {"cubin-sm_80", "cubin-sm_89", "cuda-14"})
    EXPECT_FALSE(info.hasFeature(name)) << name;
  EXPECT_EQ(info.driver, "CUDA 13.0, sm_90");
  ASSERT_TRUE(quernTestCudaSetOption("VERSION", "12080"));
  info = open()->getInfo();
  EXPECT_TRUE(info.hasFeature("cuda-12"));
  EXPECT_FALSE(info.hasFeature("cuda-13"));
  ::setenv("QUERN_CUDA_PTX", "1", 1);
  info = open()->getInfo();
  EXPECT_FALSE(info.hasFeature("cubin-sm_90"));
  EXPECT_TRUE(info.hasFeature("sm_90"));
}

/// The test driver runs no cubins: what is refused, and by whom.
TEST_F(CubinTest, AreCheckedBeforeTheDriverSeesThem) {
  std::unique_ptr<Device> device = open();
  KernelDescription desc = getTestKernel("copy_words", "cuda");
  auto create = [&](const std::string &image) {
    desc.code = std::as_bytes(std::span(image));
    return device->createKernel(desc).getStatus();
  };
  Status status = create(makeCubin("copy_words", 8));
  EXPECT_CODE(status, StatusCode::Corrupt);
  EXPECT_NE(status.getMessage().find("8 bytes of parameters, expected 2"),
            std::string::npos)
      << status.getMessage();
  EXPECT_CODE(create(makeCubin("other", 16)), StatusCode::Corrupt);
  status = create(makeCubin("copy_words", 16));
  EXPECT_CODE(status, StatusCode::Unsupported);
  for (const char *part : {"CUDA 13.0", "does not take", "update the driver",
                           "QUERN_CUDA_PTX=1", "CUDA_ERROR_NO_BINARY_FOR_GPU"})
    EXPECT_NE(status.getMessage().find(part), std::string::npos)
        << status.getMessage();
}
