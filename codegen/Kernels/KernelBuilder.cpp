//===- KernelBuilder.cpp - Building one kernel function -------------------===//
#include "codegen/Kernels/KernelBuilder.h"

#include "codegen/Kernels/MatrixUnit.h"
#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace quern;

KernelBuilder::KernelBuilder(MLIRContext *context, const KernelRequest &request,
                             const TargetDescription &target,
                             SignatureMatch match)
    : request(request), target(target), match(std::move(match)),
      builder(context),
      loc(NameLoc::get(StringAttr::get(context, request.family))),
      module(ModuleOp::create(loc)) {
  builder.setInsertionPointToStart(module->getBody());
  auto gpuModule = gpu::GPUModuleOp::create(builder, loc, "kernels");
  builder.setInsertionPointToStart(gpuModule.getBody());
  function = gpu::GPUFuncOp::create(builder, loc, request.family,
                                    builder.getFunctionType({}, {}));
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  builder.setInsertionPointToStart(&function.getBody().front());
  launch.subgroupSize = target.subgroupSize;
}

//===----------------------------------------------------------------------===//
// The request
//===----------------------------------------------------------------------===//

int64_t KernelBuilder::dim(std::string_view symbol) const {
  auto entry = match.dims.find(symbol);
  assert(entry != match.dims.end() && "a symbol of the signature");
  return entry->second;
}

const KernelArgument &KernelBuilder::getArgument(std::string_view name) const {
  auto entry = match.arguments.find(name);
  assert(entry != match.arguments.end() && "an argument of the signature");
  return request.arguments[entry->second];
}

/// The config member `key` of type T; null if absent.
template <typename T>
static Result<const T *> findConfig(const KernelRequest &request,
                                    std::string_view key, const char *kind) {
  auto entry = request.config.find(std::string(key));
  if (entry == request.config.end())
    return static_cast<const T *>(nullptr);
  if (const T *value = std::get_if<T>(&entry->second))
    return value;
  return invalidArgument("config member " + std::string(key) + " is not " +
                         kind);
}

static Status missing(std::string_view key) {
  return invalidArgument("config member " + std::string(key) + " is missing");
}

Result<int64_t> KernelBuilder::getInteger(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(const int64_t *value,
                         findConfig<int64_t>(request, key, "an integer"));
  if (!value)
    return missing(key);
  return *value;
}

Result<double> KernelBuilder::getFloat(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(const double *value,
                         findConfig<double>(request, key, "a float"));
  if (!value)
    return missing(key);
  return *value;
}

Result<int64_t> KernelBuilder::getWeightPanels() const {
  if (!hasConfig("weight_panels"))
    return 0;
  QUERN_ASSIGN_OR_RETURN(int64_t rows, getInteger("weight_panels"));
  if (rows != int64_t(getSubgroupSize()))
    return unsupported("weights in panels of " + std::to_string(rows) +
                       " rows are read by subgroups of as many lanes, the "
                       "target has " +
                       std::to_string(getSubgroupSize()));
  return rows;
}

Result<bool> KernelBuilder::getBool(std::string_view key,
                                    bool byDefault) const {
  QUERN_ASSIGN_OR_RETURN(const bool *value,
                         findConfig<bool>(request, key, "a boolean"));
  return value ? *value : byDefault;
}

