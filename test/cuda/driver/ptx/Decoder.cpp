//===- Decoder.cpp - One instruction: modifiers and operands --------------===//

#include "test/cuda/driver/ptx/Decoder.h"

using namespace quern::ptx;

Decoder::Decoder(KernelBuilder &builder, std::string_view mnemonic,
                 std::vector<OperandText> operands, unsigned line)
    : builder(builder), mnemonic(mnemonic), operands(std::move(operands)),
      line(line) {
  instruction.line = line;
  size_t dot = mnemonic.find('.');
  base = mnemonic.substr(0, dot);
  while (dot != std::string_view::npos) {
    size_t next = mnemonic.find('.', dot + 1);
    modifiers.push_back(mnemonic.substr(dot + 1, next - dot - 1));
    dot = next;
  }
}

//===----------------------------------------------------------------------===//
// Modifiers
//===----------------------------------------------------------------------===//

bool Decoder::take(std::string_view modifier) {
  if (nextModifier == modifiers.size() || modifiers[nextModifier] != modifier)
    return false;
  ++nextModifier;
  return true;
}

int Decoder::takeOneOf(std::initializer_list<std::string_view> wanted) {
  int index = 0;
  for (std::string_view modifier : wanted) {
    if (take(modifier))
      return index;
    ++index;
  }
  return -1;
}

Type Decoder::takeType() {
  if (nextModifier == modifiers.size())
    return Type::None;
  Type type = parseType(modifiers[nextModifier]);
  nextModifier += type != Type::None;
  return type;
}

void Decoder::require(std::string_view modifier) {
  if (!take(modifier))
    fail("expected '." + std::string(modifier) + "' in '" +
         std::string(mnemonic) + "'");
}

int Decoder::requireOneOf(std::initializer_list<std::string_view> wanted) {
  int index = takeOneOf(wanted);
  if (index >= 0)
    return index;
  std::string names;
  for (std::string_view name : wanted)
    names += (names.empty() ? "." : ", .") + std::string(name);
  fail("expected one of " + names + " in '" + std::string(mnemonic) + "'");
}

Type Decoder::requireType(bool (*accept)(Type)) {
  Type type = takeType();
  if (type == Type::None || !accept(type))
    fail("'" + std::string(mnemonic) + "' does not take this type");
  return type;
}

Type Decoder::getLastType() const {
  return modifiers.empty() ? Type::None : parseType(modifiers.back());
}

