//===- Process.h - Finding and running other programs ------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_BASE_PROCESS_H
#define QUERN_RUNTIME_BASE_PROCESS_H

#include "runtime/base/Status.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// The path of an optional program: what `variable` of the environment names,
/// else `name` on PATH, else in `folder`. NotFound says where it was looked
/// for; what the variable names and can't be run is NotFound, too.
Result<std::string> findProgram(const std::string &name, const char *variable,
                                const std::string &folder);

struct ProgramOutput {
  int exitCode = -1; ///< 128 and the signal if one ended it, as shells do.
  std::string text;  ///< Standard output and standard error, as they came.
};

/// Runs a program with these arguments, an empty standard input and no shell,
/// and waits for it. IoError if it can't be started. Thread-safe.
Result<ProgramOutput> runProgram(const std::string &path,
                                 std::span<const std::string> arguments);

/// A new folder for temporary files, removed with all that is in it.
class TemporaryFolder {
public:
  static Result<TemporaryFolder> create();
  TemporaryFolder(TemporaryFolder &&other) noexcept;
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder();

  const std::string &getPath() const { return path; }

private:
  explicit TemporaryFolder(std::string path) : path(std::move(path)) {}
  std::string path;
};

} // namespace quern

#endif // QUERN_RUNTIME_BASE_PROCESS_H