Result<std::string> KernelBuilder::getString(std::string_view key,
                                             std::string_view byDefault) const {
  QUERN_ASSIGN_OR_RETURN(const std::string *value,
                         findConfig<std::string>(request, key, "a string"));
  return value ? *value : std::string(byDefault);
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

void KernelBuilder::setSubgroups(unsigned count) {
  subgroups = count;
  launch.workgroupSize = {count * target.subgroupSize, 1, 1};
}

void KernelBuilder::setGrid(unsigned axis, uint64_t groups) {
  launch.grid[axis] = static_cast<uint32_t>(groups);
}

Status KernelBuilder::setCountedGrid(int64_t total, uint32_t tile,
                                     std::string_view byDefault) {
  QUERN_ASSIGN_OR_RETURN(std::string count, getString("count", byDefault));
  if (count != "tokens" && count != "rows")
    return invalidArgument("config member count is neither \"tokens\" nor "
                           "\"rows\"");
  launch.count =
      count == "rows" ? KernelGridCount::Rows : KernelGridCount::Tokens;
  launch.axis = 1;
  launch.tile = tile;
  launch.grid[1] = static_cast<uint32_t>((total + tile - 1) / tile);
  return Status::ok();
}

void KernelBuilder::countAlongX() {
  std::swap(launch.grid[0], launch.grid[1]);
  launch.axis = 0;
}

Expression KernelBuilder::getLane() {
  Expression thread =
      make(gpu::ThreadIdOp::create(builder, loc, gpu::Dimension::x));
  return subgroups == 1 ? thread : thread % double(target.subgroupSize);
}

Expression KernelBuilder::getSubgroup() {
  if (subgroups == 1)
    return index(0);
  return make(gpu::ThreadIdOp::create(builder, loc, gpu::Dimension::x)) /
         double(target.subgroupSize);
}

Expression KernelBuilder::getGroup(unsigned axis) {
  if (launch.grid[axis] == 1)
    return index(0);
  return make(
      gpu::BlockIdOp::create(builder, loc, static_cast<gpu::Dimension>(axis)));
}

Expression KernelBuilder::getGroupCount(unsigned axis) {
  return make(
      gpu::GridDimOp::create(builder, loc, static_cast<gpu::Dimension>(axis)));
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static Attribute storageClass(MLIRContext *context,
                              spirv::StorageClass storage) {
  return spirv::StorageClassAttr::get(context, storage);
}

Value KernelBuilder::addArgument(std::string_view name, Type unit) {
  unsigned binding = match.arguments.find(name)->second;
  MLIRContext *context = builder.getContext();
  auto type = MemRefType::get(
      {ShapedType::kDynamic}, unit, AffineMap(),
      storageClass(context, spirv::StorageClass::StorageBuffer));
  unsigned at = function.getNumArguments();
  NamedAttribute attributes[] = {
      builder.getNamedAttr(kernel::kBindingAttr,
                           builder.getI32IntegerAttr(binding)),
      builder.getNamedAttr(
          kernel::kBytesAttr,
          builder.getI64IntegerAttr(request.arguments[binding].getBytes()))};
  (void)function.insertArgument(at, type, builder.getDictionaryAttr(attributes),
                                loc);
  return function.getArgument(at);
}

Expression KernelBuilder::allocateWorkgroup(int64_t count, Type element) {
  int64_t words = isa<VectorType>(element) ? 4 * count : count;
  launch.workgroupMemory += static_cast<uint32_t>(words * 4);
  auto type = MemRefType::get(
      {count}, element, AffineMap(),
      storageClass(builder.getContext(), spirv::StorageClass::Workgroup));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&function.getBody().front());
  return make(memref::AllocOp::create(builder, loc, type));
}

WorkgroupArray KernelBuilder::getWorkgroupArray(int64_t numbers) {
  return WorkgroupArray(allocateWorkgroup(numbers, builder.getF32Type()));
}

WorkgroupVectors KernelBuilder::getWorkgroupVectors(int64_t vectors) {
  return WorkgroupVectors(
      allocateWorkgroup(vectors, VectorType::get(4, builder.getI32Type())));
}

Expression WorkgroupArray::read(Expression index) const {
  return memory.with(memref::LoadOp::create(
      memory.getBuilder(), memory.getLoc(), memory.get(), index.get()));
}

void WorkgroupArray::write(Expression index, Expression value) const {
  memref::StoreOp::create(memory.getBuilder(), memory.getLoc(), value.get(),
                          memory.get(), index.get());
}

//===----------------------------------------------------------------------===//
// Values and control flow
//===----------------------------------------------------------------------===//

Expression KernelBuilder::index(int64_t value) {
  return make(arith::ConstantIndexOp::create(builder, loc, value));
}
Expression KernelBuilder::i32(int64_t value) {
  return make(arith::ConstantIntOp::create(builder, loc, value, 32));
}
Expression KernelBuilder::f32(double value) {
  return make(arith::ConstantOp::create(
      builder, loc, builder.getF32FloatAttr(static_cast<float>(value))));
}
Expression KernelBuilder::zeroVector() { return splat(f32(0)); }

Expressions KernelBuilder::loop(Expression lower, Expression upper,
                                int64_t step, ArrayRef<Expression> init,
                                LoopBody body) {
  auto wrap = [&](ValueRange values) {
    Expressions out;
    for (Value value : values)
      out.push_back(make(value));
    return out;
  };
  auto loop = scf::ForOp::create(builder, loc, lower.get(), upper.get(),
                                 index(step).get(), toValues(init));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Expressions results =
        body(make(loop.getInductionVar()), wrap(loop.getRegionIterArgs()));
    if (init.empty())
      builder.setInsertionPointToEnd(loop.getBody());
    else
      scf::YieldOp::create(builder, loc, toValues(results));
  }
  return wrap(loop.getResults());
}

