//===- ModelFacts.cpp - What a bundle says about its model ----------------===//
#include "tools/compile/ModelFacts.h"

#include "codegen/AnswerRequests.h"
#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Qwen/IR/QwenOps.h"

using namespace mlir;

namespace quern {

const char *getComputeName(DataType type) {
  return type == DataType::F16    ? "f16"
         : type == DataType::BF16 ? "bf16"
                                  : "f32";
}

void describeModel(const CheckpointInput &input, const CompileOptions &options,
                   DataType compute, ModuleOp module,
                   BundleContents &contents) {
  const ModelConfig &config = input.config;
  auto facts = module->getAttrOfType<qwen::ModelAttr>("qwen.model");
  bundle::ModelT &model = contents.model;
  model.family = getFamilyInfo(config.family).modelType;
  model.name = input.name;
  for (auto weight : module.getOps<qwen::WeightOp>())
    model.parameters += weight.getTensorType().getNumElements();
  model.hidden_size = config.hiddenSize;
  model.num_hidden_layers = config.numHiddenLayers;
  model.num_attention_heads = config.numAttentionHeads;
  model.num_key_value_heads = config.numKeyValueHeads;
  model.head_dim = config.headDim;
  model.vocab_size = config.vocabSize;
  model.context_length = facts.getContextLength();
  model.num_slots = facts.getNumSlots();
  model.page_size = facts.getPageSize();
  model.num_pages = facts.getNumPages();
  model.compute = compute == DataType::F16    ? bundle::DType::F16
                  : compute == DataType::BF16 ? bundle::DType::BF16
                                              : bundle::DType::F32;
  model.bos_token_id = input.generation.bosTokenId.value_or(-1);
  model.pad_token_id = input.generation.padTokenId.value_or(-1);
  for (int64_t id : input.generation.eosTokenIds)
    model.eos_token_ids.push_back(static_cast<int32_t>(id));

  contents.sampling.do_sample = input.generation.doSample;
  contents.sampling.temperature = input.generation.temperature;
  contents.sampling.top_k = input.generation.topK;
  contents.sampling.top_p = input.generation.topP;
  contents.sampling.min_p = input.generation.minP;
  contents.sampling.repetition_penalty = input.generation.repetitionPenalty;
  contents.compilerVersion = QUERN_VERSION;
  contents.compileOptions = std::string("compute=") + getComputeName(compute) +
                            " context=" + std::to_string(options.context) +
                            " slots=" + std::to_string(options.slots) +
                            " page-size=" + std::to_string(options.pageSize) +
                            " prefill=" + std::to_string(options.prefill);
  const QuantizeOptions &quantize = options.quantize;
  std::pair<const char *, const std::string &> types[] = {
      {" quantize=", quantize.weights},
      {" quantize-embedding=", quantize.embedding},
      {" quantize-head=", quantize.head},
      {" quantize-router=", quantize.router},
      {" quantize-draft=", quantize.draft}};
  for (const auto &[name, value] : types)
    if (!value.empty())
      contents.compileOptions += name + value;
  if (options.kvCacheType != "compute")
    contents.compileOptions += " kv-cache-dtype=" + options.kvCacheType;
}

void describeTarget(const TargetDescription &description,
                    bundle::TargetT &target) {
  target.name = description.name;
  target.api = description.api;
  target.api_version = description.apiVersion;
  target.required_features = description.requiredFeatures;
  target.subgroup_size = description.subgroupSize;
  target.description = description.text;
}

Result<bundle::ArchitectureT> describeVariant(const CodeVariant &variant,
                                              const TargetDescription &target,
                                              const PtxAssembler *assembler) {
  bundle::ArchitectureT described;
  described.name = variant.name;
  // runtime/device/cuda/CudaQuery.cpp says which features a device has.
  if (hasCubin(variant, assembler))
    described.required_features = {
        "cubin-" + variant.name,
        "cuda-" + std::to_string(assembler->getMajorVersion())};
  else
    described.required_features = target.withVariant(variant).requiredFeatures;
  described.description = target.text;
  if (target.api == "cuda" && target.variants.size() != 1) {
    QUERN_ASSIGN_OR_RETURN(TargetDescription own,
                           findTarget("cuda-" + variant.name));
    described.description = own.text;
  }
  return described;
}

void describeMemory(ModuleOp module, CompileSummary &summary) {
  for (Operation &op : module.getOps()) {
    if (auto weight = dyn_cast<exec::WeightOp>(op)) {
      summary.memory.weights +=
          exec::padToAlignment(exec::getSizeInBytes(weight.getTensorType()));
      summary.weightElements += weight.getTensorType().getNumElements();
    } else if (auto state = dyn_cast<qwen::StateOp>(op)) {
      bool isCache = state.getKind() == qwen::StateKind::KeyCache ||
                     state.getKind() == qwen::StateKind::ValueCache;
      (isCache ? summary.memory.cache : summary.memory.recurrent) +=
          exec::getSizeInBytes(state.getTensorType());
    } else if (auto plan = dyn_cast<exec::MemoryPlanOp>(op)) {
      summary.memory.arena = plan.getArenaSize();
      summary.memory.step = plan.getStepSize();
    } else if (auto program = dyn_cast<exec::ProgramOp>(op)) {
      auto dispatches = program.getBody().front().getOps<exec::DispatchOp>();
      summary.dispatches +=
          (summary.dispatches.empty() ? "" : ", ") +
          program.getSymName().str() + " " +
          std::to_string(std::distance(dispatches.begin(), dispatches.end()));
    }
  }
}

} // namespace quern
