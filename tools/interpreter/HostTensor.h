//===- HostTensor.h - values of the interpreter -----------------*- C++ -*-===//
#ifndef QUERN_TOOLS_INTERPRETER_HOSTTENSOR_H
#define QUERN_TOOLS_INTERPRETER_HOSTTENSOR_H

#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

namespace quern {

/// A dense row-major tensor of floats (f16 and bf16 values held as float) or of
/// 32-bit integers: one of the two vectors is in use.
struct HostTensor {
  std::vector<int64_t> shape;
  std::vector<float> floats;
  std::vector<int32_t> integers;

  static HostTensor ofFloats(std::vector<int64_t> shape,
                             std::vector<float> values) {
    return {std::move(shape), std::move(values), {}};
  }
  static HostTensor ofIntegers(std::vector<int64_t> shape,
                               std::vector<int32_t> values) {
    return {std::move(shape), {}, std::move(values)};
  }
  static HostTensor zeros(std::vector<int64_t> shape) {
    int64_t size = count(shape);
    return {std::move(shape), std::vector<float>(size), {}};
  }
  static int64_t count(const std::vector<int64_t> &shape) {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                           std::multiplies<>());
  }

  bool isConsistent() const {
    return static_cast<int64_t>(floats.size() + integers.size()) ==
           count(shape);
  }
};

} // namespace quern

#endif // QUERN_TOOLS_INTERPRETER_HOSTTENSOR_H
