//===- Parser.cpp - Reading a module --------------------------------------===//

#include "test/cuda/driver/ptx/KernelParser.h"

#include <algorithm>
#include <charconv>
#include <cstring>

using namespace quern::ptx;

static constexpr uint64_t maxVariableBytes = 64 << 20;

uint64_t TokenStream::expectInteger(uint64_t limit) {
  auto value = peek().kind == Token::Kind::Number
                   ? parseNumber(peek().text, false, Type::U64)
                   : std::nullopt;
  if (!value)
    fail("expected an integer, found " + describe(peek()));
  if (*value > limit)
    fail(std::to_string(*value) + " is more than " + std::to_string(limit));
  next();
  return *value;
}

Declaration quern::ptx::parseDeclaration(TokenStream &tokens) {
  Declaration declaration;
  bool aligned = false;
  while (tokens.peek().kind == Token::Kind::Word &&
         tokens.peek().text[0] == '.') {
    std::string_view word = tokens.peek().text.substr(1);
    if (word == "align" || word == "ptr") {
      bool ofPointer = word == "ptr";
      tokens.next();
      if (ofPointer) { // ".ptr .global .align 1": what a pointer points to.
        for (const char *space : {".global", ".shared", ".const", ".local"})
          if (tokens.take(space))
            break;
        if (tokens.take(".align"))
          tokens.expectInteger(4096);
        continue;
      }
      declaration.alignment = static_cast<unsigned>(tokens.expectInteger(4096));
      if (declaration.alignment == 0 ||
          (declaration.alignment & (declaration.alignment - 1)) != 0)
        tokens.fail("an alignment is a power of 2");
      aligned = true;
      continue;
    }
    Type type = parseType(word);
    if (type == Type::None || declaration.type != Type::None)
      tokens.fail("unexpected " + TokenStream::describe(tokens.peek()));
    declaration.type = type;
    tokens.next();
  }
  if (declaration.type == Type::None)
    tokens.fail("expected a type");
  if (!aligned)
    declaration.alignment = std::max(getSize(declaration.type), 1U);
  declaration.name = tokens.expectName();
  while (tokens.take("[")) {
    declaration.isArray = true;
    if (tokens.take("]")) {
      declaration.isOpen = true;
      declaration.count = 0;
      continue;
    }
    declaration.count *= tokens.expectInteger(maxVariableBytes);
    if (declaration.count > maxVariableBytes)
      tokens.fail("an array is too large");
    tokens.expect("]");
  }
  return declaration;
}

std::string Module::getLine(unsigned line) const {
  size_t start = 0;
  for (unsigned i = 1; i < line && start != std::string::npos; ++i) {
    start = source.find('\n', start);
    start = start == std::string::npos ? start : start + 1;
  }
  if (start == std::string::npos)
    return {};
  std::string text = source.substr(start, source.find('\n', start) - start);
  for (char &c : text)
    if (c == '\t')
      c = ' ';
  size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first);
}

namespace {
class ModuleParser {
public:
  ModuleParser(Module &module, void (*placeVariable)(Variable &, void *),
               void *context)
      : module(module), tokens(tokenize(module.source)),
        placeVariable(placeVariable), context(context) {}

  void run() {
    parseHead();
    while (!tokens.isAtEnd())
      parseTopLevel();
  }

private:
  void parseHead();
  void parseTarget();
  void parseTopLevel();
  void parseVariable(Space space, bool isExtern);
  void parseInitializer(Variable &variable, const Declaration &declaration);
  void defineShared(const Declaration &declaration, bool isExtern);

  Module &module;
  TokenStream tokens;
  void (*placeVariable)(Variable &, void *);
  void *context;
  Globals globals;
  uint32_t sharedBytes = 0;
};
} // namespace

/// "8.3" as 83.
static std::optional<unsigned> parseVersion(std::string_view text) {
  const char *end = text.data() + text.size();
  unsigned major = 0, minor = 0;
  auto [point, majorError] = std::from_chars(text.data(), end, major);
  if (majorError != std::errc() || point == end || *point != '.' || major > 99)
    return std::nullopt;
  auto [rest, minorError] = std::from_chars(point + 1, end, minor);
  if (minorError != std::errc() || rest != end || minor > 9)
    return std::nullopt;
  return 10 * major + minor;
}

void ModuleParser::parseHead() {
  tokens.expect(".version");
  std::optional<unsigned> version = parseVersion(tokens.next().text);
  if (!version)
    tokens.fail("expected a version such as 8.0");
  module.version = *version;
  tokens.expect(".target");
  parseTarget();
  tokens.expect(".address_size");
  if (tokens.expectInteger(64) != 64)
    tokens.fail("addresses have 64 bits");
}

