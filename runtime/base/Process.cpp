//===- Process.cpp - Finding and running other programs -------------------===//

#include "runtime/base/Process.h"

#include "runtime/base/Escape.h"
#include "runtime/base/File.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char **environ;

using namespace quern;

static bool canRun(const std::string &path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) &&
         ::access(path.c_str(), X_OK) == 0;
}

Result<std::string> quern::findProgram(const std::string &name,
                                       const char *variable,
                                       const std::string &folder) {
  if (const char *chosen = std::getenv(variable); chosen && *chosen) {
    if (canRun(chosen))
      return std::string(chosen);
    return notFound(std::string(variable) + " names " + quoteName(chosen) +
                    ", which can't be run");
  }
  const char *path = std::getenv("PATH");
  std::string folders = path ? path : "";
  folders += ":" + folder;
  for (size_t begin = 0; begin <= folders.size();) {
    size_t end = std::min(folders.find(':', begin), folders.size());
    // An empty entry would be the current folder: nothing of ours lies there.
    if (end != begin) {
      std::string candidate = folders.substr(begin, end - begin) + "/" + name;
      if (canRun(candidate))
        return candidate;
    }
    begin = end + 1;
  }
  return notFound("there is no " + name + " on PATH, nor in " + folder +
                  ", and " + variable + " does not name one");
}

/// Reads until the other end is closed.
static std::string readAll(int descriptor) {
  std::string text;
  std::array<char, 4096> piece;
  while (true) {
    ssize_t count = ::read(descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return text;
    text.append(piece.data(), static_cast<size_t>(count));
  }
}

static Status startError(const std::string &path, int error) {
  return ioError("can't run " + quoteName(path) + ": " + std::strerror(error));
}

Result<ProgramOutput>
quern::runProgram(const std::string &path,
                  std::span<const std::string> arguments) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return startError(path, errno);
  FileDescriptor out(ends[0]), in(ends[1]);
  posix_spawn_file_actions_t actions;
  if (int error = ::posix_spawn_file_actions_init(&actions))
    return startError(path, error);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDERR_FILENO);
  std::vector<std::string> copies = {path};
  copies.insert(copies.end(), arguments.begin(), arguments.end());
  std::vector<char *> pointers;
  pointers.reserve(copies.size() + 1);
  for (std::string &copy : copies)
    pointers.push_back(copy.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  int error = ::posix_spawn(&child, path.c_str(), &actions, nullptr,
                            pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error)
    return startError(path, error);
  in.close();
  ProgramOutput output;
  output.text = readAll(out.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return startError(path, errno);
  output.exitCode =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

//===----------------------------------------------------------------------===//
// TemporaryFolder
//===----------------------------------------------------------------------===//

Result<TemporaryFolder> TemporaryFolder::create() {
  std::error_code error;
  std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  std::string path = (error ? "/tmp" : parent.string()) + "/quern-XXXXXX";
  if (!::mkdtemp(path.data()))
    return errnoStatus(path, "can't create a temporary folder", errno);
  return TemporaryFolder(path);
}

TemporaryFolder::TemporaryFolder(TemporaryFolder &&other) noexcept
    : path(std::exchange(other.path, "")) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path.empty())
    std::filesystem::remove_all(path, ignored);
}
