//===- VectorizeMemory.cpp - Loads and stores of a vectorised subgroup ----===//
//
// By what is known of the lanes' indices: one for all of them is a scalar
// access, consecutive ones are one vector, others an access for each lane.
// Lanes that are not at work store nothing, and load from where another lane
// does, since their own index may lie outside of the buffer.
//
//===----------------------------------------------------------------------===//
#include "codegen/CPU/Vectorizer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace quern;
using namespace quern::cpu;

static unsigned getBytes(Type unit) {
  auto vector = dyn_cast<VectorType>(unit);
  return (vector ? vector.getNumElements() : 1) *
         getElementTypeOrSelf(unit).getIntOrFloatBitWidth() / 8;
}

Value Vectorizer::makeStackMemory(Location loc, Type element, int64_t count) {
  OpBuilder::InsertionGuard guard(builder);
  auto function =
      builder.getBlock()->getParentOp()->getParentOfType<func::FuncOp>();
  builder.setInsertionPointToStart(&function.getBody().front());
  Value number =
      arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(count));
  constexpr unsigned cacheLine = 64;
  return LLVM::AllocaOp::create(
      builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), element,
      number, cacheLine);
}

Value Vectorizer::getAddress(LaneBuilder &lane, Value pointer, Value index,
                             Type unit) {
  // In bytes: LLVM folds constant parts of the index into the address.
  Value scaled = builder.createOrFold<arith::MulIOp>(
      lane.loc, index, lane.constant(index.getType(), getBytes(unit)));
  return LLVM::GEPOp::create(builder, lane.loc, pointer.getType(),
                             builder.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{scaled});
}

/// Lanes of a run, if all are in runs of as many lanes with consecutive
/// indices; else 1.
static unsigned getRunLength(const LaneValue &index) {
  if (index.kind != LaneValue::Kind::Affine)
    return 1;
  ArrayRef<int64_t> offsets = index.offsets;
  for (size_t length = offsets.size(); length > 1; length /= 2) {
    auto continues = [&](size_t i) {
      return i % length == 0 || offsets[i] == offsets[i - 1] + 1;
    };
    if (offsets.size() % length == 0 &&
        llvm::all_of(llvm::seq(offsets.size()), continues))
      return length;
  }
  return 1;
}

static bool isConsecutive(const LaneValue &index) {
  return index.kind == LaneValue::Kind::Affine &&
         getRunLength(index) == index.offsets.size();
}

/// Joins pairs of vectors until one is left.
static Value concatenate(LaneBuilder &lane, SmallVector<Value> vectors) {
  while (vectors.size() > 1) {
    SmallVector<Value> pairs;
    int64_t length = cast<VectorType>(vectors[0].getType()).getNumElements();
    auto both = llvm::to_vector(llvm::seq<int64_t>(2 * length));
    for (size_t i = 0; i != vectors.size(); i += 2)
      pairs.push_back(lane.shuffle(vectors[i], vectors[i + 1], both));
    vectors = std::move(pairs);
  }
  return vectors[0];
}

LaneValue Vectorizer::makeSafe(LaneBuilder &lane, const LaneValue &index,
                               const Mask &mask) {
  if (!mask.value)
    return index;
  Value vector = lane.getVector(index);
  Value zeros = lane.constant(vector.getType(), 0);
  Value active =
      arith::SelectOp::create(builder, lane.loc, mask.value, vector, zeros);
  Value one = vector::ReductionOp::create(builder, lane.loc,
                                          vector::CombiningKind::MAXUI, active);
  Value others =
      vector::BroadcastOp::create(builder, lane.loc, vector.getType(), one);
  return LaneValue::parts(
      index.type,
      arith::SelectOp::create(builder, lane.loc, mask.value, vector, others)
          .getResult());
}

/// An access for each lane; lanes with the same constant offset share it.
LaneValue Vectorizer::loadLanes(LaneBuilder &lane, Value pointer,
                                const LaneValue &index, Type unit,
                                const Mask &mask) {
  SmallVector<Value> loaded;
  for (unsigned i = 0; i != lanes; ++i) {
    if (!mask.mayHave(i)) {
      loaded.push_back(lane.constant(unit, 0));
      continue;
    }
    unsigned same = i;
    if (index.kind == LaneValue::Kind::Affine)
      for (same = 0; same != i; ++same)
        if (mask.mayHave(same) && index.offsets[same] == index.offsets[i])
          break;
    if (same != i) {
      loaded.push_back(loaded[same]);
      continue;
    }
    Value address = getAddress(lane, pointer, lane.getLane(index, i), unit);
    loaded.push_back(
        LLVM::LoadOp::create(builder, lane.loc, unit, address, getBytes(unit)));
  }
  if (!isa<VectorType>(unit))
    return LaneValue::parts(
        unit, vector::FromElementsOp::create(
                  builder, lane.loc,
                  cast<VectorType>(lane.vectorOf(unit, lanes)), loaded)
                  .getResult());
  return LaneValue::flat(unit, concatenate(lane, std::move(loaded)));
}

