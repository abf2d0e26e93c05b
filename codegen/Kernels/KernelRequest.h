//===- KernelRequest.h - What a kernel has to compute -----------*- C++ -*-===//
//
// The facts of an exec.kernel as plain data, so that kernels can be compiled
// in parallel, each thread with its own MLIRContext.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_KERNELREQUEST_H
#define QUERN_CODEGEN_KERNELS_KERNELREQUEST_H

#include "runtime/base/DataType.h"
#include "runtime/base/Encoding.h"
#include "runtime/base/Int8Rows.h"
#include "runtime/base/Status.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace quern {

/// The numbers are those of the exec dialect.
enum class ArgumentEffect : uint8_t { Read = 0, Write = 1, ReadWrite = 2 };

/// A dense row-major tensor of static shape, a weight in an encoding, or a
/// cache of int8 rows.
struct KernelArgument {
  ArgumentEffect effect = ArgumentEffect::Read;
  DataType type = DataType::F32; ///< F32 with an encoding or int8 rows.
  std::vector<int64_t> shape;
  Encoding encoding = Encoding::None; ///< Of rows of the last dimension.
  bool int8Rows = false;              ///< See Int8Rows.h.

  /// Whether it holds words of codes.
  bool isCoded() const { return int8Rows || encoding != Encoding::None; }
  uint64_t getElements() const {
    uint64_t count = 1;
    for (int64_t size : shape)
      count *= static_cast<uint64_t>(size);
    return count;
  }
  uint64_t getBytes() const {
    if (int8Rows) {
      auto rows = static_cast<uint64_t>(shape[shape.size() - 2]);
      auto columns = static_cast<uint64_t>(shape.back());
      return Int8Rows(getElements() / (rows * columns), rows, columns).bytes();
    }
    if (encoding == Encoding::None)
      return getElements() * dataTypeBits(type) / 8;
    auto columns = static_cast<uint64_t>(shape.back());
    return EncodedMatrix(encoding, getElements() / columns, columns).bytes();
  }
};

using ConfigValue = std::variant<bool, int64_t, double, std::string>;

struct KernelRequest {
  std::string name;   ///< Symbol, only for messages and dumps.
  std::string family; ///< A row of Kernels.inc.
  std::vector<KernelArgument> arguments; ///< In binding order.
  std::map<std::string, ConfigValue> config;
};

/// Which run-time count scales the grid; numbers as in the exec dialect.
enum class KernelGridCount : uint8_t { None = 0, Tokens = 1, Rows = 2 };

/// How a kernel is launched: grid dimension `axis` is ceil(count / tile) *
/// scale at run time, and `grid` holds the value at the full count.
struct KernelLaunch {
  std::array<uint32_t, 3> workgroupSize = {1, 1, 1};
  std::array<uint32_t, 3> grid = {1, 1, 1};
  KernelGridCount count = KernelGridCount::None;
  uint32_t axis = 0, tile = 1, scale = 1;
  uint32_t subgroupSize = 0;    ///< 0: any.
  uint32_t workgroupMemory = 0; ///< Bytes.
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_KERNELREQUEST_H
