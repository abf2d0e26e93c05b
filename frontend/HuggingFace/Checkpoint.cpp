//===- Checkpoint.cpp - The weights of a checkpoint folder ----------------===//

#include "frontend/HuggingFace/Checkpoint.h"

#include "frontend/HuggingFace/PackedWeight.h"
#include "frontend/HuggingFace/Safetensors.h"
#include "frontend/HuggingFace/ShardIndex.h"
#include "runtime/base/Allocation.h"
#include "runtime/base/Escape.h"

#include <algorithm>

using namespace quern;

static constexpr std::string_view singleFileName = "model.safetensors";
static constexpr std::string_view indexFileName =
    "model.safetensors.index.json";

const StoredTensor *Checkpoint::find(std::string_view name) const {
  auto it = tensors.find(name);
  return it == tensors.end() ? nullptr : &it->second;
}

std::string Checkpoint::describe(const StoredTensor &tensor) const {
  return escapeText(files[tensor.file]) + ": tensor " + quoteName(tensor.name);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace quern {

/// Fills a Checkpoint from a folder.
class CheckpointReader {
public:
  CheckpointReader(const ModelDir &directory, const CheckpointOptions &options)
      : directory(directory), options(options) {}

  Result<Checkpoint> run();

private:
  Status explainMissingWeights() const;
  Result<std::optional<ShardIndex>> readIndex() const;
  Status addFile(const std::string &name, const File &file);
  Status addShards(const ShardIndex &index);
  Status checkAgainstIndex(const ShardIndex &index);
  void warnAboutOtherFiles(const std::vector<std::string> &names);
  /// An error or, if the options say so, a warning.
  Status indexProblem(std::string message);

  const ModelDir &directory;
  const CheckpointOptions &options;
  Checkpoint result;
  uint64_t totalBytes = 0;
};

} // namespace quern

/// No weights: say what there is instead.
Status CheckpointReader::explainMissingWeights() const {
  std::string message = directory.getPath() + ": found neither " +
                        std::string(singleFileName) + " nor " +
                        std::string(indexFileName);
  QUERN_ASSIGN_OR_RETURN(std::vector<std::string> names, directory.listNames());
  for (const std::string &name : names) {
    if (name.ends_with(".safetensors"))
      return notFound(message + ", but " + quoteName(name));
    if (name.ends_with(".bin") || name.ends_with(".pt") ||
        name.ends_with(".pth") || name.ends_with(".gguf"))
      return unsupported(message + ", but " + quoteName(name) +
                         ": only safetensors are read");
  }
  return notFound(message);
}

Result<std::optional<ShardIndex>> CheckpointReader::readIndex() const {
  QUERN_ASSIGN_OR_RETURN(std::optional<File> file,
                         directory.openFileIfPresent(indexFileName));
  if (!file)
    return std::optional<ShardIndex>();
  QUERN_ASSIGN_OR_RETURN(std::string text,
                         readWholeFile(*file, ShardIndex::maxBytes));
  Result<ShardIndex> index = parseShardIndex(text);
  if (!index.isOk())
    return std::move(index).takeStatus().withContext(file->getName());
  return std::optional<ShardIndex>(std::move(*index));
}

/// Validates one weight file, maps it and adds its tensors.
Status CheckpointReader::addFile(const std::string &name, const File &file) {
  QUERN_ASSIGN_OR_RETURN(SafetensorsHeader header, readSafetensorsHeader(file));
  QUERN_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::map(file));
  uint32_t number = static_cast<uint32_t>(result.files.size());
  result.files.push_back(name);
  for (SafetensorsEntry &entry : header.entries) {
    StoredTensor tensor;
    tensor.name = entry.name;
    tensor.type = entry.type;
    tensor.shape = std::move(entry.shape);
    tensor.file = number;
    tensor.offset = entry.offset;
    tensor.bytes = mapping.getBytes().subspan(entry.offset, entry.byteSize);
    totalBytes += entry.byteSize;
    auto [it, isNew] =
        result.tensors.try_emplace(entry.name, std::move(tensor));
    if (!isNew)
      return corrupt(directory.getPath() + ": tensor " + quoteName(entry.name) +
                     " is in two files, " +
                     escapeText(result.files[it->second.file]) + " and " +
                     escapeText(name));
  }
  result.mappings.push_back(std::move(mapping));
  return Status::ok();
}

