//===- AtomicFile.h - Output that is complete or absent ----------*- C++
//-*-===//
//
// Writes into a temporary file beside the destination and renames it over the
// destination when everything has reached the disk. Whatever fails, or if the
// process is killed, an older file at the destination stays as it was.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_ATOMICFILE_H
#define QUERN_RUNTIME_BASE_ATOMICFILE_H

#include "runtime/base/File.h"
#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quern {

/// One output file in the making. Movable, not thread-safe; the destructor
/// removes the temporary file unless commit() succeeded.
///
/// Temporary files are called ".quern-<pid>-<n>.tmp" and locked (flock) while
/// their writer lives; create() removes those of dead writers that it finds in
/// the destination folder. A process that wants to see EFBIG instead of being
/// killed at RLIMIT_FSIZE must ignore SIGXFSZ.
class AtomicFile {
public:
  /// Refuses a destination that exists and is no regular file (/dev/full, a
  /// folder). A symbolic link is followed: what it names is replaced.
  static Result<AtomicFile> create(const std::string &path);

  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&other) noexcept;
  ~AtomicFile();

  /// Asks the file system to set aside `bytes`, so that a full disk is found
  /// before the work is done. File systems that cannot are fine.
  Status reserve(uint64_t bytes);

  /// Writes at the end of what has been written so far.
  Status append(std::span<const std::byte> bytes);
  Status append(std::string_view text);
  /// Writes anywhere; a gap reads as zeros. Moves the end if past it.
  Status writeAt(uint64_t offset, std::span<const std::byte> bytes);
  /// Appends zeros up to the next multiple of `alignment`, a power of two.
  Status padTo(uint64_t alignment);

  /// Bytes so far: where append() writes next.
  uint64_t getSize() const { return size; }
  /// The escaped destination for messages.
  const std::string &getName() const { return name; }

  /// Flushes, renames onto the destination and flushes its folder. After an
  /// error the temporary file is gone. Nothing may be written afterwards.
  Status commit();
  /// Gives up: removes the temporary file. Idempotent.
  void discard();

private:
  AtomicFile() = default;
  static Result<AtomicFile> createAt(const std::string &path);
  Status openTemporary();
  Status writeAllAt(uint64_t offset, std::span<const std::byte> bytes);
  Status finish();

  FileDescriptor directory;
  FileDescriptor descriptor;
  std::string temporaryName;
  std::string finalName;
  std::string name;
  uint64_t size = 0;
};

/// Writes `bytes` to `path` through an AtomicFile.
Status writeFileAtomically(const std::string &path, std::string_view bytes);

/// Removes temporary files of dead writers from an open folder; returns how
/// many.
unsigned removeStaleTemporaries(int directory);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_ATOMICFILE_H
