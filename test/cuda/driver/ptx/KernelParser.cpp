//===- KernelParser.cpp - Reading one .entry ------------------------------===//

#include "test/cuda/driver/ptx/KernelParser.h"

#include <algorithm>

using namespace quern::ptx;

static constexpr uint32_t maxSharedBytes = 1 << 20;
static constexpr uint32_t maxLocalBytes = 512 << 10;
static constexpr uint32_t maxParameterBytes = 32764;
static constexpr uint64_t maxRegisters = 60000;

static uint32_t placeBehind(uint64_t used, const Declaration &declaration,
                            uint64_t limit, unsigned line) {
  uint64_t start = (used + declaration.alignment - 1) / declaration.alignment *
                   declaration.alignment;
  if (declaration.getBytes() > limit || start + declaration.getBytes() > limit)
    throw ParseError(line, "'" + std::string(declaration.name) +
                               "' is larger than the memory of its space");
  return static_cast<uint32_t>(start);
}

namespace {
class KernelParser {
public:
  KernelParser(TokenStream &tokens, Kernel &kernel, const Globals &globals)
      : tokens(tokens), kernel(kernel), builder(kernel, globals) {}

  void run() {
    kernel.name = tokens.expectName();
    parseParameters();
    while (!tokens.peek().is("{"))
      parsePerformanceDirective();
    parseBody();
  }

private:
  void parseParameters();
  void parseParameter();
  void parsePerformanceDirective();
  std::array<uint32_t, 3> parseThreads();
  void parseBody();
  void parseStatement();
  void parseDirective();
  void parseRegisters();
  void parseVariable();
  void parseInstruction();
  void parseGuard(Operand &guard);
  OperandText parseOperand();
  OperandText parseAddress();
  void resolveBranches();

  struct Branch {
    size_t instruction;
    std::string_view label;
    unsigned line;
  };
  TokenStream &tokens;
  Kernel &kernel;
  KernelBuilder builder;
  std::map<std::string_view, uint32_t> labels;
  std::vector<Branch> branches;
};
} // namespace

//===----------------------------------------------------------------------===//
// The head
//===----------------------------------------------------------------------===//

void KernelParser::parseParameters() {
  if (!tokens.take("("))
    return;
  if (tokens.take(")"))
    return;
  do
    parseParameter();
  while (tokens.take(","));
  tokens.expect(")");
}

void KernelParser::parseParameter() {
  unsigned line = tokens.getLine();
  tokens.expect(".param");
  Declaration declaration = parseDeclaration(tokens);
  if (declaration.isOpen || getSize(declaration.type) == 0)
    tokens.fail("a parameter has a size");
  uint32_t offset =
      placeBehind(kernel.parameterBytes, declaration, maxParameterBytes, line);
  auto bytes = static_cast<uint32_t>(declaration.getBytes());
  kernel.parameters.push_back({std::string(declaration.name), offset, bytes});
  kernel.parameterBytes = offset + bytes;
  Symbol symbol;
  symbol.kind = Symbol::Kind::Parameter;
  symbol.address = offset;
  symbol.space = Space::Param;
  builder.define(declaration.name, symbol, line);
}

std::array<uint32_t, 3> KernelParser::parseThreads() {
  std::array<uint32_t, 3> threads = {1, 1, 1};
  size_t axis = 0;
  do {
    if (axis == 3)
      tokens.fail("too many dimensions");
    threads[axis++] = static_cast<uint32_t>(tokens.expectInteger(1024));
  } while (tokens.take(","));
  if (threads[0] == 0 || threads[1] == 0 || threads[2] == 0)
    tokens.fail("a dimension is 0");
  return threads;
}

