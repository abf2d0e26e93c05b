//===- Safetensors.cpp - Reading safetensors files ------------------------===//

#include "frontend/HuggingFace/Safetensors.h"

#include "runtime/base/Allocation.h"
#include "runtime/base/ByteReader.h"
#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Json.h"

#include <algorithm>
#include <array>
#include <tuple>

using namespace quern;

/// Names end up in symbols and log lines.
static Status checkTensorName(const JsonValue &entry) {
  std::string_view name = entry.key();
  auto refuse = [&](std::string_view why) {
    return corrupt("tensor name " + quoteName(name) + " " + std::string(why));
  };
  if (name.empty())
    return refuse("is empty");
  if (name.size() > SafetensorsLimits::maxNameBytes)
    return refuse("has more than " +
                  std::to_string(SafetensorsLimits::maxNameBytes) + " bytes");
  for (unsigned char c : name)
    if (c < 0x20 || c == 0x7F)
      return refuse("holds a control character");
  return Status::ok();
}

static Status parseMetadata(const JsonValue &json, SafetensorsHeader &header) {
  QUERN_RETURN_IF_ERROR(json.expectKind(JsonKind::Object));
  for (JsonValue member : json.members()) {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, member.asString());
    header.metadata.emplace_back(member.key(), text);
  }
  return Status::ok();
}

static Status parseShape(const JsonValue &json, std::vector<int64_t> &shape) {
  QUERN_RETURN_IF_ERROR(json.expectKind(JsonKind::Array));
  if (json.size() > SafetensorsLimits::maxRank)
    return corrupt(json.path() + ": " + std::to_string(json.size()) +
                   " dimensions, expected at most " +
                   std::to_string(SafetensorsLimits::maxRank));
  for (JsonValue element : json.elements()) {
    QUERN_ASSIGN_OR_RETURN(int64_t dim, element.asInt64());
    if (dim < 0)
      return element.mismatch("a dimension that is not negative");
    shape.push_back(dim);
  }
  return Status::ok();
}

/// Bytes that the shape and type ask for.
static Result<uint64_t> expectedBytes(const JsonValue &json,
                                      const SafetensorsEntry &entry) {
  std::optional<int64_t> count =
      checkedProduct(std::span<const int64_t>(entry.shape));
  std::optional<uint64_t> bits;
  if (count)
    bits = checkedMul<uint64_t>(static_cast<uint64_t>(*count),
                                dataTypeBits(entry.type));
  if (!bits)
    return corrupt(json.path() + ".shape: the size overflows 64 bits");
  if (*bits % 8 != 0)
    return corrupt(json.path() + ".shape: " + std::to_string(*count) +
                   " elements of " + std::to_string(dataTypeBits(entry.type)) +
                   " bits do not fill whole bytes");
  return *bits / 8;
}

/// Sets offset (still relative to the data) and byteSize.
static Status parseRange(const JsonValue &entryJson, const JsonValue &json,
                         uint64_t dataSize, SafetensorsEntry &entry) {
  QUERN_RETURN_IF_ERROR(json.expectKind(JsonKind::Array));
  if (json.size() != 2)
    return corrupt(json.path() + ": expected two offsets, found " +
                   std::to_string(json.size()));
  QUERN_ASSIGN_OR_RETURN(uint64_t begin, json.at(0).asUInt64());
  QUERN_ASSIGN_OR_RETURN(uint64_t end, json.at(1).asUInt64());
  std::string range =
      "[" + std::to_string(begin) + ", " + std::to_string(end) + "]";
  if (begin > end)
    return corrupt(json.path() + ": expected the begin before the end, found " +
                   range);
  if (end > dataSize)
    return corrupt(json.path() + ": " + range + " ends outside of the data, " +
                   "which have " + std::to_string(dataSize) +
                   " bytes; is the file truncated?");
  QUERN_ASSIGN_OR_RETURN(uint64_t expected, expectedBytes(entryJson, entry));
  if (end - begin != expected)
    return corrupt(
        json.path() + ": " + range + " holds " + std::to_string(end - begin) +
        " bytes, but shape and type ask for " + std::to_string(expected));
  entry.offset = begin;
  entry.byteSize = expected;
  return Status::ok();
}

static Result<SafetensorsEntry> parseEntry(const JsonValue &json,
                                           uint64_t dataSize) {
  QUERN_RETURN_IF_ERROR(checkTensorName(json));
  QUERN_RETURN_IF_ERROR(json.expectKind(JsonKind::Object));
  for (JsonValue member : json.members())
    if (member.key() != "dtype" && member.key() != "shape" &&
        member.key() != "data_offsets")
      return corrupt(member.path() + ": unknown member of a tensor, expected "
                                     "'dtype', 'shape' and 'data_offsets'");
  SafetensorsEntry entry;
  entry.name = json.key();
  QUERN_ASSIGN_OR_RETURN(JsonValue typeJson, json.get("dtype"));
  QUERN_ASSIGN_OR_RETURN(std::string_view typeName, typeJson.asString());
  std::optional<DataType> type = parseDataType(typeName);
  if (!type)
    return unsupported(typeJson.path() + ": unknown element type " +
                       quoteName(typeName));
  entry.type = *type;
  QUERN_ASSIGN_OR_RETURN(JsonValue shapeJson, json.get("shape"));
  QUERN_RETURN_IF_ERROR(parseShape(shapeJson, entry.shape));
  QUERN_ASSIGN_OR_RETURN(JsonValue rangeJson, json.get("data_offsets"));
  QUERN_RETURN_IF_ERROR(parseRange(json, rangeJson, dataSize, entry));
  return entry;
}

