//===- SafetensorsWriter.h - Writing safetensors files -----------*- C++
//-*-===//
//
// For dumps of logits and activations and for test fixtures. Reading is
// frontend/HuggingFace/Safetensors.h.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_SAFETENSORSWRITER_H
#define QUERN_RUNTIME_BASE_SAFETENSORSWRITER_H

#include "runtime/base/DataType.h"
#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quern {

/// One tensor to write; `data` is row-major, little-endian and must stay valid
/// until the file is written.
struct SafetensorsTensor {
  std::string name;
  DataType type = DataType::F32;
  std::vector<uint64_t> shape;
  std::span<const std::byte> data;
};

using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

/// The eight bytes of length and the header, padded with blanks so that the
/// data that follow are aligned to eight bytes. Tensor data follow in the order
/// of `tensors`. InvalidArgument if a name repeats or data do not fit a shape.
Result<std::string>
buildSafetensorsHeader(std::span<const SafetensorsTensor> tensors,
                       const SafetensorsMetadata &metadata = {});

/// Writes the file atomically (AtomicFile.h). The largest elements should come
/// first: then every tensor is aligned to its element.
Status writeSafetensors(const std::string &path,
                        std::span<const SafetensorsTensor> tensors,
                        const SafetensorsMetadata &metadata = {});

} // namespace quern

#endif // QUERN_RUNTIME_BASE_SAFETENSORSWRITER_H
