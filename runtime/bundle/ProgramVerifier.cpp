//===- ProgramVerifier.cpp - Checks on programs and dispatches ------------===//

#include "runtime/bundle/ManifestCheck.h"

using namespace quern;
using namespace quern::manifestcheck;

Status TargetChecker::checkPrograms() {
  for (uint32_t i = 0; i < sizeOf(target.programs()); ++i)
    QUERN_RETURN_IF_ERROR(checkProgram(element(place, "programs", i),
                                       *target.programs()->Get(i)));
  return Status::ok();
}

Status TargetChecker::checkProgram(const std::string &at,
                                   const bundle::Program &program) {
  QUERN_RETURN_IF_ERROR(checkBetween(at, "arena_peak", program.arena_peak(), 0,
                                     target.arena_size()));
  QUERN_RETURN_IF_ERROR(checkHeadBuffers(at, program));
  QUERN_RETURN_IF_ERROR(checkBetween(
      at + ".dispatches", "length", sizeOf(program.dispatches()), 1, 1u << 20));
  for (uint32_t i = 0; i < program.dispatches()->size(); ++i)
    QUERN_RETURN_IF_ERROR(checkDispatch(element(at, "dispatches", i), program,
                                        *program.dispatches()->Get(i)));
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Dispatches
//===----------------------------------------------------------------------===//

Status TargetChecker::checkDispatch(const std::string &at,
                                    const bundle::Program &program,
                                    const bundle::Dispatch &dispatch) {
  QUERN_RETURN_IF_ERROR(
      checker.checkText(at + ".label", dispatch.label(), Presence::Optional));
  QUERN_RETURN_IF_ERROR(checkBetween(at, "kernel", dispatch.kernel(), 0,
                                     target.kernels()->size() - 1));
  const bundle::Kernel &kernel = *target.kernels()->Get(dispatch.kernel());
  QUERN_RETURN_IF_ERROR(checkGrid(at, program, kernel));
  if (sizeOf(dispatch.bindings()) != kernel.accesses()->size())
    return broken(at, std::to_string(sizeOf(dispatch.bindings())) +
                          " bindings, but its kernel takes " +
                          std::to_string(kernel.accesses()->size()));
  for (uint32_t i = 0; i < dispatch.bindings()->size(); ++i)
    QUERN_RETURN_IF_ERROR(checkBinding(element(at, "bindings", i),
                                       *dispatch.bindings()->Get(i),
                                       kernel.accesses()->Get(i)));
  return Status::ok();
}

/// The grid at the full count is what computeGrid of device/Device.h gives.
Status TargetChecker::checkGrid(const std::string &at,
                                const bundle::Program &program,
                                const bundle::Kernel &kernel) {
  if (kernel.grid_count() == bundle::GridCount::None)
    return Status::ok();
  bool isTokens = kernel.grid_count() == bundle::GridCount::Tokens;
  uint64_t count = isTokens ? program.max_tokens() : program.max_rows();
  uint64_t tiles = (count + kernel.grid_tile() - 1) / kernel.grid_tile();
  uint64_t groups = tiles * kernel.grid_scale();
  uint32_t found = kernel.grid()->Get(kernel.grid_axis());
  if (found == groups)
    return Status::ok();
  return broken(at, "grid[" + std::to_string(kernel.grid_axis()) +
                        "] of its kernel is " + std::to_string(found) +
                        ", expected " + std::to_string(groups) + " for " +
                        std::to_string(count) +
                        (isTokens ? " tokens" : " rows"));
}

/// Bytes that a kernel reads at once: sizes are multiples of it.
static uint64_t getAccessSize(bundle::Access access) {
  switch (access) {
  case bundle::Access::TexelUint4:
  case bundle::Access::TexelFloat4:
    return 16;
  case bundle::Access::StorageBuffer:
  case bundle::Access::TexelUint1:
  case bundle::Access::TexelFloat1:
    break;
  }
  return 4;
}

Status TargetChecker::checkBinding(const std::string &at,
                                   const bundle::Binding &binding,
                                   bundle::Access declared) {
  QUERN_RETURN_IF_ERROR(checkEnum(at, "space", binding.space()));
  if (binding.access() != declared)
    return broken(at, "access is " +
                          std::to_string(static_cast<int>(binding.access())) +
                          ", but its kernel declares " +
                          std::to_string(static_cast<int>(declared)));
  if (binding.written() && (declared != bundle::Access::StorageBuffer ||
                            binding.space() == bundle::Space::Weights))
    return broken(at, "writes what is read-only");
  if (binding.size() % getAccessSize(declared) != 0)
    return broken(at, "size is " + std::to_string(binding.size()) +
                          ", expected a multiple of " +
                          std::to_string(getAccessSize(declared)));
  QUERN_RETURN_IF_ERROR(checkAligned(at, binding.offset()));
  bool isState = binding.space() == bundle::Space::State;
  uint32_t states = sizeOf(checker.manifest.states());
  if (isState ? binding.index() >= states : binding.index() != 0)
    return broken(
        at, "index is " + std::to_string(binding.index()) + ", expected " +
                (isState ? "one of " + std::to_string(states) + " states"
                         : std::string("0")));
  switch (binding.space()) {
  case bundle::Space::Step:
    return checkStepBinding(at, binding);
  case bundle::Space::Arena:
    return checkRange(at, binding.offset(), binding.size(), target.arena_size(),
                      "arena");
  case bundle::Space::State:
    return checkRange(at, binding.offset(), binding.size(),
                      checker.manifest.states()->Get(binding.index())->size(),
                      "state");
  case bundle::Space::Weights:
    return checkRange(at, binding.offset(), binding.size(), checker.weightsSize,
                      "weights section");
  }
  return Status::ok();
}
