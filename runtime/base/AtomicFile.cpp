//===- AtomicFile.cpp - Output that is complete or absent -----------------===//

#include "runtime/base/AtomicFile.h"

#include "runtime/base/Allocation.h"
#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Fault.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <limits>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace quern;

static constexpr std::string_view temporaryPrefix = ".quern-";
static constexpr std::string_view temporarySuffix = ".tmp";

//===----------------------------------------------------------------------===//
// Temporary files of dead writers
//===----------------------------------------------------------------------===//

/// Whether `name` is ".quern-<digits>-<digits>.tmp".
static bool isTemporaryName(std::string_view name) {
  if (!name.starts_with(temporaryPrefix) || !name.ends_with(temporarySuffix) ||
      name.size() < temporaryPrefix.size() + temporarySuffix.size())
    return false;
  name.remove_prefix(temporaryPrefix.size());
  name.remove_suffix(temporarySuffix.size());
  size_t dash = name.find('-');
  auto isNumber = [](std::string_view text) {
    return !text.empty() &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && isNumber(name.substr(0, dash)) &&
         isNumber(name.substr(dash + 1));
}

/// Removes one temporary file if nobody holds its lock.
static bool removeIfStale(int directory, const char *name) {
  FileDescriptor fd(::openat(directory, name,
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
      ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return false;
  return ::unlinkat(directory, name, 0) == 0;
}

unsigned quern::removeStaleTemporaries(int directory) {
  int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (!stream) {
    if (copy >= 0)
      ::close(copy);
    return 0;
  }
  unsigned removed = 0;
  while (struct dirent *entry = ::readdir(stream))
    if (isTemporaryName(entry->d_name))
      removed += removeIfStale(directory, entry->d_name);
  ::closedir(stream);
  return removed;
}

//===----------------------------------------------------------------------===//
// Creation
//===----------------------------------------------------------------------===//

AtomicFile::AtomicFile(AtomicFile &&other) noexcept {
  *this = std::move(other);
}

AtomicFile &AtomicFile::operator=(AtomicFile &&other) noexcept {
  if (this == &other)
    return *this;
  discard();
  std::swap(directory, other.directory);
  std::swap(descriptor, other.descriptor);
  temporaryName = std::exchange(other.temporaryName, {});
  finalName = std::exchange(other.finalName, {});
  name = std::exchange(other.name, {});
  size = std::exchange(other.size, 0);
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

/// The path that a rename shall replace: `path`, or what the link there names.
static Result<std::string> resolveDestination(const std::string &path) {
  if (path.empty() || path.find('\0') != std::string::npos)
    return invalidArgument(quoteName(path) + ": not a file name");
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT)
      return path;
    return errnoStatus(path, "cannot write", errno);
  }
  bool isLink = S_ISLNK(info.st_mode);
  if (isLink && ::stat(path.c_str(), &info) != 0)
    return errnoStatus(path, "cannot follow the symbolic link", errno);
  if (!S_ISREG(info.st_mode))
    return invalidArgument(escapeText(path, 4096) +
                           ": cannot write: expected a regular file or nothing,"
                           " found " +
                           std::string(fileKindName(info.st_mode)));
  if (!isLink)
    return path;
  char *real = ::realpath(path.c_str(), nullptr);
  if (!real)
    return errnoStatus(path, "cannot follow the symbolic link", errno);
  std::string resolved = real;
  ::free(real);
  return resolved;
}

Result<AtomicFile> AtomicFile::create(const std::string &path) {
  return guardAllocation("creating a file", [&] { return createAt(path); });
}

Result<AtomicFile> AtomicFile::createAt(const std::string &path) {
  QUERN_ASSIGN_OR_RETURN(std::string target, resolveDestination(path));
  size_t slash = target.rfind('/');
  std::string folder = slash == std::string::npos ? "."
                       : slash == 0               ? "/"
                                                  : target.substr(0, slash);
  AtomicFile file;
  file.name = escapeText(path, 4096);
  file.finalName =
      slash == std::string::npos ? target : target.substr(slash + 1);
  if (file.finalName.empty() || file.finalName == "." || file.finalName == "..")
    return invalidArgument(file.name + ": cannot write: not a file name");
  file.directory = FileDescriptor(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.directory)
    return errnoStatus(path, "cannot open the folder to write to", errno);
  removeStaleTemporaries(file.directory.get());
  QUERN_RETURN_IF_ERROR(file.openTemporary());
  return file;
}

Status AtomicFile::openTemporary() {
  static std::atomic<unsigned> counter{0};
  for (unsigned attempt = 0; attempt < 1000; ++attempt) {
    std::string candidate =
        std::string(temporaryPrefix) + std::to_string(::getpid()) + "-" +
        std::to_string(counter++) + std::string(temporarySuffix);
    FileDescriptor fd(::openat(directory.get(), candidate.c_str(),
                               O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!fd && (errno == EEXIST || errno == EINTR))
      continue;
    if (!fd)
      return errnoStatus(name, "cannot create a temporary file", errno);
    // Another process may clean up between the creation and the lock: then the
    // file has no name any more, and we take the next one.
    struct stat info{};
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      continue;
    if (::fstat(fd.get(), &info) != 0 || info.st_nlink == 0)
      continue;
    descriptor = std::move(fd);
    temporaryName = std::move(candidate);
    return Status::ok();
  }
  return ioError(name + ": cannot create a temporary file: no free name");
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Status AtomicFile::reserve(uint64_t bytes) {
  std::optional<off_t> length = checkedCast<off_t>(bytes);
  if (!length)
    return resourceExhausted(name + ": cannot reserve " +
                             std::to_string(bytes) + " bytes");
  if (*length == 0 ||
      ::fallocate(descriptor.get(), FALLOC_FL_KEEP_SIZE, 0, *length) == 0)
    return Status::ok();
  if (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)
    return errnoStatus(
        name, "cannot reserve " + std::to_string(bytes) + " bytes", errno);
  return Status::ok();
}

/// One write, with the faults of tests.
static ssize_t writeOnce(int fd, std::span<const std::byte> bytes,
                         uint64_t offset) {
  switch (faultAt(FaultPoint::Write)) {
  case FaultKind::Fail:
    return -1;
  case FaultKind::Short:
    bytes = bytes.first(1);
    break;
  default:
    break;
  }
  size_t length = std::min<size_t>(bytes.size(), size_t(1) << 30);
  return ::pwrite(fd, bytes.data(), length, static_cast<off_t>(offset));
}

Status AtomicFile::writeAt(uint64_t offset, std::span<const std::byte> bytes) {
  return guardAllocation("writing a file",
                         [&] { return writeAllAt(offset, bytes); });
}

Status AtomicFile::writeAllAt(uint64_t offset,
                              std::span<const std::byte> bytes) {
  if (!descriptor)
    return internalError(name + ": written to after commit or discard");
  std::optional<uint64_t> end = checkedAdd<uint64_t>(offset, bytes.size());
  if (!end || !checkedCast<off_t>(*end))
    return invalidArgument(name + ": offset " + std::to_string(offset) +
                           " is past the largest file");
  while (!bytes.empty()) {
    ssize_t count = writeOnce(descriptor.get(), bytes, offset);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return errnoStatus(name, "cannot write at byte " + std::to_string(offset),
                         count < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
    size = std::max(size, offset);
  }
  return Status::ok();
}

Status AtomicFile::append(std::span<const std::byte> bytes) {
  return writeAt(size, bytes);
}

Status AtomicFile::append(std::string_view text) {
  return append(std::as_bytes(std::span(text)));
}

Status AtomicFile::padTo(uint64_t alignment) {
  std::optional<uint64_t> end = checkedAlign<uint64_t>(size, alignment);
  if (!end)
    return invalidArgument(name + ": cannot align byte " +
                           std::to_string(size) + " to " +
                           std::to_string(alignment));
  static constexpr std::array<std::byte, 4096> zeros{};
  while (size < *end)
    QUERN_RETURN_IF_ERROR(append(
        std::span(zeros).first(std::min<uint64_t>(zeros.size(), *end - size))));
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Completion
//===----------------------------------------------------------------------===//

static bool syncDescriptor(int fd) {
  return faultAt(FaultPoint::Sync) != FaultKind::Fail && ::fsync(fd) == 0;
}

Status AtomicFile::commit() {
  Status status =
      guardAllocation("completing a file", [&] { return finish(); });
  if (!status.isOk())
    discard();
  return status;
}

Status AtomicFile::finish() {
  if (!descriptor)
    return internalError(name + ": committed twice or after discard");
  auto fail = [&](std::string_view what) {
    return errnoStatus(name, what, errno);
  };
  if (!syncDescriptor(descriptor.get()))
    return fail("cannot flush to disk");
  // The lock ends with the descriptor, so it stays open until the rename.
  if (faultAt(FaultPoint::Rename) == FaultKind::Fail ||
      ::renameat(directory.get(), temporaryName.c_str(), directory.get(),
                 finalName.c_str()) != 0)
    return fail("cannot rename the temporary file to its final name");
  temporaryName.clear();
  bool closed = descriptor.close();
  if (!closed)
    return fail("cannot close");
  // Some file systems do not sync folders; the rename is done all the same.
  if (!syncDescriptor(directory.get()) && errno != EINVAL && errno != ENOTSUP)
    return fail("written, but cannot flush its folder to disk");
  return Status::ok();
}

void AtomicFile::discard() {
  if (directory && !temporaryName.empty())
    ::unlinkat(directory.get(), temporaryName.c_str(), 0);
  temporaryName.clear();
  descriptor.close();
}

Status quern::writeFileAtomically(const std::string &path,
                                  std::string_view bytes) {
  QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  QUERN_RETURN_IF_ERROR(file.append(bytes));
  return file.commit();
}
