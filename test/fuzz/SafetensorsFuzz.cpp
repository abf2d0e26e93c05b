//===- SafetensorsFuzz.cpp - Safetensors files ----------------------------===//
//
// Attacks the reader with whole files. Accepted means: a second, naive reader
// finds the same names, types, shapes and ranges, and every byte of the data
// belongs to exactly one tensor.
//
//===----------------------------------------------------------------------===//

#include "frontend/HuggingFace/Safetensors.h"
#include "test/fuzz/Fuzz.h"

#include <cstring>
#include <map>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace quern;

namespace {

/// Reads what a valid header can hold; anything else breaks the promise.
/// Shares no code with the reader under attack.
class NaiveReader {
public:
  struct Tensor {
    std::string type;
    std::vector<unsigned long long> shape, range;
  };

  explicit NaiveReader(std::string text) : text(std::move(text)) {}

  std::map<std::string, Tensor> read() {
    std::map<std::string, Tensor> tensors;
    forEachMember([&](const std::string &name) {
      if (name == "__metadata__")
        return forEachMember([&](const std::string &) { readString(); });
      Tensor tensor;
      forEachMember([&](const std::string &key) {
        if (key == "dtype")
          tensor.type = readString();
        else if (key == "shape")
          tensor.shape = readNumbers();
        else
          tensor.range = readNumbers();
      });
      FUZZ_CHECK(tensors.emplace(name, tensor).second);
    });
    skipSpace();
    FUZZ_CHECK(at == text.size());
    return tensors;
  }

private:
  void skipSpace() {
    while (at < text.size() && std::strchr(" \t\r\n", text[at]) && text[at])
      ++at;
  }
  bool accept(char c) {
    skipSpace();
    bool found = at < text.size() && text[at] == c;
    at += found;
    return found;
  }
  template <typename Body> void forEachMember(Body body) {
    FUZZ_CHECK(accept('{'));
    if (accept('}'))
      return;
    do {
      std::string key = readString();
      FUZZ_CHECK(accept(':'));
      body(key);
    } while (accept(','));
    FUZZ_CHECK(accept('}'));
  }
  std::vector<unsigned long long> readNumbers() {
    std::vector<unsigned long long> numbers;
    FUZZ_CHECK(accept('['));
    if (accept(']'))
      return numbers;
    do {
      skipSpace();
      size_t end = at;
      bool isMinusZero = text.compare(at, 2, "-0") == 0;
      end += isMinusZero;
      while (end < text.size() && text[end] >= '0' && text[end] <= '9')
        ++end;
      FUZZ_CHECK(end > at);
      numbers.push_back(isMinusZero ? 0
                                    : std::stoull(text.substr(at, end - at)));
      at = end;
    } while (accept(','));
    FUZZ_CHECK(accept(']'));
    return numbers;
  }
  unsigned readHex() {
    unsigned value = std::stoul(text.substr(at, 4), nullptr, 16);
    at += 4;
    return value;
  }
  static void appendUtf8(std::string &out, unsigned c) {
    if (c < 0x80) {
      out += static_cast<char>(c);
      return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out += static_cast<char>(((0xFF00 >> (more + 1)) & 0xFF) | c >> (6 * more));
    while (more-- > 0)
      out += static_cast<char>(0x80 | (c >> (6 * more) & 0x3F));
  }
  std::string readString() {
    std::string out;
    FUZZ_CHECK(accept('"'));
    while (at < text.size() && text[at] != '"') {
      if (text[at] != '\\') {
        out += text[at++];
        continue;
      }
      char c = text[++at];
      ++at;
      if (c != 'u') {
        const char *from = "bfnrt", *to = "\b\f\n\r\t";
        const char *place = std::strchr(from, c);
        out += place ? to[place - from] : c;
        continue;
      }
      unsigned code = readHex();
      if (code >= 0xD800 && code < 0xDC00) {
        at += 2;
        code = 0x10000 + ((code - 0xD800) << 10) + (readHex() - 0xDC00);
      }
      appendUtf8(out, code);
    }
    FUZZ_CHECK(accept('"'));
    return out;
  }

  std::string text;
  size_t at = 0;
};

} // namespace

static void compare(const SafetensorsHeader &header, std::string_view file) {
  std::string text(file.substr(8, header.dataOffset - 8));
  auto tensors = NaiveReader(text).read();
  FUZZ_CHECK(tensors.size() == header.entries.size());
  std::vector<unsigned char> owners(file.size() - header.dataOffset, 0);
  for (const SafetensorsEntry &entry : header.entries) {
    FUZZ_CHECK(tensors.contains(entry.name));
    const NaiveReader::Tensor &naive = tensors[entry.name];
    FUZZ_CHECK(naive.type == dataTypeName(entry.type));
    FUZZ_CHECK(naive.shape.size() == entry.shape.size());
    unsigned __int128 bits = dataTypeBits(entry.type);
    for (size_t i = 0; i < naive.shape.size(); ++i) {
      FUZZ_CHECK(naive.shape[i] == static_cast<uint64_t>(entry.shape[i]));
      bits *= naive.shape[i];
      FUZZ_CHECK(bits >> 64 == 0);
    }
    FUZZ_CHECK(naive.range.size() == 2);
    FUZZ_CHECK(entry.offset == header.dataOffset + naive.range[0]);
    FUZZ_CHECK(entry.byteSize == naive.range[1] - naive.range[0]);
    FUZZ_CHECK(bits == static_cast<unsigned __int128>(entry.byteSize) * 8);
    for (uint64_t i = naive.range[0]; i < naive.range[1]; ++i)
      ++owners.at(i);
  }
  for (unsigned char count : owners)
    FUZZ_CHECK(count == 1);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
  FUZZ_CHECK(fd >= 0);
  FUZZ_CHECK(::write(fd, data, size) == static_cast<ssize_t>(size));
  Result<File> file = File::open("/proc/self/fd/" + std::to_string(fd));
  FUZZ_CHECK(file.isOk());
  Result<SafetensorsHeader> header = readSafetensorsHeader(*file);
  if (header.isOk())
    compare(*header, fuzz::asText(data, size));
  else
    fuzz::checkRefusal(header.getStatus());
  ::close(fd);
  return 0;
}