void KernelParser::parsePerformanceDirective() {
  if (tokens.take(".reqntid")) {
    kernel.requiredThreads = parseThreads();
  } else if (tokens.take(".maxntid")) {
    auto [x, y, z] = parseThreads();
    kernel.maxThreads = std::min<uint64_t>(uint64_t(x) * y * z, 1024);
  } else if (tokens.take(".minnctapersm") || tokens.take(".maxnreg")) {
    tokens.expectInteger(1024); // No meaning here: there are enough of both.
  } else {
    tokens.fail(tokens.isAtEnd() ? "expected '{'"
                                 : "unknown directive " +
                                       TokenStream::describe(tokens.peek()));
  }
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

void KernelParser::parseBody() {
  tokens.expect("{");
  size_t depth = builder.getDepth();
  builder.pushScope();
  while (builder.getDepth() != depth)
    parseStatement();
  // The end of a kernel is an exit.
  Instruction exit;
  exit.flow = Flow::Exit;
  exit.line = tokens.getLine();
  kernel.instructions.push_back(exit);
  resolveBranches();
  kernel.numDeclared = kernel.numRegisters;
  builder.finish();
  if (kernel.staticSharedBytes > maxSharedBytes)
    tokens.fail("too much shared memory");
}

void KernelParser::parseStatement() {
  const Token &token = tokens.peek();
  if (tokens.isAtEnd())
    tokens.fail("kernel '" + kernel.name + "' has no end");
  if (tokens.take("{"))
    return builder.pushScope();
  if (tokens.take("}"))
    return builder.popScope();
  if (token.kind == Token::Kind::Word && tokens.peek(1).is(":")) {
    std::string_view label = tokens.expectName();
    tokens.next();
    auto index = static_cast<uint32_t>(kernel.instructions.size());
    if (!labels.emplace(label, index).second)
      tokens.fail("label '" + std::string(label) + "' is defined twice");
    return;
  }
  if (token.kind == Token::Kind::Word && token.text[0] == '.')
    return parseDirective();
  parseInstruction();
}

void KernelParser::parseDirective() {
  if (tokens.take(".reg"))
    return parseRegisters();
  if (tokens.peek().is(".shared") || tokens.peek().is(".local"))
    return parseVariable();
  if (tokens.take(".pragma")) { // "nounroll": nothing that changes a result.
    if (tokens.next().kind != Token::Kind::String)
      tokens.fail("expected a string");
    return tokens.expect(";");
  }
  if (tokens.take(".loc")) { // Debug information ends with its line.
    unsigned line = tokens.getLine();
    while (!tokens.isAtEnd() && tokens.getLine() == line)
      tokens.next();
    return;
  }
  tokens.fail("unknown directive " + TokenStream::describe(tokens.peek()));
}

void KernelParser::parseRegisters() {
  if (tokens.peek().kind != Token::Kind::Word)
    tokens.fail("expected a type");
  Type type = parseType(tokens.next().text.substr(1));
  if (type == Type::None)
    tokens.fail("unknown type of a register");
  do {
    unsigned line = tokens.getLine();
    std::string_view name = tokens.expectName();
    uint64_t count = 1;
    bool many = tokens.take("<");
    if (many) {
      count = tokens.expectInteger(maxRegisters);
      tokens.expect(">");
    }
    for (uint64_t i = 0; i != count; ++i) {
      Symbol symbol;
      symbol.place = builder.addRegister(getSize(type), line);
      builder.define(std::string(name) + (many ? std::to_string(i) : ""),
                     symbol, line);
    }
  } while (tokens.take(","));
  tokens.expect(";");
}

void KernelParser::parseVariable() {
  unsigned line = tokens.getLine();
  bool shared = tokens.next().is(".shared");
  Declaration declaration = parseDeclaration(tokens);
  if (declaration.isOpen || getSize(declaration.type) == 0)
    tokens.fail("a variable of a kernel has a size");
  tokens.expect(";");
  uint32_t &used = shared ? kernel.staticSharedBytes : kernel.localBytes;
  Symbol symbol;
  symbol.kind = Symbol::Kind::Address;
  symbol.space = shared ? Space::Shared : Space::Local;
  symbol.address = placeBehind(used, declaration,
                               shared ? maxSharedBytes : maxLocalBytes, line);
  used = static_cast<uint32_t>(symbol.address + declaration.getBytes());
  builder.define(declaration.name, symbol, line);
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

void KernelParser::parseGuard(Operand &guard) {
  guard.negated = tokens.take("!");
  std::string_view name = tokens.expectName();
  const Symbol *symbol = builder.find(name);
  if (!symbol || symbol->kind != Symbol::Kind::Register ||
      symbol->place.size != 0)
    tokens.fail("'" + std::string(name) + "' is not a predicate");
  bool negated = guard.negated;
  guard = symbol->place;
  guard.negated = negated;
}

void KernelParser::parseInstruction() {
  unsigned line = tokens.getLine();
  Operand guard;
  bool hasGuard = tokens.take("@");
  if (hasGuard)
    parseGuard(guard);
  std::string_view mnemonic = tokens.expectName();
  if (mnemonic == "bra" || mnemonic == "bra.uni") {
    branches.push_back({kernel.instructions.size(), tokens.expectName(), line});
    tokens.expect(";");
    Instruction branch;
    branch.flow = Flow::Branch;
    branch.line = line;
    branch.hasGuard = hasGuard;
    branch.guard = guard;
    kernel.instructions.push_back(branch);
    return;
  }
  std::vector<OperandText> operands;
  if (!tokens.peek().is(";")) {
    do
      operands.push_back(parseOperand());
    while (tokens.take(","));
  }
  tokens.expect(";");
  Decoder decoder(builder, mnemonic, std::move(operands), line);
  Instruction instruction = decodeInstruction(decoder);
  instruction.hasGuard = hasGuard;
  instruction.guard = guard;
  kernel.instructions.push_back(instruction);
}

OperandText KernelParser::parseOperand() {
  OperandText operand;
  if (tokens.take("[")) {
    operand = parseAddress();
    return operand;
  }
  if (tokens.take("{")) {
    operand.kind = OperandText::Kind::Vector;
    do {
      operand.elements.push_back(parseOperand());
      if (operand.elements.back().kind == OperandText::Kind::Vector ||
          operand.elements.size() > 8)
        tokens.fail("a vector has at most 8 elements");
    } while (tokens.take(","));
    tokens.expect("}");
    return operand;
  }
  operand.negated = tokens.take("!");
  operand.negative = !operand.negated && tokens.take("-");
  if (tokens.peek().kind == Token::Kind::Number) {
    operand.kind = OperandText::Kind::Number;
    operand.text = tokens.next().text;
    return operand;
  }
  if (operand.negative)
    tokens.fail("expected a number");
  operand.text = tokens.expectName();
  if (tokens.take("|"))
    operand.pair = tokens.expectName();
  else if (tokens.take("+"))
    operand.offset = static_cast<int64_t>(tokens.expectInteger(INT32_MAX));
  return operand;
}

OperandText KernelParser::parseAddress() {
  OperandText operand;
  operand.kind = OperandText::Kind::Address;
  operand.baseIsNumber = tokens.peek().kind == Token::Kind::Number;
  operand.text =
      operand.baseIsNumber ? tokens.next().text : tokens.expectName();
  if (tokens.take("+")) {
    bool negative = tokens.take("-");
    auto offset = static_cast<int64_t>(tokens.expectInteger(INT32_MAX));
    operand.offset = negative ? -offset : offset;
  } else if (tokens.take("-")) {
    operand.offset = -static_cast<int64_t>(tokens.expectInteger(INT32_MAX));
  }
  tokens.expect("]");
  return operand;
}

void KernelParser::resolveBranches() {
  for (const Branch &branch : branches) {
    auto label = labels.find(branch.label);
    if (label == labels.end())
      throw ParseError(branch.line,
                       "there is no label '" + std::string(branch.label) + "'");
    kernel.instructions[branch.instruction].target = label->second;
  }
}

std::unique_ptr<Kernel> quern::ptx::parseKernel(TokenStream &tokens,
                                                const Globals &globals,
                                                uint32_t sharedBytes) {
  auto kernel = std::make_unique<Kernel>();
  kernel->staticSharedBytes = sharedBytes;
  KernelParser(tokens, *kernel, globals).run();
  return kernel;
}