/// Sorts the entries by offset and checks that they cover the data exactly.
static Status checkCover(SafetensorsHeader &header, uint64_t dataSize) {
  // Empty tensors share their offset with the next one.
  auto order = [](const SafetensorsEntry &entry) {
    return std::tie(entry.offset, entry.byteSize, entry.name);
  };
  std::sort(header.entries.begin(), header.entries.end(),
            [&](const SafetensorsEntry &a, const SafetensorsEntry &b) {
              return order(a) < order(b);
            });
  uint64_t covered = 0;
  for (const SafetensorsEntry &entry : header.entries) {
    if (entry.offset != covered)
      return corrupt(
          "tensor " + quoteName(entry.name) + ": its data start at byte " +
          std::to_string(entry.offset) + " of the data, expected byte " +
          std::to_string(covered) +
          (entry.offset < covered ? ": tensors overlap"
                                  : ": bytes that belong to no tensor"));
    covered += entry.byteSize;
  }
  if (covered != dataSize)
    return corrupt(std::to_string(dataSize - covered) +
                   " bytes at the end of the file belong to no tensor");
  return Status::ok();
}

static Result<SafetensorsHeader> parseHeader(std::string_view text,
                                             uint64_t fileSize) {
  if (!text.starts_with('{'))
    return corrupt("header: expected '{' at byte 8" +
                   (text.empty() ? std::string(", found an empty header")
                                 : ", found " + quoteName(text.substr(0, 1))));
  SafetensorsHeader header;
  header.dataOffset = 8 + uint64_t(text.size());
  if (header.dataOffset > fileSize)
    return corrupt("header: ends at byte " + std::to_string(header.dataOffset) +
                   ", but the file has " + std::to_string(fileSize));
  uint64_t dataSize = fileSize - header.dataOffset;
  JsonLimits limits;
  limits.maxBytes = SafetensorsLimits::maxHeaderBytes;
  limits.maxDepth = 3;
  // Honest headers need some ten bytes for each value.
  limits.maxValues = text.size() / 4 + 16;
  Result<JsonDocument> document = parseJson(text, limits);
  if (!document.isOk())
    return std::move(document).takeStatus().withContext("header");
  for (JsonValue member : document->root().members()) {
    if (member.key() == "__metadata__") {
      QUERN_RETURN_IF_ERROR(
          parseMetadata(member, header).withContext("header"));
      continue;
    }
    Result<SafetensorsEntry> entry = parseEntry(member, dataSize);
    if (!entry.isOk())
      return std::move(entry).takeStatus().withContext("header");
    header.entries.push_back(std::move(*entry));
  }
  QUERN_RETURN_IF_ERROR(checkCover(header, dataSize));
  for (SafetensorsEntry &entry : header.entries)
    entry.offset += header.dataOffset;
  return header;
}

Result<SafetensorsHeader> quern::parseSafetensorsHeader(std::string_view text,
                                                        uint64_t fileSize) {
  return guardAllocation("reading a safetensors header",
                         [&] { return parseHeader(text, fileSize); });
}

static Result<SafetensorsHeader> readHeader(const File &file) {
  if (file.getSize() < 8)
    return corrupt("the file has " + std::to_string(file.getSize()) +
                   " bytes, a safetensors file has at least 8");
  std::array<std::byte, 8> lengthBytes;
  QUERN_RETURN_IF_ERROR(file.readAt(0, lengthBytes));
  QUERN_ASSIGN_OR_RETURN(uint64_t length, ByteReader(lengthBytes).readU64());
  if (length > SafetensorsLimits::maxHeaderBytes)
    return corrupt("byte 0: header length " + std::to_string(length) +
                   ", expected at most " +
                   std::to_string(SafetensorsLimits::maxHeaderBytes));
  if (!rangeInside(8, length, file.getSize()))
    return corrupt("byte 0: header length " + std::to_string(length) +
                   ", but the file has " + std::to_string(file.getSize()) +
                   " bytes; is it truncated?");
  std::string text(length, '\0');
  QUERN_RETURN_IF_ERROR(
      file.readAt(8, std::as_writable_bytes(std::span(text))));
  return parseHeader(text, file.getSize());
}

Result<SafetensorsHeader> quern::readSafetensorsHeader(const File &file) {
  Result<SafetensorsHeader> header = guardAllocation(
      "reading a safetensors header", [&] { return readHeader(file); });
  if (header.isOk())
    return header;
  Status status = std::move(header).takeStatus();
  // Errors of the file itself already name it.
  if (status.getCode() == StatusCode::IoError)
    return status;
  return std::move(status).withContext(file.getName());
}
