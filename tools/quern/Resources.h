//===- Resources.h - What kernels take of a GPU -----------------*- C++ -*-===//
//
// Occupancy and roofline time of the kernels of a bundle, from what ptxas said
// when it assembled them and from the target file of the architecture, both in
// the bundle.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_QUERN_RESOURCES_H
#define QUERN_TOOLS_QUERN_RESOURCES_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace quern {
class Bundle;
} // namespace quern

namespace quern::tool {

/// Members of a target file (docs/targets.md); 0 is unknown.
struct GpuFacts {
  uint32_t multiprocessors = 0;
  // Of one multiprocessor.
  uint32_t registers = 0, sharedMemory = 0, subgroups = 0, workgroups = 0;
  double bytesPerSecond = 0, flopsPerSecond = 0;
};

/// What is not there or malformed is unknown.
GpuFacts readGpuFacts(std::string_view targetFile);

/// A kernel as launched; sizes in bytes.
struct Launch {
  uint32_t threads = 0; ///< Of a workgroup.
  uint32_t registers = 0;
  uint32_t workgroupMemory = 0;
  uint64_t workgroups = 0; ///< Of the grid.
};

struct Occupancy {
  uint32_t workgroups = 0; ///< At a time on one multiprocessor.
  double fraction = 0;     ///< Of its subgroups (warps).
  const char *limit = "";  ///< What allows no more workgroups.
  double waves = 0; ///< Workgroups of the grid per place for one on the GPU.
};

/// By the rules of the CUDA Programming Guide for compute capability 8.0 and
/// later: registers are given to warps in units of 256 and to four
/// partitions, shared memory in units of 128 bytes with 1 KiB for the driver.
Occupancy computeOccupancy(const GpuFacts &gpu, const Launch &launch);

/// Seconds that bytes and operations take at the peak rates, the larger; 0 if
/// the rates are unknown.
double computeRoofline(const GpuFacts &gpu, uint64_t bytes, uint64_t flops);

/// A table for each architecture of the target. NotFound: the bundle has code
/// for none.
Result<std::string> describeResources(const Bundle &bundle, uint32_t target);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_RESOURCES_H
