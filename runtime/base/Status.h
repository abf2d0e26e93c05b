//===- Status.h - Error values of the runtime --------------------*- C++
//-*-===//
//
// Every fallible runtime function returns a Status or a Result<T>. Codes are
// grouped by whose fault the failure is, so that a caller can decide what to
// do without reading the message; the message says where, what was found and
// what was expected (lower case, no final period).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_STATUS_H
#define QUERN_RUNTIME_BASE_STATUS_H

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace quern {

/// Whose fault a failure is. Values are stable: the C API exposes them.
enum class StatusCode : uint8_t {
  Ok = 0,
  // The caller's fault.
  InvalidArgument = 1,
  NotFound = 2,
  // The input's fault.
  Corrupt = 3,
  Unsupported = 4,
  // The machine's fault.
  ResourceExhausted = 5,
  IoError = 6,
  DeviceError = 7,
  DeviceLost = 8,
  DeadlineExceeded = 9,
  Cancelled = 10,
  // Our fault.
  Internal = 11,
};

/// The lower-case name of a code, for messages and logs.
constexpr std::string_view statusCodeName(StatusCode code) {
  switch (code) {
  case StatusCode::Ok:
    return "ok";
  case StatusCode::InvalidArgument:
    return "invalid argument";
  case StatusCode::NotFound:
    return "not found";
  case StatusCode::Corrupt:
    return "corrupt";
  case StatusCode::Unsupported:
    return "unsupported";
  case StatusCode::ResourceExhausted:
    return "resource exhausted";
  case StatusCode::IoError:
    return "i/o error";
  case StatusCode::DeviceError:
    return "device error";
  case StatusCode::DeviceLost:
    return "device lost";
  case StatusCode::DeadlineExceeded:
    return "deadline exceeded";
  case StatusCode::Cancelled:
    return "cancelled";
  case StatusCode::Internal:
    return "internal error";
  }
  return "unknown";
}

/// Success, or a code with a message. Not thread-safe; cheap to move.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(StatusCode code, std::string message)
      : code(code), text(std::move(message)) {}

  static Status ok() { return Status(); }
  bool isOk() const { return code == StatusCode::Ok; }
  StatusCode getCode() const { return code; }
  const std::string &getMessage() const { return text; }

  /// Prefixes the message with where the failure happened: "where: message".
  Status withContext(std::string_view where) && {
    if (!isOk())
      text = std::string(where) + ": " + text;
    return std::move(*this);
  }

private:
  StatusCode code = StatusCode::Ok;
  std::string text;
};

inline Status invalidArgument(std::string m) {
  return Status(StatusCode::InvalidArgument, std::move(m));
}
inline Status notFound(std::string m) {
  return Status(StatusCode::NotFound, std::move(m));
}
inline Status corrupt(std::string m) {
  return Status(StatusCode::Corrupt, std::move(m));
}
inline Status unsupported(std::string m) {
  return Status(StatusCode::Unsupported, std::move(m));
}
inline Status resourceExhausted(std::string m) {
  return Status(StatusCode::ResourceExhausted, std::move(m));
}
inline Status ioError(std::string m) {
  return Status(StatusCode::IoError, std::move(m));
}
inline Status deviceError(std::string m) {
  return Status(StatusCode::DeviceError, std::move(m));
}
inline Status internalError(std::string m) {
  return Status(StatusCode::Internal, std::move(m));
}

/// A value, or the Status that explains why there is none. A Result can not
/// be built from an Ok status.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value(std::move(value)) {}
  Result(Status status) : failure(std::move(status)) {
    assert(!failure.isOk() && "a Result without a value needs an error");
  }

  bool isOk() const { return value.has_value(); }
  const Status &getStatus() const { return failure; }
  Status takeStatus() && { return std::move(failure); }

  T &operator*() {
    assert(value && "dereferenced a failed Result");
    return *value;
  }
  const T &operator*() const {
    assert(value && "dereferenced a failed Result");
    return *value;
  }
  T *operator->() { return &**this; }
  const T *operator->() const { return &**this; }

private:
  std::optional<T> value;
  Status failure;
};

} // namespace quern

#define QUERN_RETURN_IF_ERROR(expression)                                      \
  do {                                                                         \
    if (::quern::Status quernStatus = (expression); !quernStatus.isOk())       \
      return quernStatus;                                                      \
  } while (false)

#define QUERN_CONCAT_IMPL(a, b) a##b
#define QUERN_CONCAT(a, b) QUERN_CONCAT_IMPL(a, b)
#define QUERN_ASSIGN_OR_RETURN_IMPL(result, declaration, expression)           \
  auto result = (expression);                                                  \
  if (!result.isOk())                                                          \
    return std::move(result).takeStatus();                                     \
  declaration = std::move(*result)

/// `QUERN_ASSIGN_OR_RETURN(auto x, f());` binds x or returns f's error.
#define QUERN_ASSIGN_OR_RETURN(declaration, expression)                        \
  QUERN_ASSIGN_OR_RETURN_IMPL(QUERN_CONCAT(quernResult, __LINE__),             \
                              declaration, expression)

#endif // QUERN_RUNTIME_BASE_STATUS_H
