//===- SafetensorsWriterTest.cpp ------------------------------------------===//

#include "runtime/base/SafetensorsWriter.h"
#include "test/support/Expect.h"
#include "test/support/TempDir.h"

#include <array>

using namespace quern;
using namespace quern::test;

TEST(SafetensorsWriter, Layout) {
  TempDir dir;
  std::array<float, 2> values = {1.0f, -2.0f};
  std::array<uint8_t, 3> bytes = {7, 8, 9};
  SafetensorsTensor tensors[] = {
      {"a", DataType::F32, {1, 2}, std::as_bytes(std::span(values))},
      {"b", DataType::U8, {3}, std::as_bytes(std::span(bytes))},
      {"c", DataType::BF16, {0, 5}, {}}};
  std::string path = dir.file("t.safetensors");
  ASSERT_TRUE(succeeds(writeSafetensors(path, tensors, {{"format", "pt"}})));
  std::string text =
      R"({"__metadata__":{"format":"pt"},)"
      R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},)"
      R"("c":{"dtype":"BF16","shape":[0,5],"data_offsets":[11,11]}})";
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string length(8, '\0');
  length[0] = static_cast<char>(text.size());
  ASSERT_LT(text.size(), 256u);
  std::string data(11, '\0');
  std::copy_n(reinterpret_cast<char *>(values.data()), 8, data.begin());
  std::copy_n(bytes.begin(), 3, data.begin() + 8);
  EXPECT_EQ(readBytes(path), length + text + data);
}

TEST(SafetensorsWriter, RefusesBadTensors) {
  std::array<uint8_t, 3> bytes = {7, 8, 9};
  std::span<const std::byte> data = std::as_bytes(std::span(bytes));
  auto fails = [](std::vector<SafetensorsTensor> tensors,
                  std::string_view part) {
    return failsWith(buildSafetensorsHeader(tensors),
                     StatusCode::InvalidArgument, part);
  };
  EXPECT_TRUE(fails({{"a", DataType::U8, {4}, data}}, "do not fit its shape"));
  EXPECT_TRUE(fails({{"a", DataType::F32, {UINT64_MAX, 2}, data}}, "shape"));
  EXPECT_TRUE(fails({{"a", DataType::F4, {3}, data}}, "shape"));
  EXPECT_TRUE(
      fails({{"a", DataType::U8, {3}, data}, {"a", DataType::U8, {3}, data}},
            "used twice"));
  EXPECT_TRUE(fails({{"", DataType::U8, {3}, data}}, "empty"));
  EXPECT_TRUE(fails({{"__metadata__", DataType::U8, {3}, data}}, "reserved"));
}
