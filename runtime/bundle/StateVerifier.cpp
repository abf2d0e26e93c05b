//===- StateVerifier.cpp - Checks on states that live from step to step ---===//

#include "runtime/base/CheckedMath.h"
#include "runtime/base/Int8Rows.h"
#include "runtime/bundle/ManifestCheck.h"

#include <algorithm>
#include <limits>
#include <map>

using namespace quern;
using namespace quern::manifestcheck;
using bundle::StateKind;

/// A cache is [num_pages, num_key_value_heads, page_size, head_dim].
static Status checkCache(const std::string &place, const bundle::State &state,
                         const bundle::Model &model) {
  const uint64_t expected[] = {model.num_pages(), model.num_key_value_heads(),
                               model.page_size(), model.head_dim()};
  bool isEqual = state.shape()->size() == std::size(expected);
  for (uint32_t i = 0; isEqual && i < std::size(expected); ++i)
    isEqual = state.shape()->Get(i) == expected[i];
  if (!isEqual)
    return broken(place, "shape is " + toText(state.shape()) +
                             ", expected [num_pages, "
                             "num_key_value_heads, page_size, head_dim] = [" +
                             std::to_string(expected[0]) + ", " +
                             std::to_string(expected[1]) + ", " +
                             std::to_string(expected[2]) + ", " +
                             std::to_string(expected[3]) + "]");
  if (state.dtype() == bundle::DType::I32)
    return broken(place, "dtype is I32, expected a cache element type");
  return Status::ok();
}

static bool isCache(StateKind kind) {
  return kind == StateKind::KeyCache || kind == StateKind::ValueCache;
}

/// A cache of int8 rows: they fill `size` bytes but for padding, and the bundle
/// tells its readers that it has such states.
static Status checkInt8Rows(const std::string &place, const Checker &checker,
                            const bundle::State &state) {
  QUERN_RETURN_IF_ERROR(checkEnum(place, "encoding", state.encoding()));
  QUERN_RETURN_IF_ERROR(checkDimensions(place, state.shape()));
  if (!isCache(state.kind()))
    return broken(place, std::string("encoding of ") +
                             bundle::EnumNameStateKind(state.kind()) +
                             " is Int8Rows, which only caches have");
  if (state.dtype() != bundle::DType::F32)
    return broken(place, std::string("dtype is ") +
                             bundle::EnumNameDType(state.dtype()) +
                             ", expected F32 with an encoding");
  uint32_t rank = state.shape()->size();
  std::optional<uint64_t> matrices = 1;
  for (uint32_t i = 0; matrices && i + 2 < rank; ++i)
    matrices = checkedMul<uint64_t>(*matrices, state.shape()->Get(i));
  // Not std::optional: GCC takes it for uninitialised (bug 80635).
  uint64_t bytes =
      matrices && rank >= 2
          ? countInt8RowBytes(*matrices, state.shape()->Get(rank - 2),
                              state.shape()->Get(rank - 1))
                .value_or(0)
          : 0;
  if (bytes == 0 || bytes > std::numeric_limits<uint64_t>::max() / 2)
    return broken(place, "shape " + toText(state.shape()) +
                             " can't have int8 rows: rows of no multiple of " +
                             std::to_string(kInt8RowUnit) +
                             " elements, or too many elements");
  uint64_t padded = checkedAlign<uint64_t>(bytes, kBufferAlignment).value_or(0);
  if (state.size() < bytes || state.size() > padded)
    return broken(place, "size is " + std::to_string(state.size()) +
                             ", but shape " + toText(state.shape()) +
                             " of int8 rows has " + std::to_string(bytes) +
                             " bytes");
  return checker.checkDeclared(place, "has int8 rows", kInt8RowsFeature);
}

/// Dimensions of a state per slot; the first one is num_slots.
static uint32_t getRank(StateKind kind) {
  return kind == StateKind::Convolution || kind == StateKind::DeltaDecays ? 3
                                                                          : 4;
}

static Status checkSlotState(const std::string &place,
                             const bundle::State &state,
                             const bundle::Model &model) {
  if (state.shape()->size() != getRank(state.kind()) ||
      state.shape()->Get(0) != model.num_slots())
    return broken(place,
                  "shape of " +
                      std::string(bundle::EnumNameStateKind(state.kind())) +
                      " is " + toText(state.shape()) + ", expected " +
                      std::to_string(getRank(state.kind())) +
                      " dimensions, the first num_slots = " +
                      std::to_string(model.num_slots()));
  // Everything behind the slots is indexed by int32 in kernels.
  for (uint32_t i = 1; i < state.shape()->size(); ++i)
    QUERN_RETURN_IF_ERROR(checkBetween(place, "a dimension of its shape",
                                       state.shape()->Get(i), 1, 1u << 24));
  if (state.dtype() == bundle::DType::F32 ||
      (state.kind() == StateKind::Convolution &&
       (state.dtype() == bundle::DType::F16 ||
        state.dtype() == bundle::DType::BF16)))
    return Status::ok();
  return broken(place, std::string("dtype is ") +
                           bundle::EnumNameDType(state.dtype()) +
                           ", expected F32");
}

namespace {

/// The states of one kind, in the order of their layers.
using StatesByKind =
    std::map<StateKind,
             std::vector<std::pair<uint32_t, const bundle::State *>>>;

/// The five states of one gated delta net.
class DeltaLayer {
public:
  DeltaLayer(const StatesByKind &states, uint32_t layer)
      : states(states), layer(layer) {}