void ModuleParser::parseTarget() {
  std::string_view name = tokens.expectName();
  module.targetName = name;
  if (!name.starts_with("sm_"))
    tokens.fail("expected a target such as sm_80");
  std::string_view digits = name.substr(3);
  if (digits.ends_with('a') || digits.ends_with('f'))
    digits.remove_suffix(1);
  auto number = parseNumber(digits, false, Type::U32);
  if (digits.size() > 4 || !number)
    tokens.fail("unknown target '" + std::string(name) + "'");
  module.target = static_cast<unsigned>(*number);
  if (tokens.take(","))
    tokens.fail("unknown option of .target " +
                TokenStream::describe(tokens.peek()));
}

void ModuleParser::parseTopLevel() {
  bool isExtern = tokens.take(".extern");
  if (!isExtern && !tokens.take(".visible"))
    tokens.take(".weak");
  if (tokens.take(".entry")) {
    if (isExtern)
      tokens.fail("an .entry can't be .extern");
    auto kernel = parseKernel(tokens, globals, sharedBytes);
    std::string name = kernel->name;
    if (!module.kernels.emplace(name, std::move(kernel)).second)
      tokens.fail("kernel '" + name + "' is defined twice");
    return;
  }
  if (tokens.peek().is(".func"))
    tokens.fail("functions are not supported: calls have to be inlined");
  if (tokens.take(".shared"))
    return parseVariable(Space::Shared, isExtern);
  if (tokens.take(".global"))
    return parseVariable(Space::Global, isExtern);
  if (tokens.take(".const"))
    return parseVariable(Space::Constant, isExtern);
  if (tokens.take(".file")) { // .file 1 "name"
    tokens.expectInteger(UINT32_MAX);
    if (tokens.next().kind != Token::Kind::String)
      tokens.fail("expected the name of a file");
    return;
  }
  tokens.fail("unknown directive " + TokenStream::describe(tokens.peek()));
}

void ModuleParser::defineShared(const Declaration &declaration, bool isExtern) {
  Symbol symbol;
  symbol.space = Space::Shared;
  if (isExtern) {
    if (declaration.getBytes() != 0)
      tokens.fail(".extern .shared is an array without a size");
    symbol.kind = Symbol::Kind::DynamicShared;
  } else {
    if (declaration.getBytes() == 0)
      tokens.fail("a variable has a size");
    uint64_t start = (uint64_t(sharedBytes) + declaration.alignment - 1) /
                     declaration.alignment * declaration.alignment;
    if (start + declaration.getBytes() > 1 << 20)
      tokens.fail("too much shared memory");
    symbol.kind = Symbol::Kind::Address;
    symbol.address = start;
    sharedBytes = static_cast<uint32_t>(start + declaration.getBytes());
  }
  if (!globals.emplace(declaration.name, symbol).second)
    tokens.fail("'" + std::string(declaration.name) + "' is declared twice");
}

void ModuleParser::parseInitializer(Variable &variable,
                                    const Declaration &declaration) {
  unsigned size = getSize(declaration.type);
  bool braces = tokens.take("{");
  do {
    bool negative = tokens.take("-");
    auto bits =
        tokens.peek().kind == Token::Kind::Number
            ? parseNumber(tokens.peek().text, negative, declaration.type)
            : std::nullopt;
    if (!bits)
      tokens.fail("expected a number of the type of the variable, found " +
                  TokenStream::describe(tokens.peek()));
    tokens.next();
    size_t offset = variable.initial.size();
    if (offset + size > variable.size)
      tokens.fail("too many numbers");
    variable.initial.resize(offset + size);
    std::memcpy(&variable.initial[offset], &*bits, size); // Little endian.
  } while (braces && tokens.take(","));
  if (braces)
    tokens.expect("}");
  variable.initial.resize(variable.size);
}

void ModuleParser::parseVariable(Space space, bool isExtern) {
  Declaration declaration = parseDeclaration(tokens);
  if (space == Space::Shared) {
    defineShared(declaration, isExtern);
    return tokens.expect(";");
  }
  if (isExtern || declaration.isOpen || declaration.getBytes() == 0 ||
      declaration.getBytes() > maxVariableBytes)
    tokens.fail("a variable of a module has a size and is no .extern");
  auto variable = std::make_unique<Variable>();
  variable->name = declaration.name;
  variable->size = static_cast<uint32_t>(declaration.getBytes());
  variable->space = space;
  if (tokens.take("="))
    parseInitializer(*variable, declaration);
  tokens.expect(";");
  placeVariable(*variable, context);
  Symbol symbol;
  symbol.kind = Symbol::Kind::Address;
  symbol.space = space;
  symbol.address = variable->address;
  if (!globals.emplace(declaration.name, symbol).second)
    tokens.fail("'" + std::string(declaration.name) + "' is declared twice");
  module.variables[variable->name] = std::move(variable);
}

std::unique_ptr<Module>
quern::ptx::parseModule(std::string_view source,
                        void (*placeVariable)(Variable &, void *),
                        void *context) {
  auto module = std::make_unique<Module>();
  module->source = source;
  ModuleParser(*module, placeVariable, context).run();
  return module;
}
