//===- PanelSink.cpp - Rows of words to panels ----------------------------===//
#include "codegen/Bundle/PanelSink.h"

#include <algorithm>
#include <cstring>

using namespace quern;

static constexpr size_t kWordBytes = 4;

PanelSink::PanelSink(BundleWriter &writer, size_t rows, size_t rowBytes,
                     uint64_t matrixBytes)
    : writer(writer), rows(rows), rowBytes(rowBytes),
      bytesLeft(rows == 0 ? 0 : matrixBytes), panel(rows * rowBytes),
      words(rows * rowBytes) {}

Status PanelSink::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (bytesLeft == 0)
      return writer.append(bytes);
    size_t count = std::min(bytes.size(), panel.size() - filled);
    std::memcpy(panel.data() + filled, bytes.data(), count);
    bytes = bytes.subspan(count);
    filled += count;
    if (filled == panel.size())
      QUERN_RETURN_IF_ERROR(writePanel());
  }
  return Status::ok();
}

Status PanelSink::writePanel() {
  std::byte *to = words.data();
  for (size_t word = 0; word != rowBytes / kWordBytes; ++word)
    for (size_t row = 0; row != rows; ++row, to += kWordBytes)
      std::memcpy(to, panel.data() + row * rowBytes + word * kWordBytes,
                  kWordBytes);
  filled = 0;
  bytesLeft -= panel.size();
  return writer.append(words);
}
