//===- QuantizeWeights.cpp - The element types that weights get -----------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_QUANTIZEWEIGHTSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
/// What a weight is to the model.
enum class WeightClass { Layer, Embedding, Head, Router, Draft, Other };

/// A decision about one weight.
struct Choice {
  qwen::WeightOp weight;
  Type type;
  int64_t scaleRows = 1; ///< Encoded matrices need a multiple of these.
};
} // namespace

/// Whether the product is gates, which stay as exact as they are.
static bool computesGates(qwen::LinearOp linear) {
  return llvm::any_of(linear->getUsers(), [&](Operation *user) {
    if (auto scale = dyn_cast<qwen::ScaleBySigmoidOp>(user))
      return scale.getGate() == linear.getResult();
    if (auto inputs = dyn_cast<qwen::DeltaInputsOp>(user))
      return inputs.getBa() == linear.getResult();
    return isa<qwen::DeltaGatesOp>(user);
  });
}

static bool computesLogits(qwen::LinearOp linear) {
  return llvm::any_of(linear->getUsers(), [](Operation *user) {
    return isa<qwen::SampleOp>(user);
  });
}

/// The weights of an op that can be encoded, and what they are to the model.
static std::pair<WeightClass, SmallVector<Attribute>> classify(Operation *op,
                                                               bool isDraft) {
  WeightClass layer = isDraft ? WeightClass::Draft : WeightClass::Layer;
  using Result = std::pair<WeightClass, SmallVector<Attribute>>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](qwen::EmbeddingOp embedding) {
        return Result{WeightClass::Embedding, {embedding.getWeightAttr()}};
      })
      .Case([&](qwen::RouterOp router) {
        return Result{WeightClass::Router, {router.getGateAttr()}};
      })
      .Case([&](qwen::LinearSwigluOp linear) {
        return Result{layer, {linear.getGateAttr(), linear.getUpAttr()}};
      })
      .Case([&](qwen::LinearOp linear) {
        return Result{computesLogits(linear)  ? WeightClass::Head
                      : computesGates(linear) ? WeightClass::Other
                                              : layer,
                      llvm::to_vector(linear.getWeights().getValue())};
      })
      .Case([&](qwen::ExpertsOp experts) {
        SmallVector<Attribute> weights(experts.getGateUp().getValue());
        llvm::append_range(weights, experts.getDown().getValue());
        return Result{layer, weights};
      })
      .Default([](Operation *) { return Result{WeightClass::Other, {}}; });
}

/// Bits of an element, to compare types by.
static double countBits(Type type) {
  Encoding encoding = qwen::getEncoding(type);
  return encoding == Encoding::None ? type.getIntOrFloatBitWidth()
                                    : getEncodingInfo(encoding).bitsPerWeight();
}

/// The type without groups that a weight has if nothing is asked for. Packed
/// weights of a checkpoint may have been imported with an encoding; what they
/// stand for is their own element type.
static Type getPlainType(qwen::WeightOp weight) {
  Type stored = weight.getStoredElementType();
  return qwen::getEncoding(stored) == Encoding::None
             ? stored
             : weight.getTensorType().getElementType();
}

/// The type of more bits; of as many, always the same one.
static Type choosePrecise(Type a, Type b) {
  auto rank = [](Type type) {
    return std::tuple(countBits(type), type.isBF16(),
                      static_cast<int>(qwen::getEncoding(type)));
  };
  return rank(a) >= rank(b) ? a : b;
}