void KernelBuilder::loop(Expression lower, Expression upper, int64_t step,
                         function_ref<void(Expression)> body) {
  loop(lower, upper, step, {}, [&](Expression i, ArrayRef<Expression>) {
    body(i);
    return Expressions();
  });
}

Expressions KernelBuilder::loopWhile(
    ArrayRef<Expression> init,
    function_ref<Expression(ArrayRef<Expression>)> condition,
    function_ref<Expressions(ArrayRef<Expression>)> body) {
  SmallVector<Value> values = toValues(init);
  auto wrap = [&](ValueRange range) {
    Expressions out;
    for (Value value : range)
      out.push_back(make(value));
    return out;
  };
  auto at = [&](OpBuilder &nested) {
    builder.setInsertionPointToEnd(nested.getInsertionBlock());
  };
  OpBuilder::InsertPoint after = builder.saveInsertionPoint();
  OpBuilder outer(builder.getContext());
  outer.restoreInsertionPoint(after);
  auto loop = scf::WhileOp::create(
      outer, loc, ValueRange(values).getTypes(), values,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        at(nested);
        Expression holds = condition(wrap(arguments));
        scf::ConditionOp::create(builder, loc, holds.get(), arguments);
      },
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        at(nested);
        scf::YieldOp::create(builder, loc, toValues(body(wrap(arguments))));
      });
  builder.setInsertionPointAfter(loop);
  return wrap(loop.getResults());
}

Expressions KernelBuilder::branch(Expression condition, Branch ifTrue,
                                  Branch ifFalse) {
  // The types of the results are known only after the first branch is built.
  auto buildThen = [&](OpBuilder &nested, Location) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(nested.getInsertionBlock());
    scf::YieldOp::create(builder, loc, toValues(ifTrue()));
  };
  auto buildElse = [&](OpBuilder &nested, Location) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(nested.getInsertionBlock());
    scf::YieldOp::create(builder, loc, toValues(ifFalse()));
  };
  auto ifOp =
      scf::IfOp::create(builder, loc, condition.get(), buildThen, buildElse);
  Expressions results;
  for (Value value : ifOp.getResults())
    results.push_back(make(value));
  return results;
}