Status CheckpointReader::addShards(const ShardIndex &index) {
  for (const std::string &name : index.shards) {
    Result<File> file = directory.openFile(name);
    if (!file.isOk())
      return std::move(file).takeStatus().withContext(
          "listed in " + std::string(indexFileName));
    QUERN_RETURN_IF_ERROR(addFile(name, *file));
  }
  return checkAgainstIndex(index);
}

Status CheckpointReader::indexProblem(std::string message) {
  message = directory.getPath() + "/" + std::string(indexFileName) + ": " +
            std::move(message);
  if (options.strictIndex)
    return corrupt(std::move(message));
  result.warnings.push_back(std::move(message));
  return Status::ok();
}

Status CheckpointReader::checkAgainstIndex(const ShardIndex &index) {
  for (const auto &[name, shard] : index.shardOf) {
    const StoredTensor *tensor = result.find(name);
    if (!tensor || tensor->file != shard)
      return corrupt(
          directory.getPath() + "/" + std::string(indexFileName) +
          ": lists tensor " + quoteName(name) + " in " +
          escapeText(index.shards[shard]) +
          (tensor ? ", but it is in " + escapeText(result.files[tensor->file])
                  : std::string(", which lacks it")));
  }
  for (const auto &[name, tensor] : result.tensors)
    if (!index.shardOf.contains(name))
      QUERN_RETURN_IF_ERROR(indexProblem(
          "does not list tensor " + quoteName(name) + ", which is in " +
          escapeText(result.files[tensor.file])));
  if (index.totalSize && *index.totalSize != totalBytes)
    QUERN_RETURN_IF_ERROR(indexProblem(
        "$.metadata.total_size: found " + std::to_string(*index.totalSize) +
        ", but the tensors have " + std::to_string(totalBytes) + " bytes"));
  return Status::ok();
}

/// Weight files that nothing refers to.
void CheckpointReader::warnAboutOtherFiles(
    const std::vector<std::string> &names) {
  for (const std::string &name : names)
    if (name.ends_with(".safetensors") &&
        std::find(result.files.begin(), result.files.end(), name) ==
            result.files.end())
      result.warnings.push_back(directory.getPath() + "/" + escapeText(name) +
                                ": not part of the model, ignored");
}

Result<Checkpoint> CheckpointReader::run() {
  QUERN_ASSIGN_OR_RETURN(std::optional<ShardIndex> index, readIndex());
  QUERN_ASSIGN_OR_RETURN(std::optional<File> single,
                         directory.openFileIfPresent(singleFileName));
  if (!index && !single)
    return explainMissingWeights();
  if (index && single &&
      std::find(index->shards.begin(), index->shards.end(), singleFileName) ==
          index->shards.end())
    return unsupported(directory.getPath() + ": found both " +
                       std::string(singleFileName) + " and " +
                       std::string(indexFileName) +
                       ", expected one set of weights; remove the other");
  if (index)
    QUERN_RETURN_IF_ERROR(addShards(*index));
  else
    QUERN_RETURN_IF_ERROR(addFile(std::string(singleFileName), *single));
  QUERN_ASSIGN_OR_RETURN(std::vector<std::string> names, directory.listNames());
  warnAboutOtherFiles(names);
  if (options.quantization)
    QUERN_RETURN_IF_ERROR(assemblePackedWeights(result, *options.quantization));
  if (options.requireUniformType)
    QUERN_RETURN_IF_ERROR(checkUniformWeightType(result));
  return std::move(result);
}

Result<Checkpoint> Checkpoint::open(const ModelDir &directory,
                                    const CheckpointOptions &options) {
  return guardAllocation("reading a checkpoint", [&] {
    return CheckpointReader(directory, options).run();
  });
}
