//===- Apply.h - Running a function on the active lanes ----------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_OPS_APPLY_H
#define QUERN_TEST_CUDA_DRIVER_OPS_APPLY_H

#include "test/cuda/driver/exec/Warp.h"

#include <utility>

namespace quern::ptx {

/// destination 0 = Op(sources...), for lanes of these types.
template <typename Op, typename D, typename... S>
void apply(Warp &warp, const Instruction &instruction) {
  D *out = warp.get<D>(instruction.destinations[0]);
  [&]<size_t... I>(std::index_sequence<I...>) {
    auto run = [&](auto *...in) {
      forLanes(warp.mask,
               [&](unsigned lane) { out[lane] = Op()(in[lane]...); });
    };
    run(warp.get<S>(instruction.sources[I])...);
  }(std::index_sequence_for<S...>());
}

/// The same with the instruction, for ops that have options.
template <typename Op, typename D, typename... S>
void applyWith(Warp &warp, const Instruction &instruction) {
  D *out = warp.get<D>(instruction.destinations[0]);
  [&]<size_t... I>(std::index_sequence<I...>) {
    auto run = [&](auto *...in) {
      forLanes(warp.mask, [&](unsigned lane) {
        out[lane] = Op()(instruction, in[lane]...);
      });
    };
    run(warp.get<S>(instruction.sources[I])...);
  }(std::index_sequence_for<S...>());
}

template <typename Op, typename T>
void applyUnary(Warp &warp, const Instruction &instruction) {
  apply<Op, T, T>(warp, instruction);
}
template <typename Op, typename T>
void applyBinary(Warp &warp, const Instruction &instruction) {
  apply<Op, T, T, T>(warp, instruction);
}
template <typename Op, typename T>
void applyTernary(Warp &warp, const Instruction &instruction) {
  apply<Op, T, T, T, T>(warp, instruction);
}

/// Calls `make.template operator()<T>()` with the C++ type of an integer or
/// bits type.
template <typename Make> auto withInteger(Type type, Make make) {
  switch (type) {
  case Type::U8:
  case Type::B8:
    return make.template operator()<uint8_t>();
  case Type::S8:
    return make.template operator()<int8_t>();
  case Type::S16:
    return make.template operator()<int16_t>();
  case Type::S32:
    return make.template operator()<int32_t>();
  case Type::S64:
    return make.template operator()<int64_t>();
  case Type::U16:
  case Type::B16:
    return make.template operator()<uint16_t>();
  case Type::U64:
  case Type::B64:
    return make.template operator()<uint64_t>();
  default:
    return make.template operator()<uint32_t>();
  }
}

inline bool is16To64(Type type) { return isInteger(type) && getSize(type) > 1; }

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_OPS_APPLY_H
