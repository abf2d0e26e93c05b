//===- File.cpp - Reading regular files -----------------------------------===//

#include "runtime/base/File.h"

#include "runtime/base/Allocation.h"
#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Fault.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace quern;

FileDescriptor::~FileDescriptor() { close(); }

bool FileDescriptor::close() {
  int old = std::exchange(value, -1);
  return old < 0 || ::close(old) == 0;
}

Status quern::errnoStatus(std::string_view path, std::string_view what,
                          int errorNumber) {
  std::string message = escapeText(path, 4096) + ": " + std::string(what) +
                        ": " + std::strerror(errorNumber);
  if (errorNumber == ENOENT || errorNumber == ENOTDIR)
    return notFound(std::move(message));
  if (errorNumber == ENOMEM)
    return resourceExhausted(std::move(message));
  return ioError(std::move(message));
}

std::string_view quern::fileKindName(unsigned mode) {
  switch (mode & S_IFMT) {
  case S_IFREG:
    return "a regular file";
  case S_IFDIR:
    return "a directory";
  case S_IFIFO:
    return "a FIFO";
  case S_IFSOCK:
    return "a socket";
  case S_IFCHR:
  case S_IFBLK:
    return "a device";
  default:
    return "a special file";
  }
}

//===----------------------------------------------------------------------===//
// File
//===----------------------------------------------------------------------===//

Result<File> File::open(const std::string &path) {
  return openAt(AT_FDCWD, path, path);
}

Result<File> File::openAt(int directory, const std::string &name,
                          const std::string &displayName) {
  return guardAllocation("opening a file", [&] {
    return openEscaped(directory, name, escapeText(displayName, 4096));
  });
}

Result<File> File::openEscaped(int directory, const std::string &name,
                               std::string displayName) {
  if (name.empty() || name.find('\0') != std::string::npos)
    return invalidArgument("'" + displayName + "': not a file name");
  // O_NONBLOCK: a FIFO without a writer must not make us wait.
  int fd = -1;
  if (faultAt(FaultPoint::Open) != FaultKind::Fail) {
    do
      fd = ::openat(directory, name.c_str(),
                    O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
  }
  if (fd < 0) {
    if (errno == ENXIO)
      return invalidArgument(
          displayName + ": expected a regular file, found a socket or device");
    return errnoStatus(displayName, "cannot open", errno);
  }
  File file;
  file.descriptor = FileDescriptor(fd);
  file.name = std::move(displayName);
  struct stat info{};
  if (::fstat(fd, &info) != 0)
    return errnoStatus(file.name, "cannot stat", errno);
  if (!S_ISREG(info.st_mode))
    return invalidArgument(file.name + ": expected a regular file, found " +
                           std::string(fileKindName(info.st_mode)));
  file.size = static_cast<uint64_t>(info.st_size);
  return file;
}

/// One read of at most `out.size()` bytes, with the faults of tests.
static ssize_t readOnce(int fd, std::span<std::byte> out, uint64_t offset) {
  switch (faultAt(FaultPoint::Read)) {
  case FaultKind::Fail:
    return -1;
  case FaultKind::Short:
    out = out.first(1);
    break;
  default:
    break;
  }
  // The kernel moves at most 2 GiB at once anyway.
  size_t length = std::min<size_t>(out.size(), size_t(1) << 30);
  return ::pread(fd, out.data(), length, static_cast<off_t>(offset));
}

Status File::readAt(uint64_t offset, std::span<std::byte> out) const {
  return guardAllocation("reading a file",
                         [&] { return readAllAt(offset, out); });
}

Status File::readAllAt(uint64_t offset, std::span<std::byte> out) const {
  if (!rangeInside(offset, out.size(), size))
    return corrupt(name + ": expected " + std::to_string(out.size()) +
                   " bytes at byte " + std::to_string(offset) +
                   ", but the file has " + std::to_string(size));
  while (!out.empty()) {
    ssize_t count = readOnce(descriptor.get(), out, offset);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return errnoStatus(name, "cannot read at byte " + std::to_string(offset),
                         errno);
    if (count == 0)
      return ioError(name + ": the file ended at byte " +
                     std::to_string(offset) + ", " +
                     std::to_string(out.size()) + " bytes early");
    out = out.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// MappedFile
//===----------------------------------------------------------------------===//

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)),
      size(std::exchange(other.size, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  return *this;
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<std::byte *>(data), size);
}

Result<MappedFile> MappedFile::map(const File &file) {
  MappedFile mapped;
  if (file.getSize() == 0)
    return mapped;
  std::optional<size_t> length = checkedCast<size_t>(file.getSize());
  void *address = MAP_FAILED;
  errno = ENOMEM;
  if (length && faultAt(FaultPoint::Map) != FaultKind::Fail)
    address = ::mmap(nullptr, *length, PROT_READ, MAP_PRIVATE,
                     file.getDescriptor(), 0);
  if (address == MAP_FAILED)
    return errnoStatus(
        file.getName(),
        "cannot map " + std::to_string(file.getSize()) + " bytes", errno);
  mapped.data = static_cast<const std::byte *>(address);
  mapped.size = *length;
  return mapped;
}

void MappedFile::advise(Advice advice, uint64_t offset, uint64_t length) const {
  if (!data || !rangeInside(offset, length, size))
    return;
  static constexpr int flags[] = {MADV_NORMAL, MADV_SEQUENTIAL, MADV_RANDOM,
                                  MADV_WILLNEED, MADV_DONTNEED};
  uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  uint64_t begin = offset / page * page;
  ::madvise(const_cast<std::byte *>(data) + begin, offset + length - begin,
            flags[static_cast<int>(advice)]);
}

//===----------------------------------------------------------------------===//
// Whole files
//===----------------------------------------------------------------------===//

Result<std::string> quern::readWholeFile(const File &file, uint64_t maxBytes) {
  return guardAllocation("reading a file", [&]() -> Result<std::string> {
    if (file.getSize() > maxBytes)
      return corrupt(file.getName() + ": the file has " +
                     std::to_string(file.getSize()) +
                     " bytes, expected at most " + std::to_string(maxBytes));
    if (faultAt(FaultPoint::Allocate) == FaultKind::Fail)
      throw std::bad_alloc();
    std::string bytes(file.getSize(), '\0');
    QUERN_RETURN_IF_ERROR(
        file.readAt(0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  });
}

Result<std::string> quern::readWholeFile(const std::string &path,
                                         uint64_t maxBytes) {
  QUERN_ASSIGN_OR_RETURN(File file, File::open(path));
  return readWholeFile(file, maxBytes);
}