bool Decoder::hasModifier(std::string_view modifier) const {
  for (std::string_view present : modifiers)
    if (present == modifier)
      return true;
  return false;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

const OperandText *Decoder::peekOperand() const {
  return nextOperand < operands.size() ? &operands[nextOperand] : nullptr;
}

const OperandText &Decoder::takeOperand() {
  if (nextOperand == operands.size())
    fail("'" + std::string(mnemonic) + "' has too few operands");
  return operands[nextOperand++];
}

void Decoder::pushSource(Operand operand) {
  if (instruction.numSources == instruction.sources.size())
    fail("too many operands");
  instruction.sources[instruction.numSources++] = operand;
}

void Decoder::pushDestination(Operand operand) {
  if (instruction.numDestinations == instruction.destinations.size())
    fail("too many operands");
  instruction.destinations[instruction.numDestinations++] = operand;
}

Operand Decoder::resolveRegister(const OperandText &text, Type type,
                                 bool wider) {
  std::string name(text.text);
  if (text.kind != OperandText::Kind::Name || text.offset != 0)
    fail("expected a register");
  if (text.text == "_")
    return builder.getSink(getSize(type), line);
  const Symbol *symbol = builder.find(text.text);
  if (!symbol || symbol->kind != Symbol::Kind::Register)
    fail("'" + name + "' is not a register");
  unsigned size = getSize(type);
  bool fits = symbol->place.size == size ||
              (wider && size != 0 && symbol->place.size > size);
  if (!fits)
    fail("register '" + name + "' has " +
         std::to_string(symbol->place.size * 8) + " bits, '" +
         std::string(mnemonic) + "' needs " + std::to_string(size * 8));
  return symbol->place;
}

Operand Decoder::resolveNumber(const OperandText &text, Type type) {
  auto bits = parseNumber(text.text, text.negative, type);
  if (!bits)
    fail("'" + std::string(text.text) + "' is not a number of this type");
  return builder.getConstant(getSize(type), *bits, line);
}

Operand Decoder::resolveSource(const OperandText &text, Type type, bool wider) {
  if (text.kind == OperandText::Kind::Number)
    return resolveNumber(text, type);
  if (text.kind != OperandText::Kind::Name)
    fail("expected a register or a number");
  if (text.text == "WARP_SZ")
    return builder.getConstant(getSize(type), 32, line);
  const Symbol *symbol = builder.find(text.text);
  if (symbol && symbol->kind == Symbol::Kind::Address && getSize(type) >= 4)
    return builder.getConstant(getSize(type), symbol->address + text.offset,
                               line);
  if (symbol && symbol->kind == Symbol::Kind::DynamicShared &&
      getSize(type) >= 4)
    return builder.getDynamicShared(getSize(type), text.offset, line);
  if (getSize(type) == 4 && text.offset == 0 && !symbol)
    if (auto special = builder.findSpecial(text.text, line))
      return *special;
  if (text.text == "_")
    fail("'_' can't be read");
  return resolveRegister(text, type, wider);
}

void Decoder::addDestination(Type type, bool wider) {
  const OperandText &text = takeOperand();
  if (text.negated || !text.pair.empty())
    fail("expected a register");
  pushDestination(resolveRegister(text, type, wider));
}

void Decoder::addSource(Type type, bool wider) {
  const OperandText &text = takeOperand();
  if (text.negated || !text.pair.empty())
    fail("expected a register or a number");
  pushSource(resolveSource(text, type, wider));
}

void Decoder::addPredicateSource() {
  const OperandText &text = takeOperand();
  if (!text.pair.empty())
    fail("expected a predicate");
  Operand operand = resolveRegister(text, Type::Pred, false);
  operand.negated = text.negated;
  pushSource(operand);
}

unsigned Decoder::addDestinations(Type type, bool wider) {
  const OperandText *text = peekOperand();
  if (!text || text->kind != OperandText::Kind::Vector) {
    addDestination(type, wider);
    return 1;
  }
  for (const OperandText &element : takeOperand().elements)
    pushDestination(resolveRegister(element, type, wider));
  return static_cast<unsigned>(text->elements.size());
}

unsigned Decoder::addSources(Type type, bool wider) {
  const OperandText *text = peekOperand();
  if (!text || text->kind != OperandText::Kind::Vector) {
    addSource(type, wider);
    return 1;
  }
  for (const OperandText &element : takeOperand().elements)
    pushSource(resolveSource(element, type, wider));
  return static_cast<unsigned>(text->elements.size());
}

bool Decoder::addDestinationWithPredicate(Type type) {
  const OperandText &text = takeOperand();
  OperandText first = text;
  first.pair = {};
  pushDestination(resolveRegister(first, type, false));
  if (text.pair.empty())
    return false;
  OperandText second;
  second.text = text.pair;
  pushDestination(resolveRegister(second, Type::Pred, false));
  return true;
}

void Decoder::addAddress(Space space, bool second) {
  const OperandText &text = takeOperand();
  if (text.kind != OperandText::Kind::Address)
    fail("expected an address in brackets");
  (second ? instruction.addressOffset2 : instruction.addressOffset) =
      text.offset;
  OperandText name;
  name.text = text.text;
  if (text.baseIsNumber) {
    if (space != Space::Local)
      fail("a number is an address of .local alone");
    name.kind = OperandText::Kind::Number;
    pushSource(resolveNumber(name, Type::U64));
    return;
  }
  const Symbol *symbol = builder.find(text.text);
  if (!symbol)
    fail("'" + std::string(text.text) + "' is not declared");
  bool is32 = symbol->kind == Symbol::Kind::Register && symbol->place.size == 4;
  if (symbol->kind == Symbol::Kind::Parameter)
    fail("parameters are read by ld.param alone");
  if (symbol->kind == Symbol::Kind::Address && space != Space::Generic &&
      symbol->space != space)
    fail("'" + std::string(text.text) + "' lies in another state space");
  if (is32 && space != Space::Shared && space != Space::Local)
    fail("an address of this state space has 64 bits");
  pushSource(resolveSource(name, is32 ? Type::U32 : Type::U64, false));
}

uint64_t Decoder::takeInteger() {
  const OperandText &text = takeOperand();
  auto bits = text.kind == OperandText::Kind::Number
                  ? parseNumber(text.text, text.negative, Type::U64)
                  : std::nullopt;
  if (!bits)
    fail("expected an integer");
  return *bits;
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

void Decoder::fail(const std::string &text) const {
  throw ParseError(line, text);
}

void Decoder::failUnsupported() const {
  fail("'" + std::string(mnemonic) + "' is not supported by the test driver");
}

void Decoder::finish(ExecuteFunction execute) {
  if (nextModifier != modifiers.size())
    fail("unknown modifier '." + std::string(modifiers[nextModifier]) +
         "' in '" + std::string(mnemonic) + "'");
  if (nextOperand != operands.size())
    fail("'" + std::string(mnemonic) + "' has too many operands");
  instruction.execute = execute;
}
