//===- Expect.h - Expectations on Status and Result -------------*- C++ -*-===//
#ifndef QUERN_TEST_SUPPORT_EXPECT_H
#define QUERN_TEST_SUPPORT_EXPECT_H

#include "runtime/base/Status.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace quern::test {

inline const Status &statusOf(const Status &status) { return status; }
const Status &statusOf(Status &&) = delete;
template <typename T> const Status &statusOf(const Result<T> &result) {
  return result.getStatus();
}

/// Whether it failed with this code and a message that contains `part` and has
/// the form of all messages: one line, no final period.
template <typename T>
::testing::AssertionResult failsWith(const T &outcome, StatusCode code,
                                     std::string_view part) {
  if (outcome.isOk())
    return ::testing::AssertionFailure() << "succeeded, expected: " << part;
  const Status &status = statusOf(outcome);
  const std::string &message = status.getMessage();
  if (status.getCode() != code)
    return ::testing::AssertionFailure()
           << statusCodeName(status.getCode()) << " instead of "
           << statusCodeName(code) << ": " << message;
  if (message.find(part) == std::string::npos)
    return ::testing::AssertionFailure()
           << "message '" << message << "' lacks '" << part << "'";
  if (message.find('\n') != std::string::npos || message.ends_with('.'))
    return ::testing::AssertionFailure()
           << "message is not one line without final period: " << message;
  return ::testing::AssertionSuccess();
}

template <typename T>::testing::AssertionResult succeeds(const T &outcome) {
  if (outcome.isOk())
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << statusCodeName(statusOf(outcome).getCode()) << ": "
         << statusOf(outcome).getMessage();
}

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_EXPECT_H
