//===- Buffers.cpp - Typed access to the arguments of a kernel ------------===//
//
// The layouts of f32, f16 and bf16 in 32-bit words, in one place.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelBuilder.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace quern;

/// The upper 16 bits of f32 bits rounded to nearest even, in place; NaN stays
/// NaN (its payload would otherwise carry over into the sign).
static Expression roundToBFloat(Expression x) {
  Expression bits = bitsOf(x);
  Expression rounded = bits + (((bits >> 16) & 1) + 0x7fff);
  return select(x != x, bits | 0x400000, rounded);
}

/// One word with two values.
static Expression packWord(DataType type, Expression low, Expression high) {
  if (type == DataType::F16)
    return packHalves(low, high);
  return (roundToBFloat(low) >> 16) | (roundToBFloat(high) & 0xffff0000u);
}

Expression InputBuffer::read(Expression index) const {
  OpBuilder &builder = buffer.getBuilder();
  auto type = cast<MemRefType>(buffer.getType());
  return buffer.with(kernel::ReadOp::create(builder, buffer.getLoc(),
                                            type.getElementType(), buffer.get(),
                                            index.get()));
}

void InputBuffer::prefetch(Expression index) const {
  memref::PrefetchOp::create(buffer.getBuilder(), buffer.getLoc(), buffer.get(),
                             index.get(), /*isWrite=*/false,
                             /*localityHint=*/3, /*isDataCache=*/true);
}

Expression InputBuffer::readHalf(Expression index) const {
  return buffer.with(kernel::ReadHalfOp::create(
      buffer.getBuilder(), buffer.getLoc(), buffer.getBuilder().getF32Type(),
      buffer.get(), index.get()));
}

Expression InputBuffer::readElement(Expression index) const {
  if (type == DataType::F32 || type == DataType::I32)
    return read(index);
  Expression word = read(index / 2), isHigh = index % 2 == 1;
  if (type == DataType::BF16)
    return floatOf(select(isHigh, word & 0xffff0000u, word << 16));
  Expression pair = unpackHalf(word);
  return select(isHigh, pair[1], pair[0]);
}

Octet InputBuffer::readOctet(Expression index) const {
  if (type == DataType::F32)
    return {read(index * 2), read(index * 2 + 1), OctetOrder::Linear};
  Expression words = read(index);
  if (type == DataType::BF16)
    return {floatOf(words << 16), floatOf(words & 0xffff0000u),
            OctetOrder::EvenOdd};
  Expression pairs[4];
  for (unsigned i = 0; i != 4; ++i)
    pairs[i] = unpackHalf(words[i]);
  auto join = [](Expression low, Expression high) {
    return vector({low[0], low[1], high[0], high[1]});
  };
  return {join(pairs[0], pairs[1]), join(pairs[2], pairs[3]),
          OctetOrder::Linear};
}

/// The elements of a word or of a vector of words.
static void unpackWords(DataType type, Expression words, Expressions &values) {
  unsigned count = words.isVector() ? 4 : 1;
  for (unsigned i = 0; i != count; ++i) {
    Expression word = count == 1 ? words : words[i];
    if (type == DataType::F32) {
      values.push_back(word);
    } else if (type == DataType::BF16) {
      values.append({floatOf(word << 16), floatOf(word & 0xffff0000u)});
    } else {
      Expression pair = unpackHalf(word);
      values.append({pair[0], pair[1]});
    }
  }
}

Expressions InputBuffer::readWord(Expression index) const {
  Expressions values;
  unpackWords(type, read(index), values);
  return values;
}

Expressions InputBuffer::readRun(Expression element, unsigned count) const {
  auto memory = cast<MemRefType>(buffer.getType());
  unsigned unit = (isa<VectorType>(memory.getElementType()) ? 4 : 1) *
                  (type == DataType::F32 ? 1 : 2);
  if (count < unit)
    return {readElement(element)};
  Expressions values;
  for (unsigned index = 0; index * unit < count; ++index)
    unpackWords(type, read(element / double(unit) + double(index)), values);
  return values;
}

void OutputBuffer::store(Expression index, Expression value) const {
  memref::StoreOp::create(buffer.getBuilder(), buffer.getLoc(), value.get(),
                          buffer.get(), index.get());
}

