//===- Import.cpp - from a checkpoint to qwen IR --------------------------===//
#include "frontend/Import.h"
#include "frontend/Models/Families.h"
#include "frontend/Models/ModelBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace quern;

BuildModel quern::findFamily(ModelFamily family) {
  switch (family) {
  case ModelFamily::Qwen3:
    return buildQwen3Dense;
  case ModelFamily::Qwen3Moe:
    return buildQwen3Moe;
  case ModelFamily::Qwen3Next:
  case ModelFamily::Qwen3_5:
  case ModelFamily::Qwen3_5Moe:
    return buildQwen3Hybrid;
  default:
    return nullptr;
  }
}

/// Bounds within which the products of sizes cannot overflow.
static LogicalResult checkOptions(Location loc, const ModelConfig &config,
                                  const ImportOptions &options) {
  struct {
    StringRef name;
    int64_t value, lowest, highest;
  } ranges[] = {
      {"context length", options.contextLength, 1, ConfigLimits::maxPositions},
      {"number of slots", options.numSlots, 1, 4096},
      {"page size", options.pageSize, 1, 4096},
      {"number of pages", options.numPages, 0, int64_t(1) << 30}};
  for (auto &range : ranges)
    if (range.value < range.lowest || range.value > range.highest)
      return emitError(loc)
             << range.name << " is " << range.value << ", expected "
             << range.lowest << " to " << range.highest;
  if (options.compute != DataType::F32 && options.compute != DataType::F16 &&
      options.compute != DataType::BF16)
    return emitError(loc) << "compute type is "
                          << StringRef(dataTypeName(options.compute))
                          << ", expected F32, F16 or BF16";
  return success();
}

/// The #qwen.model of a config under the options.
static qwen::ModelAttr makeModelAttr(Builder &builder,
                                     const ModelConfig &config,
                                     const ImportOptions &options) {
  int64_t pagesPerSlot =
      llvm::divideCeil(options.contextLength, options.pageSize);
  int64_t pages =
      options.numPages ? options.numPages : options.numSlots * pagesPerSlot;
  Type compute = options.compute == DataType::F16 ? builder.getF16Type()
                 : options.compute == DataType::BF16
                     ? Type(builder.getBF16Type())
                     : builder.getF32Type();
  return qwen::ModelAttr::get(
      builder.getContext(), StringRef(getFamilyInfo(config.family).modelType),
      config.numHiddenLayers, config.vocabSize, options.contextLength,
      options.numSlots, options.pageSize, pages, compute);
}

static void warn(const ModelConfig &config, const ImportOptions &options,
                 ImportReport &report) {
  if (options.contextLength > config.maxPositionEmbeddings)
    report.warnings.push_back("context length " +
                              std::to_string(options.contextLength) +
                              " is beyond max_position_embeddings " +
                              std::to_string(config.maxPositionEmbeddings) +
                              ": the model was not trained for it");
}

FailureOr<OwningOpRef<ModuleOp>>
quern::importCheckpoint(MLIRContext &context, const ModelConfig &config,
                        const Checkpoint &checkpoint,
                        const ImportOptions &options, ImportReport &report) {
  context.loadDialect<func::FuncDialect, qwen::QwenDialect>();
  Location loc = UnknownLoc::get(&context);
  BuildModel build = findFamily(config.family);
  if (!build)
    return emitError(loc) << "the model family "
                          << StringRef(getFamilyInfo(config.family).modelType)
                          << " cannot be built yet";
  if (failed(checkOptions(loc, config, options)))
    return failure();

  Builder builder(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  (*module)->setAttr(qwen::QwenDialect::getModelAttrName(),
                     makeModelAttr(builder, config, options));
  ModelBuilder model(*module, config, checkpoint, options);
  build(model);
  if (failed(model.account(report)))
    return failure();
  warn(config, options, report);
  if (failed(verify(*module)))
    return failure();
  return module;
}