LaneValue Vectorizer::load(Operation *op, Value buffer, Value indexValue,
                           Type unit, const Mask &mask) {
  LaneBuilder lane = at(op);
  Value pointer = pointers.lookup(buffer);
  const LaneValue &index = get(indexValue);
  if (index.isUniform())
    return LaneValue::uniform(LLVM::LoadOp::create(
        builder, lane.loc, unit,
        getAddress(lane, pointer, index.values[0], unit), getBytes(unit)));
  unsigned count = getBytes(unit) / 4;
  Type element = getElementTypeOrSelf(unit);
  if (isConsecutive(index) && mask.pattern.empty()) {
    Type whole = lane.vectorOf(element, lanes * count);
    Value address = getAddress(lane, pointer, lane.getLane(index, 0), unit);
    if (mask.isFull())
      return LaneValue::flat(unit,
                             LLVM::LoadOp::create(builder, lane.loc, whole,
                                                  address, getBytes(unit)));
    Value bits = lane.repeatLanes(mask.value, count);
    return LaneValue::flat(unit, LLVM::MaskedLoadOp::create(
                                     builder, lane.loc, whole, address, bits,
                                     lane.constant(whole, 0), getBytes(unit)));
  }
  LaneValue safe = makeSafe(lane, index, mask);
  if (count == 1 && safe.kind == LaneValue::Kind::Parts) {
    Type pointerVector = lane.vectorOf(pointer.getType(), lanes);
    Value scaled = arith::MulIOp::create(
        builder, lane.loc, safe.values[0],
        lane.constant(safe.values[0].getType(), getBytes(unit)));
    Value addresses = LLVM::GEPOp::create(builder, lane.loc, pointerVector,
                                          builder.getI8Type(), pointer,
                                          ArrayRef<LLVM::GEPArg>{scaled});
    Type whole = lane.vectorOf(element, lanes);
    Value all = lane.constant(lane.vectorOf(builder.getI1Type(), lanes), 1);
    return LaneValue::parts(unit, LLVM::masked_gather::create(
                                      builder, lane.loc, whole, addresses, all,
                                      ValueRange{lane.constant(whole, 0)},
                                      getBytes(unit))
                                      .getResult());
  }
  return loadLanes(lane, pointer, safe, unit, mask);
}

/// Where the first lane will read.
void Vectorizer::prefetch(memref::PrefetchOp op) {
  LaneBuilder lane = at(op);
  Value address = getAddress(lane, pointers.lookup(op.getMemref()),
                             lane.getLane(get(op.getIndices()[0]), 0),
                             op.getMemRefType().getElementType());
  LLVM::Prefetch::create(builder, lane.loc, address, op.getIsWrite(),
                         op.getLocalityHint(), op.getIsDataCache());
}

LaneValue Vectorizer::loadHalf(kernel::ReadHalfOp op, const Mask &mask) {
  LaneBuilder lane = at(op);
  Value pointer = pointers.lookup(op.getBuffer());
  const LaneValue &index = get(op.getIndex());
  Type half = builder.getF16Type(), wide = builder.getF32Type();
  auto loadAt = [&](Value index, Type type) -> Value {
    return LLVM::LoadOp::create(builder, lane.loc, type,
                                getAddress(lane, pointer, index, half),
                                getBytes(half));
  };
  if (index.isUniform())
    return LaneValue::uniform(arith::ExtFOp::create(
        builder, lane.loc, wide, loadAt(index.values[0], half)));
  Value halves;
  if (unsigned run = getRunLength(index); run > 1 && mask.isFull()) {
    // Factors of a panel of more than one block of rows lie in several places.
    SmallVector<Value> runs;
    for (unsigned i = 0; i != lanes; i += run)
      runs.push_back(loadAt(lane.getLane(index, i), lane.vectorOf(half, run)));
    halves = concatenate(lane, std::move(runs));
  } else {
    LaneValue safe = makeSafe(lane, index, mask);
    SmallVector<Value> loaded;
    for (unsigned i = 0; i != lanes; ++i)
      loaded.push_back(mask.mayHave(i) ? loadAt(lane.getLane(safe, i), half)
                                       : lane.constant(half, 0));
    halves = vector::FromElementsOp::create(
        builder, lane.loc, cast<VectorType>(lane.vectorOf(half, lanes)),
        loaded);
  }
  return LaneValue::parts(
      wide, arith::ExtFOp::create(builder, lane.loc, lane.vectorOf(wide, lanes),
                                  halves)
                .getResult());
}

void Vectorizer::store(Operation *op, Value buffer, Value indexValue,
                       Value stored, const Mask &mask) {
  LaneBuilder lane = at(op);
  Value pointer = pointers.lookup(buffer);
  const LaneValue &index = get(indexValue);
  LaneValue value = get(stored);
  Type unit = value.type;
  unsigned bytes = getBytes(unit), count = bytes / 4;
  if (index.isUniform() && value.isUniform()) {
    LLVM::StoreOp::create(builder, lane.loc, value.values[0],
                          getAddress(lane, pointer, index.values[0], unit),
                          bytes);
    return;
  }
  if (value.kind == LaneValue::Kind::Parts && count > 1)
    value = LaneValue::flat(unit, lane.getFlat(value));
  if (isConsecutive(index) && mask.pattern.empty()) {
    Value address = getAddress(lane, pointer, lane.getLane(index, 0), unit);
    Value flat = lane.getFlat(value);
    if (mask.isFull())
      LLVM::StoreOp::create(builder, lane.loc, flat, address, bytes);
    else
      LLVM::MaskedStoreOp::create(builder, lane.loc, flat, address,
                                  lane.repeatLanes(mask.value, count), bytes);
    return;
  }
  for (unsigned i = 0; i != lanes; ++i) {
    if (!mask.mayHave(i))
      continue;
    OpBuilder::InsertionGuard guard(builder);
    if (mask.value) {
      Value bit =
          vector::ExtractOp::create(builder, lane.loc, mask.value, int64_t(i));
      auto branch = scf::IfOp::create(builder, lane.loc, bit,
                                      /*withElseRegion=*/false);
      builder.setInsertionPointToStart(branch.thenBlock());
    }
    Value address = getAddress(lane, pointer, lane.getLane(index, i), unit);
    LLVM::StoreOp::create(builder, lane.loc, lane.getLane(value, i), address,
                          bytes);
  }
}
