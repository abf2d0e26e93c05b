//===- CheckpointRows.cpp - Tensors of a checkpoint as rows ---------------===//
#include "tools/compile/CheckpointRows.h"

#include "frontend/HuggingFace/PackedWeight.h"
#include "runtime/base/Escape.h"

namespace quern {
namespace {

/// The numbers or the groups of a packed weight.
class PackedRows : public RowSource {
public:
  PackedRows(const PackedWeight &packed, Encoding encoding)
      : RowSource(packed.getRows(), packed.getColumns(),
                  {DataType::F32, encoding}),
        packed(packed) {}

  Result<std::span<const std::byte>>
  read(uint64_t first, uint64_t count,
       std::vector<std::byte> &buffer) const override {
    // Memory of operator new is aligned for both.
    buffer.resize(count * rowBytes());
    if (getFormat().encoding == Encoding::None)
      QUERN_RETURN_IF_ERROR(packed.decodeRows(
          first, count, reinterpret_cast<float *>(buffer.data())));
    else
      packed.encodeRows(first, count,
                        reinterpret_cast<EncodedGroup *>(buffer.data()));
    return std::span<const std::byte>(buffer);
  }

private:
  const PackedWeight &packed;
};

} // namespace

Result<std::unique_ptr<RowSource>> openRows(const Checkpoint &checkpoint,
                                            std::string_view name,
                                            Encoding encoding) {
  const StoredTensor *tensor = checkpoint.find(name);
  if (!tensor || tensor->shape.empty())
    return internalError("the checkpoint has no tensor " + quoteName(name));
  if (!tensor->packed)
    return std::unique_ptr<RowSource>(std::make_unique<MappedRows>(
        tensor->bytes, static_cast<uint64_t>(tensor->shape.back()),
        tensor->type));
  const PackedWeight &packed = *tensor->packed;
  return std::unique_ptr<RowSource>(std::make_unique<PackedRows>(
      packed, packed.getEncoding() == encoding ? encoding : Encoding::None));
}

} // namespace quern
