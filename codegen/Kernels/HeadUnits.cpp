//===- HeadUnits.cpp - How lanes share the elements of a head -------------===//
#include "codegen/Kernels/HeadUnits.h"
#include "codegen/Kernels/Int8Codes.h"

using namespace quern;

HeadUnits::HeadUnits(KernelBuilder &k)
    : k(k), type(k.getType("q")), coded(k.getArgument("k_cache").int8Rows),
      byWords(k.getTarget().lanesAreRegister()) {
  int64_t perWord = coded ? 4 : type == DataType::F32 ? 1 : 2;
  elements = byWords ? perWord : coded ? 16 : 8;
  parts = byWords ? perWord : elements / 4;
  order = type == DataType::BF16 && !coded ? OctetOrder::EvenOdd
                                           : OctetOrder::Linear;
}

InputBuffer HeadUnits::getCache(std::string_view name) const {
  return byWords ? k.getScalarInput(name) : k.getInput(name);
}

Expressions HeadUnits::readPacked(const InputBuffer &cache,
                                  Expression unit) const {
  if (coded)
    return {cache.read(unit)};
  if (byWords)
    return cache.readWord(unit);
  Octet octet = cache.readOctet(unit);
  return {octet.a, octet.b};
}

Expressions HeadUnits::unpack(llvm::ArrayRef<Expression> packed) const {
  if (!coded)
    return Expressions(packed.begin(), packed.end());
  Expressions values;
  for (unsigned i = 0; i != 4; ++i)
    values.push_back(byWords ? unpackInt8Code(packed.front(), i)
                             : unpackInt8Codes(k, packed.front()[i]));
  return values;
}

Expression HeadUnits::readScale(const InputBuffer &cache,
                                Expression index) const {
  if (byWords)
    return floatOf(cache.read(index));
  Expression words = cache.read(index / 4), at = index % 4, word = words[0];
  for (unsigned i = 1; i != 4; ++i)
    word = select(at == double(i), words[i], word);
  return floatOf(word);
}

InputBuffer HeadUnits::getInput(std::string_view name) const {
  return byWords ? k.getRunInput(name, unsigned(elements)) : k.getInput(name);
}

Expressions HeadUnits::read(const InputBuffer &buffer, Expression unit) const {
  Expressions values;
  if (byWords) {
    // Four f32 are one vector, four halves two words.
    int64_t words = coded && type != DataType::F32 ? 2 : 1;
    for (int64_t i = 0; i != words; ++i)
      values.append(buffer.readWord(unit * double(words) + double(i)));
    return values;
  }
  int64_t octets = elements / 8;
  for (int64_t i = 0; i != octets; ++i) {
    Octet octet =
        k.reorder(buffer.readOctet(unit * double(octets) + double(i)), order);
    values.append({octet.a, octet.b});
  }
  return values;
}

OutputBuffer HeadUnits::getOutput(std::string_view name) const {
  return k.getRunOutput(name, unsigned(elements));
}

void HeadUnits::write(const OutputBuffer &buffer, Expression unit,
                      llvm::ArrayRef<Expression> values) const {
  if (byWords)
    return buffer.writeRun(unit * double(elements), values);
  int64_t octets = elements / 8;
  for (int64_t i = 0; i != octets; ++i)
    buffer.writeOctet(unit * double(octets) + double(i),
                      {values[2 * i], values[2 * i + 1], order});
}

Expression HeadUnits::shuffleXor(Expression part, unsigned distance) const {
  if (byWords)
    return k.shuffleXor(part, distance);
  Expressions components;
  for (unsigned i = 0; i != 4; ++i)
    components.push_back(k.shuffleXor(part[i], distance));
  return vector(components);
}
