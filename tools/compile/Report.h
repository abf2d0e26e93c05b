//===- Report.h - What `quern compile` prints at the end --------*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_REPORT_H
#define QUERN_TOOLS_COMPILE_REPORT_H

#include "codegen/Bundle/EmitBundle.h"
#include "frontend/Import.h"

#include <cstdint>
#include <string>

namespace quern {

/// The account of the checkpoint's tensors; `verbose` lists the used ones too.
std::string formatImportReport(const ImportReport &report, bool verbose);

/// Memory that a device needs to run the bundle, in bytes.
struct MemoryNeeds {
  uint64_t weights = 0;
  uint64_t cache = 0;     ///< Keys and values of all pages.
  uint64_t recurrent = 0; ///< States of all slots.
  uint64_t arena = 0;
  uint64_t step = 0;

  uint64_t total() const { return weights + cache + recurrent + arena + step; }
};

struct CompileSummary {
  uint64_t parameters = 0;
  uint64_t weightElements = 0; ///< Of all weights as they are packed.
  uint64_t context = 0;
  std::string target;
  std::string compute;
  BundleSummary bundle;
  MemoryNeeds memory;
  size_t kernels = 0;
  std::string dispatches; ///< "decode 199, prefill 198, ..."
  double seconds = 0;
  uint64_t peakResidentBytes = 0; ///< Of this process, without file pages.
};

/// What rounding did to the weights of each layer: a table, empty if all are
/// stored as they were. The signal-to-noise ratio is 10 log10(sum of squares /
/// sum of squared errors).
std::string formatQuality(const BundleSummary &bundle, bool verbose);

/// Kernels whose registers did not fit, by architecture; empty if there are
/// none.
std::string formatSpills(const BundleContents &contents);

/// The closing table.
std::string formatSummary(const CompileSummary &summary);

/// Follows the resident memory of this process that is no file page.
class MemoryWatch {
public:
  /// Takes a reading; the peak is that of the readings.
  void sample();
  uint64_t getPeakBytes() const { return peak; }

private:
  uint64_t peak = 0;
};

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_REPORT_H