namespace {
struct QuantizeWeightsPass
    : quern::impl::QuantizeWeightsPassBase<QuantizeWeightsPass> {
  using QuantizeWeightsPassBase::QuantizeWeightsPassBase;

  void runOnOperation() override {
    if (failed(readOptions()))
      return signalPassFailure();
    auto weightOps = getOperation().getOps<qwen::WeightOp>();
    if (llvm::none_of(types, [](Type type) { return bool(type); }) &&
        llvm::none_of(weightOps, [](qwen::WeightOp weight) {
          return weight.getStored().has_value();
        }))
      return;
    symbols.emplace(getOperation());
    choices.clear();
    for (auto func : getOperation().getOps<func::FuncOp>())
      func.walk([&](Operation *op) {
        chooseFor(op, func.getName().starts_with("draft"));
      });
    for (auto func : getOperation().getOps<func::FuncOp>())
      func.walk([&](Operation *op) { keepOthers(op); });
    while (unify()) {
    }
    apply();
  }

private:
  /// An option's element type; null for `keep`.
  FailureOr<Type> parseType(StringRef name) {
    Builder builder(&getContext());
    if (name.empty() || name == "keep")
      return Type();
    if (name == "f32")
      return Type(builder.getF32Type());
    if (name == "f16")
      return Type(builder.getF16Type());
    if (name == "bf16")
      return Type(builder.getBF16Type());
    if (const EncodingInfo *info = findEncoding(std::string_view(name)))
      return Type(qwen::EncodedType::get(&getContext(), info->encoding));
    InFlightDiagnostic error = getOperation().emitError()
                               << "weights can't be quantised as '" << name
                               << "', expected keep, f32, bf16, f16";
    for (const EncodingInfo &info : getEncodings())
      error << ", " << StringRef(info.name);
    return error;
  }

  LogicalResult readOptions() {
    types.assign(size_t(WeightClass::Other) + 1, Type());
    FailureOr<Type> layer = parseType(weights);
    if (failed(layer))
      return failure();
    types[size_t(WeightClass::Layer)] = *layer;
    // Fewer than 8 bits in these would cost more than they save.
    FailureOr<Type> byDefault =
        *layer && countBits(*layer) < 8 ? parseType("int8") : layer;
    std::pair<WeightClass, StringRef> others[] = {
        {WeightClass::Embedding, embedding},
        {WeightClass::Head, head},
        {WeightClass::Router, router},
        {WeightClass::Draft, draft}};
    for (auto [weightClass, name] : others) {
      FailureOr<Type> type = name.empty() ? byDefault : parseType(name);
      if (failed(type))
        return failure();
      types[size_t(weightClass)] = *type;
    }
    return success();
  }

  /// Whether a weight can have this element type.
  static bool canStore(const Choice &choice, qwen::WeightOp weight) {
    RankedTensorType type = weight.getTensorType();
    if (type.getRank() < 2)
      return false;
    if (qwen::getEncoding(choice.type) == Encoding::None)
      return true;
    return type.getShape().back() % kGroupSize == 0 &&
           type.getShape()[type.getRank() - 2] % choice.scaleRows == 0;
  }

  void chooseFor(Operation *op, bool isDraft) {
    auto [weightClass, names] = classify(op, isDraft);
    for (Attribute name : names) {
      auto symbol = cast<FlatSymbolRefAttr>(name).getAttr();
      auto weight = symbols->lookup<qwen::WeightOp>(symbol);
      Type asked = types[size_t(weightClass)];
      Choice choice{weight, asked ? asked : weight.getStoredElementType(),
                    isa<qwen::ExpertsOp>(op) ? kScaleRows : 1};
      if (!canStore(choice, weight)) {
        choice.type = getPlainType(weight);
        if (asked)
          left.insert(weight);
      }
      auto [entry, isNew] = choices.insert({symbol, choice});
      if (!isNew)
        entry->second.type = choosePrecise(entry->second.type, choice.type);
    }
  }

  /// Weights that an op reads which takes no encoded ones stay.
  void keepOthers(Operation *op) {
    SmallVector<Attribute> known = classify(op, false).second;
    op->getAttrDictionary().walk([&](FlatSymbolRefAttr name) {
      auto *entry = choices.find(name.getAttr());
      if (entry != choices.end() && !llvm::is_contained(known, name))
        entry->second.type = getPlainType(entry->second.weight);
    });
  }

  /// The weights of one product are packed into one: all of one type.
  bool unify() {
    bool changed = false;
    auto unifyAll = [&](ArrayRef<Attribute> names) {
      auto typeOf = [&](Attribute name) -> Type & {
        return choices.find(cast<FlatSymbolRefAttr>(name).getAttr())
            ->second.type;
      };
      Type type = typeOf(names.front());
      for (Attribute name : names)
        type = choosePrecise(type, typeOf(name));
      for (Attribute name : names) {
        changed |= typeOf(name) != type;
        typeOf(name) = type;
      }
    };
    for (auto func : getOperation().getOps<func::FuncOp>())
      func.walk([&](Operation *op) {
        if (auto experts = dyn_cast<qwen::ExpertsOp>(op)) {
          unifyAll(experts.getGateUp().getValue());
          unifyAll(experts.getDown().getValue());
        } else if (auto names = classify(op, false).second; !names.empty()) {
          unifyAll(names);
        }
      });
    return changed;
  }

  void apply() {
    for (auto &[symbol, choice] : choices) {
      qwen::WeightOp weight = choice.weight;
      numLeft += left.contains(weight);
      if (choice.type == weight.getStoredElementType())
        continue;
      bool isOwn = choice.type == weight.getTensorType().getElementType();
      weight.setStoredAttr(isOwn ? TypeAttr() : TypeAttr::get(choice.type));
      bool isEncoded = qwen::getEncoding(choice.type) != Encoding::None;
      ++(isEncoded ? numEncoded : numConverted);
    }
  }

  std::optional<SymbolTable> symbols;
  SmallVector<Type> types; ///< By class.
  llvm::MapVector<StringAttr, Choice> choices;
  llvm::DenseSet<Operation *> left; ///< Of a shape that can't be encoded.
};
} // namespace
