//===- ModelDir.cpp - The folder of a checkpoint --------------------------===//

#include "frontend/HuggingFace/ModelDir.h"

#include "runtime/base/Allocation.h"
#include "runtime/base/Escape.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

using namespace quern;

Status quern::checkFileName(std::string_view name) {
  auto refuse = [&](std::string_view why) {
    return corrupt("file name " + quoteName(name) + " " + std::string(why));
  };
  if (name.empty())
    return refuse("is empty");
  if (name.size() > 255)
    return refuse("has more than 255 bytes");
  if (name == "." || name == "..")
    return refuse("names a folder");
  if (name.find_first_of("/\\") != std::string_view::npos)
    return refuse("holds a path separator; expected a file of the folder");
  if (name.size() >= 2 && name[1] == ':' &&
      std::isalpha(static_cast<unsigned char>(name[0])))
    return refuse("starts with a drive letter");
  for (unsigned char c : name)
    if (c < 0x20 || c == 0x7F)
      return refuse("holds a control character");
  if (!isValidUtf8(name))
    return refuse("is not UTF-8");
  return Status::ok();
}

Result<ModelDir> ModelDir::open(const std::string &path) {
  return guardAllocation("opening a folder", [&] { return openFolder(path); });
}

Result<ModelDir> ModelDir::openFolder(const std::string &path) {
  if (path.empty() || path.find('\0') != std::string::npos)
    return invalidArgument(quoteName(path) + ": not a path");
  ModelDir result;
  result.path = escapeText(path, 4096);
  while (result.path.size() > 1 && result.path.back() == '/')
    result.path.pop_back();
  result.directory = FileDescriptor(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!result.directory && errno == ENOTDIR)
    return invalidArgument(result.path +
                           ": expected a folder with a checkpoint, found a "
                           "file");
  if (!result.directory)
    return errnoStatus(path, "cannot open the folder", errno);
  return result;
}

Result<File> ModelDir::openFile(std::string_view name) const {
  return guardAllocation("opening a file", [&] { return openChecked(name); });
}

Result<File> ModelDir::openChecked(std::string_view name) const {
  if (Status status = checkFileName(name); !status.isOk())
    return std::move(status).withContext(path);
  return File::openAt(directory.get(), std::string(name),
                      path + "/" + std::string(name));
}

Result<std::optional<File>>
ModelDir::openFileIfPresent(std::string_view name) const {
  return guardAllocation("opening a file", [&] { return openIfPresent(name); });
}

Result<std::optional<File>>
ModelDir::openIfPresent(std::string_view name) const {
  Result<File> file = openChecked(name);
  if (file.isOk())
    return std::optional<File>(std::move(*file));
  if (file.getStatus().getCode() != StatusCode::NotFound)
    return std::move(file).takeStatus();
  struct stat info{};
  if (::fstatat(directory.get(), std::string(name).c_str(), &info,
                AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(info.st_mode))
    return notFound(path + "/" + std::string(name) +
                    ": a symbolic link to a file that does not exist; is the "
                    "download complete?");
  return std::optional<File>();
}

Result<std::vector<std::string>> ModelDir::listNames() const {
  return guardAllocation("listing a folder", [&] { return readNames(); });
}

Result<std::vector<std::string>> ModelDir::readNames() const {
  FileDescriptor copy(
      ::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy)
    return errnoStatus(path, "cannot list the folder", errno);
  std::unique_ptr<DIR, int (*)(DIR *)> stream(::fdopendir(copy.get()),
                                              ::closedir);
  if (!stream)
    return errnoStatus(path, "cannot list the folder", errno);
  copy.release();
  std::vector<std::string> names;
  while (struct dirent *entry = ::readdir(stream.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..")
      names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

static bool isSameFile(const struct stat &a, const struct stat &b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Error if `output` exists and is one of the folder's files.
Status ModelDir::checkNotInput(const std::string &output) const {
  struct stat target{}, info{};
  if (::stat(output.c_str(), &target) != 0)
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(std::vector<std::string> names, listNames());
  for (const std::string &name : names)
    if (::fstatat(directory.get(), name.c_str(), &info, 0) == 0 &&
        isSameFile(info, target))
      return invalidArgument(escapeText(output, 4096) +
                             ": the output would overwrite the input file " +
                             path + "/" + escapeText(name));
  return Status::ok();
}

Status ModelDir::checkOutputPath(const std::string &output) const {
  return guardAllocation("checking the output path",
                         [&] { return checkOutside(output); });
}

Status ModelDir::checkOutside(const std::string &output) const {
  QUERN_RETURN_IF_ERROR(checkNotInput(output));
  struct stat input{}, info{}, previous{};
  if (::fstat(directory.get(), &input) != 0)
    return errnoStatus(path, "cannot stat the folder", errno);
  size_t slash = output.rfind('/');
  std::string folder = slash == std::string::npos ? "."
                       : slash == 0               ? "/"
                                                  : output.substr(0, slash);
  FileDescriptor current(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!current)
    return errnoStatus(output, "cannot open the folder to write to", errno);
  // Climb to the root, where ".." is the folder itself.
  while (::fstat(current.get(), &info) == 0 && !isSameFile(info, previous)) {
    if (isSameFile(info, input))
      return invalidArgument(escapeText(output, 4096) +
                             ": the output would lie in the input folder " +
                             path);
    previous = info;
    current = FileDescriptor(
        ::openat(current.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!current)
      break;
  }
  return Status::ok();
}
