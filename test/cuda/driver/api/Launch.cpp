//===- Launch.cpp - Kernels -----------------------------------------------===//

#include "test/cuda/driver/api/State.h"

#include <algorithm>
#include <cstring>

using namespace quern::ptx;

static void checkShape(const Kernel &kernel,
                       const std::array<uint32_t, 3> &grid,
                       const std::array<uint32_t, 3> &threads) {
  const auto &[gx, gy, gz] = grid;
  const auto &[tx, ty, tz] = threads;
  if (gx == 0 || gy == 0 || gz == 0 || gx > INT32_MAX || gy > 65535 ||
      gz > 65535)
    throw ApiError(InvalidValue,
                   "kernel '" + kernel.name + "': bad grid dimensions");
  if (tx == 0 || ty == 0 || tz == 0 || tx > 1024 || ty > 1024 || tz > 64 ||
      tx * ty * tz > 1024)
    throw ApiError(InvalidValue,
                   "kernel '" + kernel.name + "': bad block dimensions");
  if (tx * ty * tz > kernel.maxThreads)
    throw ApiError(InvalidValue, "kernel '" + kernel.name + "' has .maxntid " +
                                     std::to_string(kernel.maxThreads));
  if (kernel.requiredThreads[0] != 0 && kernel.requiredThreads != threads)
    throw ApiError(InvalidValue,
                   "kernel '" + kernel.name + "' has another .reqntid");
}

KernelCall State::makeCall(void *handle, std::array<uint32_t, 3> grid,
                           std::array<uint32_t, 3> threads,
                           uint32_t sharedBytes, void **values, void **extra) {
  if (!functions.contains(handle))
    throw ApiError(InvalidHandle, "no such function");
  auto *function = static_cast<Function *>(handle);
  const Kernel &kernel = *function->kernel;
  checkShape(kernel, grid, threads);
  if (extra)
    throw ApiError(NotSupported, "parameters in 'extra'");
  uint32_t withoutAsking =
      (48U << 10) - std::min(kernel.staticSharedBytes, 48U << 10);
  if (sharedBytes > std::max(function->maxDynamicShared, withoutAsking))
    throw ApiError(InvalidValue,
                   "kernel '" + kernel.name +
                       "': " + std::to_string(sharedBytes) +
                       " bytes of dynamic shared memory are more than "
                       "cuFuncSetAttribute allowed");
  KernelCall call;
  call.function = function;
  call.grid = grid;
  call.threads = threads;
  call.sharedBytes = sharedBytes;
  call.parameters.resize(kernel.parameterBytes);
  for (size_t i = 0; i != kernel.parameters.size(); ++i) {
    const Parameter &parameter = kernel.parameters[i];
    require(values && values[i], "a parameter has no value");
    std::memcpy(call.parameters.data() + parameter.offset, values[i],
                parameter.size);
  }
  return call;
}

void State::runKernel(const KernelCall &call) {
  Launch launch{*call.function->owner->module,
                *call.function->kernel,
                call.grid,
                call.threads,
                call.sharedBytes,
                call.parameters,
                options.launch};
  ++counters.kernelsRun;
  runLaunch(launch, *memory);
  counters.instructions += launch.numInstructions;
}

QUERN_CUDA_API cuLaunchKernel(void *function, unsigned gridX, unsigned gridY,
                              unsigned gridZ, unsigned blockX, unsigned blockY,
                              unsigned blockZ, unsigned sharedBytes,
                              void *stream, void **parameters, void **extra) {
  return callApi("cuLaunchKernel", Needs::Context, [&] {
    State &state = State::get();
    KernelCall call = state.makeCall(function, {gridX, gridY, gridZ},
                                     {blockX, blockY, blockZ}, sharedBytes,
                                     parameters, extra);
    ++state.counters.kernelLaunches;
    state.findStream(stream).queue.push_back(
        [call = std::move(call)] { State::get().runKernel(call); });
    return Success;
  });
}
