//===- Tuning.h - Schedules measured for single kernels ---------*- C++ -*-===//
//
// A tuning file says for kernels of a target which members of its description
// a device does better with. `quern tune` writes it, `quern compile --tuning`
// reads it:
//
//   {
//     "target": "cpu-x86-64-v3",
//     "device": "AMD EPYC",
//     "kernels": {
//       "linear(read f32[1,1024], read bf16[4096,1024], write f32[1,4096]) "
//       "{epilogue=none}": {"panels": {"tokens": 4, "width": 2, "streams": 2,
//           "prefetch": 0}}
//     }
//   }
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_TUNING_H
#define QUERN_CODEGEN_TUNING_H

#include "codegen/Kernels/KernelRequest.h"
#include "codegen/Targets/TargetDescription.h"

#include <map>

namespace quern {

inline constexpr uint64_t maxTuningBytes = 16 << 20;

/// What a request asks for, without its name: equal requests, equal text.
std::string describeRequest(const KernelRequest &request);

/// `target` with the members of the JSON object `members` in place of its own,
/// each as a whole. Corrupt if the result is no target; InvalidArgument for a
/// member that other parts of a bundle depend on (isSchedule).
Result<TargetDescription> changeSchedule(const TargetDescription &target,
                                         std::string_view members);

/// Whether a member of a target's file only says how kernels compute, so that
/// kernels of one bundle may differ in it.
bool isSchedule(std::string_view member);

/// Another schedule for the kernels of some families.
struct ScheduleCandidate {
  std::vector<std::string> families; ///< "integer_linear"
  std::string members;               ///< JSON, see changeSchedule.
};

/// What there is to try on a target, without what it does anyway.
std::vector<ScheduleCandidate> getCandidates(const TargetDescription &target);

/// Immutable; thread-safe.
class Tuning {
public:
  /// Reads a file for `target`; `where` names it in errors. InvalidArgument if
  /// it is for another target.
  static Result<Tuning> parse(std::string_view json, std::string_view where,
                              const TargetDescription &target);

  /// The target to compile a request for; null: as it is.
  const TargetDescription *find(const KernelRequest &request) const;

private:
  std::map<std::string, TargetDescription, std::less<>> kernels;
};

} // namespace quern

#endif // QUERN_CODEGEN_TUNING_H
