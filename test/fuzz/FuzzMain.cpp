//===- FuzzMain.cpp - Runs a harness without libFuzzer --------------------===//
//
// Usage: harness [--mutations N] [--dictionary FILE] CORPUS...
// Runs every file of the corpus folders and then N mutations of them, the same
// in every run. An input that crashes is kept in ./fuzz-crash.bin.
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/Fuzz.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

static const std::string *currentInput = nullptr;

/// Keeps the input that was running when the process dies.
static void saveInput(int signalNumber) {
  int fd = ::open("fuzz-crash.bin", O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (fd >= 0 && currentInput) {
    [[maybe_unused]] ssize_t written =
        ::write(fd, currentInput->data(), currentInput->size());
    ::close(fd);
  }
  ::signal(signalNumber, SIG_DFL);
  ::raise(signalNumber);
}

namespace {

/// A small fixed generator (splitmix64): the same numbers everywhere.
class Random {
public:
  uint64_t next() {
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  size_t below(size_t bound) { return bound ? next() % bound : 0; }

private:
  uint64_t state = 42;
};

using Strings = std::vector<std::string>;

/// Numbers at the edges, as text for JSON.
const Strings edgeNumbers = {"0",
                             "-1",
                             "1",
                             "2147483648",
                             "4294967296",
                             "9223372036854775807",
                             "9223372036854775808",
                             "18446744073709551615",
                             "18446744073709551616",
                             "1e308",
                             "1e999",
                             "0.5",
                             "-0.0",
                             "NaN",
                             "true",
                             "null",
                             "[]",
                             "{}",
                             "\"\""};

class Mutator {
public:
  Mutator(const Strings &corpus, const Strings &words)
      : corpus(corpus), words(words) {}

  /// A corpus file with mostly one, at most eight changes.
  std::string next() {
    std::string text = pick(corpus);
    size_t changes = 1 + (random.below(4) == 0 ? random.below(8) : 0);
    for (; changes > 0; --changes)
      change(text);
    if (text.size() > maxSize)
      text.resize(maxSize);
    return text;
  }

private:
  static constexpr size_t maxSize = 64 << 10;

  const std::string &pick(const Strings &list) {
    return list[random.below(list.size())];
  }

  void change(std::string &text) {
    size_t at = random.below(text.size() + 1);
    size_t length = std::min(random.below(16), text.size() - at);
    // Numbers most often: that leaves the text well-formed.
    switch (size_t kind = random.below(16)) {
    case 0:
      if (at < text.size())
        text[at] ^= static_cast<char>(1u << random.below(8));
      break;
    case 1:
      if (at < text.size())
        text[at] = static_cast<char>(random.next());
      break;
    case 2:
      text.erase(at, length);
      break;
    case 3:
      text.insert(at, text.substr(random.below(text.size() + 1), length * 4));
      break;
    case 4:
      text.insert(at, std::string(length, static_cast<char>(random.next())));
      break;
    case 6:
      if (!words.empty())
        text.insert(at, pick(words));
      break;
    case 7:
      text.resize(at);
      break;
    case 8: {
      const std::string &other = pick(corpus);
      size_t from = random.below(other.size() + 1);
      text.replace(at, length, other.substr(from, random.below(64)));
      break;
    }
    default:
      replaceNumber(text, at, /*byEdge=*/kind % 2 == 0);
    }
  }

  /// Replaces the next run of digits by an edge case or a small number.
  void replaceNumber(std::string &text, size_t at, bool byEdge) {
    size_t begin = text.find_first_of("0123456789", at);
    if (begin == std::string::npos)
      return;
    size_t end = text.find_first_not_of("0123456789.eE+-", begin);
    end = end == std::string::npos ? text.size() : end;
    text.replace(begin, end - begin,
                 byEdge ? pick(edgeNumbers)
                        : std::to_string(random.below(300)));
  }

  const Strings &corpus;
  const Strings &words;
  Random random;
};

} // namespace

static void run(const std::string &input) {
  currentInput = &input;
  auto start = std::chrono::steady_clock::now();
  // A copy of exact size lets AddressSanitizer see reads past the end.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  // Generous: loaded machines and sanitizers are slow, hangs are slower.
  FUZZ_CHECK(std::chrono::steady_clock::now() - start <
             std::chrono::seconds(20));
  currentInput = nullptr;
}

/// The files of a folder in order of their names, or one file.
static void readCorpus(const std::filesystem::path &path, Strings &corpus) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path))
    for (const auto &entry : std::filesystem::directory_iterator(path))
      files.push_back(entry.path());
  else
    files.push_back(path);
  std::sort(files.begin(), files.end());
  for (const auto &file : files) {
    std::ifstream stream(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(stream),
                        std::istreambuf_iterator<char>());
  }
}

/// The words of a libFuzzer dictionary: lines of the form "word", with \xNN,
/// \" and \\ inside.
static void readDictionary(const std::string &path, Strings &words) {
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) {
    size_t begin = line.find('"'), end = line.rfind('"');
    if (line.starts_with('#') || begin == end)
      continue;
    std::string word;
    for (size_t i = begin + 1; i < end; ++i) {
      if (line[i] != '\\') {
        word += line[i];
      } else if (line[i + 1] == 'x') {
        word += static_cast<char>(
            std::strtoul(line.substr(i + 2, 2).c_str(), nullptr, 16));
        i += 3;
      } else {
        word += line[++i];
      }
    }
    words.push_back(word);
  }
}

int main(int argc, char **argv) {
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    ::signal(number, saveInput);
  Strings corpus, words;
  unsigned long mutations = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--mutations") && i + 1 < argc)
      mutations = std::strtoul(argv[++i], nullptr, 10);
    else if (!std::strcmp(argv[i], "--dictionary") && i + 1 < argc)
      readDictionary(argv[++i], words);
    else
      readCorpus(argv[i], corpus);
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus\n");
    return 1;
  }
  for (const std::string &input : corpus)
    run(input);
  Mutator mutator(corpus, words);
  for (unsigned long i = 0; i < mutations; ++i)
    run(mutator.next());
  std::printf("%zu files and %lu mutations\n", corpus.size(), mutations);
  return 0;
}
