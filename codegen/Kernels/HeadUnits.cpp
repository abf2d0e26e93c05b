//===- HeadUnits.cpp - How lanes share the elements of a head -------------===//
#include "codegen/Kernels/HeadUnits.h"

using namespace quern;

HeadUnits::HeadUnits(KernelBuilder &k, std::string_view name)
    : k(k), type(k.getType(name)), byWords(k.getTarget().lanesAreRegister()) {
  int64_t perWord = type == DataType::F32 ? 1 : 2;
  elements = byWords ? perWord : 8;
  parts = byWords ? perWord : 2;
}

InputBuffer HeadUnits::getInput(std::string_view name) const {
  return byWords ? k.getScalarInput(name) : k.getInput(name);
}

OutputBuffer HeadUnits::getOutput(std::string_view name) const {
  return k.getRunOutput(name, unsigned(elements));
}

Expressions HeadUnits::read(const InputBuffer &buffer, Expression unit) const {
  if (byWords)
    return buffer.readWord(unit);
  Octet octet = buffer.readOctet(unit);
  return {octet.a, octet.b};
}

void HeadUnits::write(const OutputBuffer &buffer, Expression unit,
                      llvm::ArrayRef<Expression> values) const {
  if (byWords)
    return buffer.writeRun(unit * double(elements), values);
  OctetOrder order =
      type == DataType::BF16 ? OctetOrder::EvenOdd : OctetOrder::Linear;
  buffer.writeOctet(unit, {values[0], values[1], order});
}

Expression HeadUnits::shuffleXor(Expression part, unsigned distance) const {
  if (byWords)
    return k.shuffleXor(part, distance);
  Expressions components;
  for (unsigned i = 0; i != 4; ++i)
    components.push_back(k.shuffleXor(part[i], distance));
  return vector(components);
}
