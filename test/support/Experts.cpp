//===- Experts.cpp - other layouts of a checkpoint's experts --------------===//
#include "test/support/Experts.h"

#include "test/support/Expect.h"
#include "test/support/Golden.h"

#include <algorithm>
#include <filesystem>

using namespace quern;
using namespace quern::test;
namespace fs = std::filesystem;

void test::fuseExperts(std::vector<SafetensorsTensor> &tensors,
                       const std::string &place, size_t numExperts,
                       std::deque<std::vector<std::byte>> &storage) {
  SafetensorsTensor gateUp, down;
  std::vector<std::byte> &gateUpBytes = storage.emplace_back();
  std::vector<std::byte> &downBytes = storage.emplace_back();
  // Takes one matrix out of the list and appends its bytes.
  auto move = [&](size_t expert, const std::string &matrix,
                  SafetensorsTensor &to, std::vector<std::byte> &bytes) {
    std::string name =
        place + ".experts." + std::to_string(expert) + "." + matrix + ".weight";
    auto it = std::ranges::find(tensors, name, &SafetensorsTensor::name);
    ASSERT_NE(it, tensors.end()) << name;
    bytes.insert(bytes.end(), it->data.begin(), it->data.end());
    to = *it;
    tensors.erase(it);
  };
  for (size_t i = 0; i != numExperts; ++i) {
    move(i, "gate_proj", gateUp, gateUpBytes);
    move(i, "up_proj", gateUp, gateUpBytes);
    move(i, "down_proj", down, downBytes);
  }
  gateUp.name = place + ".experts.gate_up_proj";
  gateUp.shape = {numExperts, 2 * gateUp.shape[0], gateUp.shape[1]};
  gateUp.data = gateUpBytes;
  down.name = place + ".experts.down_proj";
  down.shape.insert(down.shape.begin(), numExperts);
  down.data = downBytes;
  tensors.push_back(gateUp);
  tensors.push_back(down);
}

void test::transposeExperts(std::vector<SafetensorsTensor> &tensors,
                            const std::string &place,
                            std::deque<std::vector<std::byte>> &storage) {
  for (const char *matrix : {"gate_up_proj", "down_proj"}) {
    auto it = std::ranges::find(tensors, place + ".experts." + matrix,
                                &SafetensorsTensor::name);
    ASSERT_NE(it, tensors.end()) << matrix;
    size_t rows = it->shape[1], columns = it->shape[2];
    size_t width = dataTypeBits(it->type) / 8;
    std::vector<std::byte> &bytes = storage.emplace_back(it->data.size());
    for (size_t i = 0; i != bytes.size() / width; ++i) {
      size_t expert = i / (rows * columns), row = i / columns % rows;
      size_t to = (expert * columns + i % columns) * rows + row;
      std::copy_n(&it->data[i * width], width, &bytes[to * width]);
    }
    std::swap(it->shape[1], it->shape[2]);
    it->data = bytes;
  }
}

void test::writeFusedCheckpoint(const std::string &name,
                                const std::string &folder, bool isTransposed) {
  std::unique_ptr<TestModel> model = TestModel::openGolden(name);
  ASSERT_TRUE(model);
  fs::create_directories(folder);
  for (const auto &entry : fs::directory_iterator(
           std::string(QUERN_SOURCE_DIR) + "/test/data/checkpoints/" + name))
    if (entry.path().filename().string().find("safetensors") ==
        std::string::npos)
      fs::copy(entry.path(), folder, fs::copy_options::overwrite_existing);
  std::vector<SafetensorsTensor> tensors;
  for (const auto &[tensorName, tensor] : model->checkpoint.getTensors())
    tensors.push_back({tensorName,
                       tensor.type,
                       {tensor.shape.begin(), tensor.shape.end()},
                       tensor.bytes});
  std::deque<std::vector<std::byte>> storage;
  for (int64_t i = 0; i != model->config.numHiddenLayers; ++i) {
    std::string place = "model.layers." + std::to_string(i) + ".mlp";
    if (model->config.moeLayers[i])
      fuseExperts(tensors, place, model->config.moe->numExperts, storage);
    if (model->config.moeLayers[i] && isTransposed)
      transposeExperts(tensors, place, storage);
  }
  EXPECT_TRUE(
      succeeds(writeSafetensors(folder + "/model.safetensors", tensors)));
}