Expression quern::packOctet(DataType type, const Octet &octet) {
  bool linear = octet.order == OctetOrder::Linear;
  if (type == DataType::BF16) {
    // Word i holds elements 2i and 2i + 1.
    Expression even =
        linear ? shuffle(octet.a, octet.b, {0, 2, 4, 6}) : octet.a;
    Expression odd = linear ? shuffle(octet.a, octet.b, {1, 3, 5, 7}) : octet.b;
    auto round = [](Expression x) {
      Expressions lanes;
      for (unsigned i = 0; i != 4; ++i)
        lanes.push_back(roundToBFloat(x[i]));
      return vector(lanes);
    };
    return (round(even) >> 16) | (round(odd) & 0xffff0000u);
  }
  Expression low = linear ? octet.a : shuffle(octet.a, octet.b, {0, 4, 1, 5});
  Expression high = linear ? octet.b : shuffle(octet.a, octet.b, {2, 6, 3, 7});
  return vector({packHalves(low[0], low[1]), packHalves(low[2], low[3]),
                 packHalves(high[0], high[1]), packHalves(high[2], high[3])});
}

void OutputBuffer::writeOctet(Expression index, const Octet &octet) const {
  assert(unitElements == (type == DataType::F32 ? 4u : 8u));
  if (type != DataType::F32)
    return store(index, packOctet(type, octet));
  bool linear = octet.order == OctetOrder::Linear;
  store(index * 2, linear ? octet.a : shuffle(octet.a, octet.b, {0, 4, 1, 5}));
  store(index * 2 + 1,
        linear ? octet.b : shuffle(octet.a, octet.b, {2, 6, 3, 7}));
}

void OutputBuffer::writeRun(Expression element,
                            ArrayRef<Expression> values) const {
  writeUnits(element / double(unitElements), values);
}

void OutputBuffer::writeUnits(Expression unit,
                              ArrayRef<Expression> values) const {
  assert(values.size() % unitElements == 0);
  bool isWide = type == DataType::F32 || type == DataType::I32;
  size_t units = values.size() / unitElements;
  for (size_t index = 0; index != units; ++index) {
    Expressions words;
    size_t end = (index + 1) * unitElements;
    for (size_t i = index * unitElements; i != end; i += isWide ? 1 : 2)
      words.push_back(isWide ? values[i]
                             : packWord(type, values[i], values[i + 1]));
    store(unit + double(index),
          words.size() == 1 ? words.front() : vector(words));
  }
}

Octet KernelBuilder::reorder(const Octet &octet, OctetOrder order) {
  if (octet.order == order)
    return octet;
  if (order == OctetOrder::EvenOdd)
    return {shuffle(octet.a, octet.b, {0, 2, 4, 6}),
            shuffle(octet.a, octet.b, {1, 3, 5, 7}), order};
  return {shuffle(octet.a, octet.b, {0, 4, 1, 5}),
          shuffle(octet.a, octet.b, {2, 6, 3, 7}), order};
}

InputBuffer KernelBuilder::getInput(std::string_view name) {
  DataType type = getType(name);
  if (type == DataType::I32)
    return getScalarInput(name);
  Type component = type == DataType::F32 && !getArgument(name).isCoded()
                       ? Type(builder.getF32Type())
                       : Type(builder.getI32Type());
  return InputBuffer(make(addArgument(name, VectorType::get(4, component))),
                     type);
}

InputBuffer KernelBuilder::getScalarInput(std::string_view name) {
  DataType type = getType(name);
  Type unit = type == DataType::F32 && !getArgument(name).isCoded()
                  ? Type(builder.getF32Type())
                  : Type(builder.getI32Type());
  return InputBuffer(make(addArgument(name, unit)), type);
}

InputBuffer KernelBuilder::getRunInput(std::string_view name, unsigned run) {
  unsigned unit = getType(name) == DataType::F32 ? 4 : 8;
  return run % unit == 0 ? getInput(name) : getScalarInput(name);
}

OutputBuffer KernelBuilder::getOutput(std::string_view name) {
  return getRunOutput(name, 8);
}

OutputBuffer KernelBuilder::getWordOutput(std::string_view name) {
  return OutputBuffer(make(addArgument(name, builder.getI32Type())),
                      DataType::I32, 1);
}

OutputBuffer KernelBuilder::getRunOutput(std::string_view name, unsigned run) {
  DataType type = getType(name);
  bool isWide = type == DataType::F32 || type == DataType::I32;
  unsigned words = isWide ? run : run / 2;
  assert((isWide || run % 2 == 0) && "16-bit elements are written in pairs");
  words = words % 4 == 0 ? 4 : words % 2 == 0 ? 2 : 1;
  Type unit = type == DataType::F32 ? Type(builder.getF32Type())
                                    : Type(builder.getI32Type());
  if (words != 1)
    unit = VectorType::get(words, unit);
  return OutputBuffer(make(addArgument(name, unit)), type,
                      isWide ? words : words * 2);
}
