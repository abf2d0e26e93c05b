//===- TestDriver.h - What tests ask of the test driver ----------*- C++
//-*-===//
//
// Functions that the library exports besides those of the driver API.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_TESTDRIVER_H
#define QUERN_TEST_CUDA_DRIVER_TESTDRIVER_H

#include <cstdint>

extern "C" {

/// What happened since the library was loaded or the counters were reset.
struct QuernTestCudaCounters {
  uint64_t deviceAllocations;
  uint64_t hostAllocations; ///< Page-locked, registered memory included.
  uint64_t modulesLoaded;
  uint64_t kernelLaunches;   ///< Calls of cuLaunchKernel.
  uint64_t graphLaunches;    ///< Calls of cuGraphLaunch.
  uint64_t graphUpdates;     ///< Nodes changed or switched in a graph.
  uint64_t kernelsRun;       ///< By either.
  uint64_t synchronisations; ///< Calls that waited, and queries that succeeded.
  uint64_t deviceToHostBytes;
  uint64_t hostToDeviceBytes;
  uint64_t instructions; ///< Of all warps.
  /// Allocations, modules, streams, events and graphs that were left when the
  /// context was released.
  uint64_t leakedObjects;
  // Not counters: what there is now.
  uint64_t liveAllocations;
  uint64_t liveBytes;
};

void quernTestCudaGetCounters(QuernTestCudaCounters *counters);
void quernTestCudaResetCounters();

/// The text of the latest error: of the module that was refused, or of the
/// kernel that failed, with its line, block and thread. Valid until the next.
const char *quernTestCudaGetError();

/// Lets the call of an API function fail with a code, after `skip` calls that
/// do not. An empty name clears all. The error of an asynchronous launch is
/// injected into the synchronisation that reports it.
void quernTestCudaFail(const char *function, int code, unsigned skip);

/// Sets an option as its environment variable does (README.md), without the
/// prefix QUERN_TEST_CUDA_: "SHUFFLE", "7". False for an unknown one.
bool quernTestCudaSetOption(const char *name, const char *value);

/// Forgets everything: contexts, memory, modules, errors, options.
void quernTestCudaReset();
}

#endif // QUERN_TEST_CUDA_DRIVER_TESTDRIVER_H