  Status check() const {
    // [slots, Hv, Dk, Dv] says what the others have.
    uint64_t valueHeads = get(StateKind::Recurrent, 1),
             keyDim = get(StateKind::Recurrent, 2),
             valueDim = get(StateKind::Recurrent, 3);
    uint64_t ring = get(StateKind::DeltaKeys, 1),
             keyHeads = get(StateKind::DeltaKeys, 2);
    if (valueHeads % keyHeads != 0)
      return mismatch(StateKind::DeltaKeys, 2, "a divisor of value heads",
                      valueHeads);
    QUERN_RETURN_IF_ERROR(
        expect(StateKind::DeltaKeys, 3, "key features", keyDim));
    QUERN_RETURN_IF_ERROR(expect(StateKind::DeltaUpdates, 1, "ring", ring));
    QUERN_RETURN_IF_ERROR(
        expect(StateKind::DeltaUpdates, 2, "value heads", valueHeads));
    QUERN_RETURN_IF_ERROR(
        expect(StateKind::DeltaUpdates, 3, "value features", valueDim));
    QUERN_RETURN_IF_ERROR(expect(StateKind::DeltaDecays, 1, "ring", ring));
    QUERN_RETURN_IF_ERROR(
        expect(StateKind::DeltaDecays, 2, "value heads", valueHeads));
    return expect(StateKind::Convolution, 2, "channels",
                  2 * keyHeads * keyDim + valueHeads * valueDim);
  }

  /// `layer` has rings of the same length as the first layer.
  Status checkRing(StateKind kind) const {
    return expect(kind, 1, "ring", DeltaLayer(states, 0).get(kind, 1));
  }

private:
  uint64_t get(StateKind kind, uint32_t dim) const {
    return states.at(kind)[layer].second->shape()->Get(dim);
  }
  Status expect(StateKind kind, uint32_t dim, const char *what,
                uint64_t expected) const {
    return get(kind, dim) == expected ? Status::ok()
                                      : mismatch(kind, dim, what, expected);
  }
  Status mismatch(StateKind kind, uint32_t dim, const char *what,
                  uint64_t expected) const {
    return broken("states[" + std::to_string(states.at(kind)[layer].first) +
                      "]",
                  std::string("shape of ") + bundle::EnumNameStateKind(kind) +
                      " has " + std::to_string(get(kind, dim)) +
                      " in dimension " + std::to_string(dim) + ", expected " +
                      what + " = " + std::to_string(expected));
  }

  const StatesByKind &states;
  uint32_t layer;
};

} // namespace

static constexpr StateKind kSlotKinds[] = {
    StateKind::Recurrent, StateKind::Convolution, StateKind::DeltaKeys,
    StateKind::DeltaUpdates, StateKind::DeltaDecays};

/// A gated delta net has one state of each kind.
static Status checkDeltaLayers(const StatesByKind &states,
                               uint32_t numHiddenLayers) {
  auto count = [&](StateKind kind) {
    auto found = states.find(kind);
    return found == states.end() ? size_t(0) : found->second.size();
  };
  size_t layers = count(StateKind::Recurrent);
  for (StateKind kind : kSlotKinds)
    if (count(kind) != layers || layers > numHiddenLayers)
      return broken("states",
                    std::to_string(count(kind)) + " of kind " +
                        bundle::EnumNameStateKind(kind) + " and " +
                        std::to_string(layers) +
                        " of kind Recurrent, expected as many of each, for at "
                        "most " +
                        std::to_string(numHiddenLayers) + " layers");
  for (uint32_t layer = 0; layer != layers; ++layer) {
    DeltaLayer delta(states, layer);
    QUERN_RETURN_IF_ERROR(delta.check());
    for (StateKind kind : {StateKind::DeltaKeys, StateKind::Convolution})
      QUERN_RETURN_IF_ERROR(delta.checkRing(kind));
  }
  return Status::ok();
}

/// Whether some target has a draft program: a draft layer has a cache too.
static bool hasDraftProgram(const bundle::Manifest &manifest) {
  for (uint32_t i = 0; i < sizeOf(manifest.targets()); ++i)
    for (uint32_t j = 0; j < sizeOf(manifest.targets()->Get(i)->programs());
         ++j)
      if (manifest.targets()->Get(i)->programs()->Get(j)->kind() >=
          bundle::ProgramKind::DraftPrefill)
        return true;
  return false;
}

Status Checker::checkStates() {
  std::set<std::string_view> names;
  StatesByKind states;
  std::optional<uint64_t> total = 0;
  for (uint32_t i = 0; i < sizeOf(manifest.states()); ++i) {
    const bundle::State &state = *manifest.states()->Get(i);
    std::string place = "states[" + std::to_string(i) + "]";
    QUERN_RETURN_IF_ERROR(checkUniqueName(place, state.name(), names));
    QUERN_RETURN_IF_ERROR(checkEnum(place, "kind", state.kind()));
    QUERN_RETURN_IF_ERROR(
        state.encoding() == bundle::StateEncoding::None
            ? checkShape(place, state.shape(), state.dtype(), state.size())
            : checkInt8Rows(place, *this, state));
    QUERN_RETURN_IF_ERROR(isCache(state.kind())
                              ? checkCache(place, state, model)
                              : checkSlotState(place, state, model));
    states[state.kind()].emplace_back(i, &state);
    if (total)
      total = checkedAdd<uint64_t>(*total, state.size());
  }
  if (!total)
    return broken("states", "their sizes add up to more than 2^64 bytes");
  size_t keys = states[StateKind::KeyCache].size(),
         values = states[StateKind::ValueCache].size();
  size_t layers = model.num_hidden_layers() + hasDraftProgram(manifest);
  if (keys != values || keys > layers)
    return broken("states", std::to_string(keys) + " key and " +
                                std::to_string(values) +
                                " value caches, expected as many of each, "
                                "for at most " +
                                std::to_string(layers) + " layers");
  hasRecurrentStates = !states[StateKind::Recurrent].empty();
  return checkDeltaLayers(states, model.num_hidden_layers());
}
