//===- Checkpoint.h - The weights of a checkpoint folder ---------*- C++
//-*-===//
//
// One model.safetensors, or several shards with an index, as one map from
// tensor name to its place. Files are validated in full before they are mapped;
// the data are never copied.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_CHECKPOINT_H
#define QUERN_FRONTEND_HUGGINGFACE_CHECKPOINT_H

#include "frontend/HuggingFace/ModelDir.h"
#include "runtime/base/DataType.h"
#include "runtime/base/File.h"
#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

class PackedWeight;
struct QuantizationConfig;

/// A tensor in a mapped file.
struct StoredTensor {
  std::string name;
  DataType type = DataType::F32;
  std::vector<int64_t> shape;
  /// Number of the file in Checkpoint::getFiles().
  uint32_t file = 0;
  /// Bytes from the start of the file.
  uint64_t offset = 0;
  /// The mapped data, row-major, little-endian. The address need not be aligned
  /// to the element: copy before use as an array, see TensorData.h.
  std::span<const std::byte> bytes;
  /// Set if the tensor is what several quantised ones stand for. Its type is
  /// then F32, it has no bytes, and file and offset are those of the codes.
  std::shared_ptr<const PackedWeight> packed;
};

struct CheckpointOptions {
  /// Whether an index that disagrees with its shards on the total size, or
  /// does not list a tensor of a shard, is an error; else it is a warning.
  bool strictIndex = true;
  /// Whether matrices of different element types are refused
  /// (checkUniformWeightType).
  bool requireUniformType = true;
  /// How the checkpoint is quantised; null: it is not. Used by open() alone.
  const QuantizationConfig *quantization = nullptr;
};

/// Movable; const methods are thread-safe. Tensors stay valid as long as the
/// checkpoint lives (moving it is fine).
class Checkpoint {
public:
  using TensorMap = std::map<std::string, StoredTensor, std::less<>>;

  /// Opens and validates all weight files of `directory`.
  static Result<Checkpoint> open(const ModelDir &directory,
                                 const CheckpointOptions &options = {});

  /// By name, in order of names.
  const TensorMap &getTensors() const { return tensors; }
  /// Nothing if there is no such tensor.
  const StoredTensor *find(std::string_view name) const;
  /// Names of the weight files inside of the folder.
  const std::vector<std::string> &getFiles() const { return files; }
  /// Oddities that do no harm, one line each.
  const std::vector<std::string> &getWarnings() const { return warnings; }

  /// "model-00001-of-00002.safetensors: tensor 'a.b'" for messages.
  std::string describe(const StoredTensor &tensor) const;

private:
  friend class CheckpointReader;
  friend class PackedWeightAssembler;
  TensorMap tensors;
  std::vector<std::string> files;
  std::vector<MappedFile> mappings;
  std::vector<std::string> warnings;
};

/// A tensor that a model needs or knows.
struct ExpectedTensor {
  std::string name;
  std::vector<int64_t> shape;
  bool isOptional = false;
};

struct TensorCheckOptions {
  /// Whether tensors that are not expected are an error.
  bool refuseExtra = false;
};

/// Compares the checkpoint with what a model needs: all required tensors
/// present, shapes as expected, element types F32, F16 or BF16. Returns the
/// names of the tensors that nobody expects.
Result<std::vector<std::string>>
checkTensors(const Checkpoint &checkpoint,
             std::span<const ExpectedTensor> expected,
             const TensorCheckOptions &options = {});

/// Error unless all weights of two or more dimensions have one floating-point
/// type; vectors may differ (Qwen3.5 keeps A_log and norms in F32).
Status checkUniformWeightType(const Checkpoint &checkpoint);

/// With tied embeddings a checkpoint may hold the output matrix as well; error
/// if it then differs from the embedding.
Status checkTiedEmbeddings(const Checkpoint &checkpoint,
                           std::string_view embedding,
                           std::string_view outputHead);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_CHECKPOINT_H
