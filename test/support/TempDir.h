//===- TempDir.h - Scratch folders and files for tests -----------*- C++
//-*-===//
#ifndef QUERN_TEST_SUPPORT_TEMPDIR_H
#define QUERN_TEST_SUPPORT_TEMPDIR_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace quern::test {

/// A fresh folder, removed with its content at the end.
class TempDir {
public:
  TempDir() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "quern-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data()))
      std::abort();
    path = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;

  std::string str() const { return path.string(); }
  std::string file(std::string_view name) const {
    return (path / name).string();
  }

  /// Writes a file and returns its path.
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path / name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file(name);
  }

  /// Number of entries in the folder.
  size_t count() const {
    size_t entries = 0;
    for ([[maybe_unused]] const auto &entry :
         std::filesystem::directory_iterator(path))
      ++entries;
    return entries;
  }

private:
  std::filesystem::path path;
};

/// All bytes of a file; empty if there is none.
inline std::string readBytes(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_TEMPDIR_H
