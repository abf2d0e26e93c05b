//===- ManifestCheck.h - Shared by the manifest's checks --------*- C++ -*-===//
//
// Internal to runtime/bundle: what the parts of verifyManifest have in common.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BUNDLE_MANIFESTCHECK_H
#define QUERN_RUNTIME_BUNDLE_MANIFESTCHECK_H

#include "runtime/bundle/Verifier.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quern::manifestcheck {

/// The limits of lists and texts. Generous; they bound the time of the checks.
inline constexpr uint64_t kMaxNameBytes = 1024;
inline constexpr uint64_t kMaxTextBytes = uint64_t(1) << 20;
inline constexpr uint32_t kMaxRank = 8;
inline constexpr uint32_t kMaxBindings = 64;

/// "place: message", of code Corrupt.
Status broken(std::string_view place, std::string_view message);
/// "place.name[index]", or "name[index]" at the top
std::string element(std::string_view place, std::string_view name,
                    uint64_t index);

enum class Presence { Required, Optional };

/// What all parts look at while one manifest is checked.
class Checker {
public:
  Checker(const bundle::Manifest &manifest, const BundleSections &sections);

  // The parts, in this order: later ones rely on earlier ones.
  Status checkModel();    // ModelVerifier.cpp
  Status checkSampling(); // ModelVerifier.cpp
  Status checkStates();   // StateVerifier.cpp
  Status checkWeights();  // WeightVerifier.cpp
  Status checkTargets();  // TargetVerifier.cpp

  /// UTF-8 without NUL, at most maxBytes; not empty if required.
  Status checkText(const std::string &place, const flatbuffers::String *text,
                   Presence presence, uint64_t maxBytes = kMaxNameBytes);
  Status checkTexts(
      const std::string &place,
      const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *list,
      uint64_t maxCount);
  /// checkText of a required name that no other element of `names` has.
  Status checkUniqueName(const std::string &place,
                         const flatbuffers::String *name,
                         std::set<std::string_view> &names);
  /// The bundle tells its readers of `feature`, since something is `what`.
  Status checkDeclared(const std::string &place, std::string_view what,
                       std::string_view feature) const;

  const bundle::Manifest &manifest;
  const BundleSections &sections;
  const bundle::Model &model;
  uint64_t weightsSize = 0; ///< Of the weights section.
  /// ceil(context_length / page_size); set by checkModel.
  uint64_t pagesPerSlot = 0;
  /// Set by checkStates.
  bool hasRecurrentStates = false;

private:
  /// Text still to be looked at. FlatBuffers may share a string between many
  /// tables; a file that does so without bound is refused.
  uint64_t textBudget = 0;
};

/// The checks of one target: TargetVerifier.cpp, StepVerifier.cpp,
/// ProgramSetVerifier.cpp, ProgramVerifier.cpp, PlanVerifier.cpp.
class TargetChecker {
public:
  TargetChecker(Checker &checker, const bundle::TargetPrograms &target,
                std::string place);

  Status checkDescription();
  Status checkArchitectures();
  Status checkKernels();
  Status checkProgramSet();
  Status checkStepBuffers();
  Status checkPrograms();
  Status checkArenaBuffers();

private:
  Status checkKernel(const std::string &at, const bundle::Kernel &kernel);
  Status checkBinaries(const std::string &at, const bundle::Kernel &kernel,
                       uint64_t sectionSize);
  Status checkStepBuffer(const std::string &at,
                         const bundle::StepBuffer &buffer);
  Status checkStepShape(const std::string &at,
                        const bundle::StepBuffer &buffer);
  Status checkProgram(const std::string &at, const bundle::Program &program);
  Status checkCounts(const std::string &at, const bundle::Program &program);
  Status checkKinds();
  Status checkDraftKinds();
  Status checkRings();
  Status checkHeadBuffers(const std::string &at,
                          const bundle::Program &program);
  Status checkResult(const std::string &at, std::string_view name,
                     uint64_t offset, uint64_t rows, uint64_t columns);
  Status checkShared(const std::string &at, std::string_view name,
                     uint64_t offset, uint64_t expected,
                     bundle::ProgramKind owner);
  Status checkDispatch(const std::string &at, const bundle::Program &program,
                       const bundle::Dispatch &dispatch);
  Status checkGrid(const std::string &at, const bundle::Program &program,
                   const bundle::Kernel &kernel);
  Status checkBinding(const std::string &at, const bundle::Binding &binding,
                      bundle::Access declared);
  Status checkStepBinding(const std::string &at,
                          const bundle::Binding &binding);
  const bundle::Program *findProgram(bundle::ProgramKind kind) const;
  bool hasDrafts() const;

  Checker &checker;
  const bundle::TargetPrograms &target;
  std::string place;
};

/// An enum value between MIN and MAX of its generated type.
template <typename E> constexpr bool isKnown(E value) {
  return value >= E::MIN && value <= E::MAX;
}
template <typename E>
Status checkEnum(const std::string &place, std::string_view name, E value) {
  if (isKnown(value))
    return Status::ok();
  return broken(place, std::string(name) + " is " +
                           std::to_string(static_cast<unsigned>(value)) +
                           ", expected at most " +
                           std::to_string(static_cast<unsigned>(E::MAX)));
}

/// minimum <= value <= maximum, or "name is value, expected ... to ...".
Status checkBetween(const std::string &place, std::string_view name,
                    uint64_t value, uint64_t minimum, uint64_t maximum);

/// [offset, offset + size) is inside of `limit` bytes of `what`.
Status checkRange(const std::string &place, uint64_t offset, uint64_t size,
                  uint64_t limit, std::string_view what);

/// `offset` is a multiple of kBufferAlignment.
Status checkAligned(const std::string &place, uint64_t offset);

/// Rank 1 to kMaxRank and no dimension zero.
Status checkDimensions(const std::string &place,
                       const flatbuffers::Vector<uint64_t> *shape);

/// checkDimensions, and the elements fill `size` bytes
/// but for padding to kBufferAlignment.
Status checkShape(const std::string &place,
                  const flatbuffers::Vector<uint64_t> *shape,
                  bundle::DType dtype, uint64_t size);

/// "[2, 16, 8, 64]"
std::string toText(const flatbuffers::Vector<uint64_t> *shape);

/// Ranges with names of their elements ("name[index]").
struct NamedRange {
  uint64_t offset;
  uint64_t size;
  uint64_t index;
};
/// No two ranges overlap. Sorts them.
Status checkDisjoint(const std::string &place, std::string_view name,
                     std::vector<NamedRange> &ranges);

/// The number of elements of a vector that may be absent.
template <typename T> uint32_t sizeOf(const flatbuffers::Vector<T> *vector) {
  return vector ? vector->size() : 0;
}

} // namespace quern::manifestcheck

#endif // QUERN_RUNTIME_BUNDLE_MANIFESTCHECK_H
