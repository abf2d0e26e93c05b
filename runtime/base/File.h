//===- File.h - Reading regular files ----------------------------*- C++
//-*-===//
//
// Opens without blocking, accepts regular files only, and reports every
// failure with the path and the byte offset. Objects are movable; const
// methods may be called from several threads.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_FILE_H
#define QUERN_RUNTIME_BASE_FILE_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quern {

/// An open descriptor, closed on destruction.
class FileDescriptor {
public:
  FileDescriptor() = default;
  explicit FileDescriptor(int value) : value(value) {}
  FileDescriptor(FileDescriptor &&other) noexcept
      : value(std::exchange(other.value, -1)) {}
  FileDescriptor &operator=(FileDescriptor &&other) noexcept {
    std::swap(value, other.value);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return value; }
  explicit operator bool() const { return value >= 0; }
  /// Gives up ownership.
  int release() { return std::exchange(value, -1); }
  /// Closes now; false with errno set if the system reports an error.
  bool close();

private:
  int value = -1;
};

/// "path: what: reason of errno", as NotFound for a missing path and IoError
/// for the rest. `path` is escaped.
Status errnoStatus(std::string_view path, std::string_view what,
                   int errorNumber);

/// "a FIFO", "a directory", ... for a mode of stat, "a regular file" included.
std::string_view fileKindName(unsigned mode);

/// A regular file opened for reading; its size is taken once at open.
class File {
public:
  /// Opens `path`. Refuses whatever is not a regular file, without blocking.
  static Result<File> open(const std::string &path);

  /// Opens `name` relative to the directory `directory`; `displayName` is what
  /// messages call it. Policy on names (see ModelDir) is the caller's.
  static Result<File> openAt(int directory, const std::string &name,
                             const std::string &displayName);

  uint64_t getSize() const { return size; }
  /// The escaped name used in messages.
  const std::string &getName() const { return name; }
  int getDescriptor() const { return descriptor.get(); }

  /// Fills `out` from `offset`. Retries interrupted and short reads; reports
  /// the offset at which the file ended or the system failed.
  Status readAt(uint64_t offset, std::span<std::byte> out) const;

private:
  static Result<File> openEscaped(int directory, const std::string &name,
                                  std::string displayName);
  Status readAllAt(uint64_t offset, std::span<std::byte> out) const;

  FileDescriptor descriptor;
  std::string name;
  uint64_t size = 0;
};

/// A whole file mapped read-only and private. If another process shortens the
/// file afterwards, an access past its new end raises SIGBUS: use readAt for
/// what must survive that.
class MappedFile {
public:
  enum class Advice { Normal, Sequential, Random, WillNeed, DontNeed };

  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// Maps all of `file`, whose descriptor is not needed afterwards. An empty
  /// file gives an empty mapping.
  static Result<MappedFile> map(const File &file);

  std::span<const std::byte> getBytes() const { return {data, size}; }

  /// Passes a hint for a byte range to the system; failures do not matter.
  void advise(Advice advice, uint64_t offset, uint64_t length) const;
  void advise(Advice advice) const { advise(advice, 0, size); }

private:
  const std::byte *data = nullptr;
  size_t size = 0;
};

/// All bytes of a regular file, refused before reading if larger than
/// `maxBytes`.
Result<std::string> readWholeFile(const File &file, uint64_t maxBytes);
Result<std::string> readWholeFile(const std::string &path, uint64_t maxBytes);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_FILE_H
