//===- ModelDir.h - The folder of a checkpoint -------------------*- C++
//-*-===//
//
// Path policy: the folder is opened once; its files are opened relative to
// that descriptor by names of one path component. Symbolic links are followed,
// because a Hugging Face cache consists of links into its blobs folder; names
// that come from inside a file (an index) can not leave the folder.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_MODELDIR_H
#define QUERN_FRONTEND_HUGGINGFACE_MODELDIR_H

#include "runtime/base/File.h"
#include "runtime/base/Status.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Error unless `name` is one harmless path component: not empty, no slash,
/// backslash, drive letter, NUL or control character, neither "." nor "..",
/// UTF-8, at most 255 bytes.
Status checkFileName(std::string_view name);

/// An open folder. Movable; const methods are thread-safe.
class ModelDir {
public:
  static Result<ModelDir> open(const std::string &path);

  /// The path as the user wrote it, escaped for messages.
  const std::string &getPath() const { return path; }

  /// Opens a regular file of the folder, without blocking on a FIFO.
  Result<File> openFile(std::string_view name) const;

  /// The same, but nothing if there is no such file. A dangling symbolic link
  /// (an incomplete download) is an error.
  Result<std::optional<File>> openFileIfPresent(std::string_view name) const;

  /// The names of all entries, sorted.
  Result<std::vector<std::string>> listNames() const;

  /// Error if `output` lies in this folder or below it, or is (by a link) one
  /// of its files: a compiler must not write over its input.
  Status checkOutputPath(const std::string &output) const;

private:
  // Bodies of the functions above, which guard them against bad_alloc.
  static Result<ModelDir> openFolder(const std::string &path);
  Result<File> openChecked(std::string_view name) const;
  Result<std::optional<File>> openIfPresent(std::string_view name) const;
  Result<std::vector<std::string>> readNames() const;
  Status checkOutside(const std::string &output) const;
  Status checkNotInput(const std::string &output) const;

  FileDescriptor directory;
  std::string path;
};

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_MODELDIR_H
