//===- WeightSink.cpp - Converts rows of weights on the way ---------------===//
#include "codegen/Bundle/WeightSink.h"

#include "runtime/base/Numeric.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

namespace quern {

/// Source bytes that are converted before they are handed to the writer.
static constexpr uint64_t kConvertedBytes = uint64_t(8) << 20;

WeightSink::WeightSink(const StoredRows &stored, unsigned threads,
                       PanelSink &writer)
    : stored(stored),
      threads(threads ? threads
                      : std::max(1u, std::thread::hardware_concurrency())),
      writer(writer) {
  if (stored.encoding != Encoding::None)
    factors.resize(EncodedMatrix(stored.encoding, stored.rows, stored.columns)
                       .factorBytes() /
                   sizeof(uint16_t));
}

bool WeightSink::isStoredAs(const RowFormat &format) const {
  return format == RowFormat{stored.type} && stored.encoding == Encoding::None;
}

Status WeightSink::append(const RowSource &source, uint64_t first,
                          uint64_t count) {
  uint64_t step = std::max<uint64_t>(1, kConvertedBytes / source.rowBytes());
  std::vector<std::byte> buffer;
  for (uint64_t end = first + count; first < end; first += step) {
    uint64_t rows = std::min(step, end - first);
    if (!isStoredAs(source.getFormat())) {
      QUERN_RETURN_IF_ERROR(convert(source, first, rows));
      continue;
    }
    QUERN_ASSIGN_OR_RETURN(std::span<const std::byte> bytes,
                           source.read(first, rows, buffer));
    QUERN_RETURN_IF_ERROR(writer.append(bytes));
    rowsDone += rows;
  }
  return Status::ok();
}

Status WeightSink::finish() {
  return factors.empty() ? Status::ok()
                         : writer.append(std::as_bytes(std::span(factors)));
}

/// Bytes of a row without the factors.
static uint64_t countRowBytes(const StoredRows &stored) {
  if (stored.encoding == Encoding::None)
    return stored.columns * dataTypeBits(stored.type) / 8;
  return EncodedMatrix(stored.encoding, stored.rows, stored.columns)
      .rowWordBytes();
}

Status WeightSink::convert(const RowSource &source, uint64_t first,
                           uint64_t count) {
  converted = true;
  uint64_t storedBytes = countRowBytes(stored);
  std::vector<std::byte> out(count * storedBytes);
  std::vector<RowResult> results(count);
  uint64_t share = (count + threads - 1) / threads;
  std::vector<Status> statuses((count + share - 1) / share);
  auto work = [&](uint64_t begin, uint64_t end) {
    std::vector<std::byte> buffer;
    auto rows = source.read(first + begin, end - begin, buffer);
    if (!rows.isOk()) {
      statuses[begin / share] = std::move(rows).takeStatus();
      return;
    }
    for (uint64_t row = begin; row < end; ++row)
      convertRow(source.getFormat(),
                 rows->data() + (row - begin) * source.rowBytes(),
                 rowsDone + row, out.data() + row * storedBytes, results[row]);
  };
  std::vector<std::thread> workers;
  for (uint64_t begin = share; begin < count; begin += share)
    workers.emplace_back(work, begin, std::min(begin + share, count));
  work(0, std::min(share, count));
  for (std::thread &worker : workers)
    worker.join();
  for (Status &status : statuses)
    QUERN_RETURN_IF_ERROR(std::move(status));
  for (const RowResult &result : results) {
    if (result.badColumn >= 0)
      return invalidArgument(
          "row " + std::to_string(rowsDone + (&result - results.data())) +
          ", column " + std::to_string(result.badColumn) +
          ": the number is not finite or too large to be stored");
    signal += result.signal;
    squaredError += result.squaredError;
  }
  rowsDone += count;
  return writer.append(out);
}

void WeightSink::convertRow(const RowFormat &format, const std::byte *source,
                            uint64_t row, std::byte *out, RowResult &result) {
  if (format.encoding != Encoding::None)
    return copyCodes(source, row, out, result);
  thread_local std::vector<float> values;
  values.resize(stored.columns);
  if (format.type == DataType::F32) {
    std::memcpy(values.data(), source, stored.columns * sizeof(float));
  } else {
    for (uint64_t i = 0; i != stored.columns; ++i) {
      uint16_t bits;
      std::memcpy(&bits, source + 2 * i, sizeof(bits));
      values[i] =
          format.type == DataType::F16 ? f16ToFloat(bits) : bf16ToFloat(bits);
    }
  }
  // bf16 has the range of f32; all others hold what f16 holds.
  float limit =
      stored.encoding == Encoding::None && stored.type != DataType::F16
          ? std::numeric_limits<float>::max()
          : kMaxEncodedMagnitude;
  for (uint64_t i = 0; i != stored.columns; ++i) {
    if (!(std::fabs(values[i]) <= limit)) {
      result.badColumn = static_cast<int64_t>(i);
      return;
    }
    result.signal += double(values[i]) * values[i];
  }
  if (stored.encoding == Encoding::None)
    roundRow(values.data(), out, result);
  else
    encodeRow(values.data(), row, out, result);
}

void WeightSink::encodeRow(const float *values, uint64_t row, std::byte *out,
                           RowResult &result) {
  EncodedMatrix matrix(stored.encoding, stored.rows, stored.columns);
  for (uint64_t g = 0; g != matrix.groupsPerRow(); ++g) {
    EncodedGroup group = encodeGroup(matrix.getInfo(), values + g * kGroupSize);
    storeGroup(matrix, group, row, g, out);
    result.squaredError += group.squaredError;
  }
}

void WeightSink::copyCodes(const std::byte *source, uint64_t row,
                           std::byte *out, RowResult &result) {
  EncodedMatrix matrix(stored.encoding, stored.rows, stored.columns);
  for (uint64_t g = 0; g != matrix.groupsPerRow(); ++g) {
    EncodedGroup group;
    std::memcpy(&group, source + g * sizeof(group), sizeof(group));
    storeGroup(matrix, group, row, g, out);
    float values[kGroupSize];
    decodeGroup(matrix.getInfo(), group, values);
    for (float value : values)
      result.signal += double(value) * value;
  }
}

void WeightSink::storeGroup(const EncodedMatrix &matrix,
                            const EncodedGroup &group, uint64_t row,
                            uint64_t index, std::byte *out) {
  const EncodingInfo &info = matrix.getInfo();
  size_t bytes = info.wordsPerGroup() * sizeof(uint32_t);
  std::memcpy(out + index * bytes, group.words, bytes);
  for (unsigned f = 0; f != info.factorsPerGroup(); ++f)
    factors[matrix.factorIndex(row, index, f)] = group.factors[f];
}

void WeightSink::roundRow(const float *values, std::byte *out,
                          RowResult &result) const {
  for (uint64_t i = 0; i != stored.columns; ++i) {
    float rounded = roundTo(stored.type, values[i]);
    double difference = double(values[i]) - rounded;
    result.squaredError += difference * difference;
    if (stored.type == DataType::F32) {
      std::memcpy(out + 4 * i, &rounded, sizeof(rounded));
      continue;
    }
    uint16_t bits = stored.type == DataType::F16 ? floatToF16(rounded)
                                                 : floatToBf16(rounded);
    std::memcpy(out + 2 * i, &bits, sizeof(bits));
  }
}

} // namespace quern
