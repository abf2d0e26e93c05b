//===- SafetensorsWriter.cpp - Writing safetensors files ------------------===//

#include "runtime/base/SafetensorsWriter.h"

#include "runtime/base/AtomicFile.h"
#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Json.h"

#include <set>

using namespace quern;

/// Bytes that the shape asks for; nothing on overflow or a broken last byte.
static std::optional<uint64_t> byteSize(const SafetensorsTensor &tensor) {
  std::optional<uint64_t> count =
      checkedProduct(std::span<const uint64_t>(tensor.shape));
  if (count)
    count = checkedMul<uint64_t>(*count, dataTypeBits(tensor.type));
  if (!count || *count % 8 != 0)
    return std::nullopt;
  return *count / 8;
}

static Status appendTensor(JsonWriter &json, const SafetensorsTensor &tensor,
                           uint64_t begin) {
  if (byteSize(tensor) != tensor.data.size())
    return invalidArgument("tensor " + quoteName(tensor.name) + ": " +
                           std::to_string(tensor.data.size()) +
                           " bytes of data do not fit its shape");
  json.key(tensor.name).beginObject();
  json.key("dtype").value(dataTypeName(tensor.type));
  json.key("shape").beginArray();
  for (uint64_t dim : tensor.shape)
    json.value(dim);
  json.endArray();
  json.key("data_offsets").beginArray();
  json.value(begin).value(begin + tensor.data.size());
  json.endArray().endObject();
  return Status::ok();
}

Result<std::string>
quern::buildSafetensorsHeader(std::span<const SafetensorsTensor> tensors,
                              const SafetensorsMetadata &metadata) {
  JsonWriter json;
  json.beginObject();
  if (!metadata.empty()) {
    json.key("__metadata__").beginObject();
    for (const auto &[key, value] : metadata)
      json.key(key).value(value);
    json.endObject();
  }
  std::set<std::string_view> names = {"__metadata__"};
  uint64_t offset = 0;
  for (const SafetensorsTensor &tensor : tensors) {
    if (tensor.name.empty() || !names.insert(tensor.name).second)
      return invalidArgument("tensor " + quoteName(tensor.name) +
                             ": the name is empty, reserved or used twice");
    QUERN_RETURN_IF_ERROR(appendTensor(json, tensor, offset));
    offset += tensor.data.size();
  }
  json.endObject();
  std::string text = json.take();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string header;
  for (unsigned shift = 0; shift < 64; shift += 8)
    header += static_cast<char>((uint64_t(text.size()) >> shift) & 0xFF);
  return header + text;
}

Status quern::writeSafetensors(const std::string &path,
                               std::span<const SafetensorsTensor> tensors,
                               const SafetensorsMetadata &metadata) {
  QUERN_ASSIGN_OR_RETURN(std::string header,
                         buildSafetensorsHeader(tensors, metadata));
  QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  QUERN_RETURN_IF_ERROR(file.append(header));
  for (const SafetensorsTensor &tensor : tensors)
    QUERN_RETURN_IF_ERROR(file.append(tensor.data));
  return file.commit();
}