void KernelBuilder::when(Expression condition, function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(builder, loc, condition.get(),
                                /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

void KernelBuilder::guard(bool mayFail, function_ref<Expression()> condition,
                          function_ref<void()> body) {
  if (mayFail)
    when(condition(), body);
  else
    body();
}

Expressions KernelBuilder::accumulate(int64_t count, unsigned lanes,
                                      Expression lane,
                                      ArrayRef<Expression> init,
                                      LoopBody body) {
  int64_t full = count / lanes, rest = count % lanes;
  Expressions values(init.begin(), init.end());
  if (full == 1)
    values = body(lane, values);
  else if (full > 1)
    values = loop(index(0), index(full * lanes), lanes, values,
                  [&](Expression base, ArrayRef<Expression> carried) {
                    return body(base + lane, carried);
                  });
  if (rest == 0)
    return values;
  return branch(
      lane < double(rest),
      [&] { return body(lane + double(full * lanes), values); },
      [&] { return values; });
}

void KernelBuilder::forEach(int64_t count, unsigned lanes, Expression lane,
                            function_ref<void(Expression)> body) {
  int64_t full = count / lanes, rest = count % lanes;
  if (full == 1)
    body(lane);
  else if (full > 1)
    loop(index(0), index(full * lanes), lanes,
         [&](Expression base) { body(base + lane); });
  if (rest != 0)
    when(lane < double(rest), [&] { body(lane + double(full * lanes)); });
}

//===----------------------------------------------------------------------===//
// Across lanes
//===----------------------------------------------------------------------===//

Expression KernelBuilder::shuffleXor(Expression value, unsigned distance) {
  Value shuffled = gpu::ShuffleOp::create(
                       builder, loc, value.get(), i32(distance).get(),
                       i32(target.subgroupSize).get(), gpu::ShuffleMode::XOR)
                       .getShuffleResult();
  return make(shuffled);
}

Expression KernelBuilder::shuffleFrom(Expression value, Expression from) {
  Value shuffled = gpu::ShuffleOp::create(builder, loc, value.get(), from.get(),
                                          i32(target.subgroupSize).get(),
                                          gpu::ShuffleMode::IDX)
                       .getShuffleResult();
  return make(shuffled);
}

Expression KernelBuilder::reduce(Expression value, unsigned lanes,
                                 Combine combine) {
  for (unsigned distance = 1; distance < lanes; distance *= 2)
    value = combine(value, shuffleXor(value, distance));
  return value;
}

Expression KernelBuilder::reduceAdd(Expression value, unsigned lanes) {
  return reduce(value, lanes, [](Expression a, Expression b) { return a + b; });
}

Expression KernelBuilder::reduceMax(Expression value, unsigned lanes) {
  return reduce(value, lanes,
                [](Expression a, Expression b) { return max(a, b); });
}

Expressions KernelBuilder::shareSubgroupValues(Expression value) {
  Expression memory = allocateWorkgroup(subgroups, value.getType());
  when(getLane() == 0, [&] {
    memref::StoreOp::create(builder, loc, value.get(), memory.get(),
                            getSubgroup().get());
  });
  barrier();
  Expressions values;
  for (unsigned i = 0; i != subgroups; ++i)
    values.push_back(make(
        memref::LoadOp::create(builder, loc, memory.get(), index(i).get())));
  // The memory may be written again, e.g. in the next turn of a loop.
  barrier();
  return values;
}

void KernelBuilder::barrier() { gpu::BarrierOp::create(builder, loc); }

Expression KernelBuilder::reduceWorkgroup(Expression value, Combine combine) {
  value = reduce(value, target.subgroupSize, combine);
  if (subgroups == 1)
    return value;
  Expressions values = shareSubgroupValues(value);
  Expression total = values.front();
  for (unsigned i = 1; i != subgroups; ++i)
    total = combine(total, values[i]);
  return total;
}

PrefixSum KernelBuilder::scanWorkgroup(Expression value) {
  Expression lane = getLane(), before = value.constant(0), total = value;
  for (unsigned distance = 1; distance < target.subgroupSize; distance *= 2) {
    Expression other = shuffleXor(total, distance);
    Expression isUpper = lane / double(distance) % 2 == 1;
    before = before + select(isUpper, other, value.constant(0));
    total = total + other;
  }
  if (subgroups == 1)
    return {before, total};
  Expressions totals = shareSubgroupValues(total);
  Expression subgroup = getSubgroup();
  total = totals.front();
  for (unsigned i = 1; i != subgroups; ++i) {
    // `total` is now the sum of the subgroups before i.
    before = before + select(subgroup == double(i), total, value.constant(0));
    total = total + totals[i];
  }
  return {before, total};
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

uint64_t KernelBuilder::getIdealBytes() const {
  if (idealBytes != 0)
    return idealBytes;
  uint64_t bytes = 0;
  for (const KernelArgument &argument : request.arguments)
    bytes += argument.getBytes();
  return bytes;
}

OwningOpRef<ModuleOp> KernelBuilder::finish() {
  gpu::ReturnOp::create(builder, loc);
  // Arguments that the family had no use for keep their binding.
  for (const auto &[name, at] : match.arguments) {
    bool used = false;
    for (unsigned i = 0; i != function.getNumArguments(); ++i) {
      auto binding =
          function.getArgAttrOfType<IntegerAttr>(i, kernel::kBindingAttr);
      used |= binding && binding.getInt() == static_cast<int64_t>(at);
    }
    if (!used)
      addArgument(name, builder.getF32Type());
  }
  return std::move(module);
}
