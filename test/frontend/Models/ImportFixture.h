//===- ImportFixture.h - imports tiny checkpoints, edited -------*- C++ -*-===//
#ifndef QUERN_TEST_FRONTEND_MODELS_IMPORTFIXTURE_H
#define QUERN_TEST_FRONTEND_MODELS_IMPORTFIXTURE_H

#include "frontend/Import.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "runtime/base/SafetensorsWriter.h"
#include "test/support/Expect.h"
#include "test/support/Golden.h"
#include "test/support/TempDir.h"

#include <gtest/gtest.h>

#include <deque>

namespace quern::test {

class ImportTest : public testing::Test {
protected:
  void open(const std::string &name) {
    model = TestModel::openGolden(name);
    ASSERT_TRUE(model);
    for (const auto &[tensorName, tensor] : model->checkpoint.getTensors())
      tensors.push_back({tensorName,
                         tensor.type,
                         {tensor.shape.begin(), tensor.shape.end()},
                         tensor.bytes});
  }
  SafetensorsTensor &at(const std::string &name) {
    for (SafetensorsTensor &tensor : tensors)
      if (tensor.name == name)
        return tensor;
    ADD_FAILURE() << name;
    return tensors.front();
  }
  void remove(const std::string &name) {
    std::erase_if(tensors, [&](auto &tensor) { return tensor.name == name; });
  }
  /// Adds a tensor of zeros.
  void add(const std::string &name, DataType type,
           std::vector<uint64_t> shape) {
    uint64_t bytes = dataTypeBits(type) / 8;
    for (uint64_t size : shape)
      bytes *= size;
    tensors.push_back({name, type, shape, storage.emplace_back(bytes)});
  }

  /// Writes `tensors` as a checkpoint and imports it; the diagnostic's text.
  std::string importEdited() {
    TempDir folder;
    EXPECT_TRUE(
        succeeds(writeSafetensors(folder.file("model.safetensors"), tensors)));
    Result<ModelDir> directory = ModelDir::open(folder.str());
    EXPECT_TRUE(succeeds(directory));
    Result<Checkpoint> checkpoint =
        Checkpoint::open(*directory, {.requireUniformType = false});
    EXPECT_TRUE(succeeds(checkpoint));
    return checkpoint.isOk() ? import(*checkpoint) : "";
  }
  /// Refused with one line that has this part.
  void expectRefused(const std::string &part) {
    std::string message = importEdited();
    EXPECT_NE(message.find(part), std::string::npos)
        << "message '" << message << "' lacks '" << part << "'";
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  std::string import(const Checkpoint &checkpoint) {
    std::string message;
    mlir::ScopedDiagnosticHandler handler(&context,
                                          [&](mlir::Diagnostic &diagnostic) {
                                            message += diagnostic.str();
                                            return mlir::success();
                                          });
    report = {};
    auto imported =
        importCheckpoint(context, model->config, checkpoint, options, report);
    EXPECT_EQ(mlir::failed(imported), !message.empty()) << message;
    module = mlir::succeeded(imported) ? std::move(*imported)
                                       : mlir::OwningOpRef<mlir::ModuleOp>();
    return message;
  }
  /// Ops of the imported module.
  template <typename Op> std::vector<Op> find() {
    std::vector<Op> ops;
    module->walk([&](Op op) { ops.push_back(op); });
    return ops;
  }

  mlir::MLIRContext context;
  std::unique_ptr<TestModel> model;
  std::vector<SafetensorsTensor> tensors;
  std::deque<std::vector<std::byte>> storage; ///< Bytes of tensors made here.
  ImportOptions options;
  ImportReport report;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace quern::test

#endif // QUERN_TEST_FRONTEND_MODELS_IMPORTFIXTURE_H
