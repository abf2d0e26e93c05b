//===- Decoder.h - One instruction: modifiers and operands -------*- C++
//-*-===//
//
// A group of instructions (ops/*.cpp) reads an instruction from left to right:
// it takes the modifiers that it knows in the order of the PTX grammar, adds
// the operands, and ends with finish, which refuses whatever is left. So a
// modifier that nobody takes is an error, never skipped.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_PTX_DECODER_H
#define QUERN_TEST_CUDA_DRIVER_PTX_DECODER_H

#include "test/cuda/driver/ptx/KernelBuilder.h"

#include <initializer_list>
#include <span>

namespace quern::ptx {

/// An operand as written.
struct OperandText {
  enum class Kind : uint8_t { Name, Number, Vector, Address };
  Kind kind = Kind::Name;
  std::string_view text; ///< Name or number; base of an address.
  std::string_view pair; ///< q of "p|q".
  bool negative = false; ///< "-1"
  bool negated = false;  ///< "!p"
  bool baseIsNumber = false;
  int64_t offset = 0; ///< Of names and addresses.
  std::vector<OperandText> elements;
};

class Decoder {
public:
  /// `mnemonic` is "add.rn.f32".
  Decoder(KernelBuilder &builder, std::string_view mnemonic,
          std::vector<OperandText> operands, unsigned line);

  // Modifiers, each without its dot, in order.
  bool take(std::string_view modifier);
  /// The index of the one that was there, or -1.
  int takeOneOf(std::initializer_list<std::string_view> modifiers);
  /// None when the next modifier is not a type.
  Type takeType();
  /// Refuses the instruction unless the modifier is there.
  void require(std::string_view modifier);
  int requireOneOf(std::initializer_list<std::string_view> modifiers);
  /// A type of which `accept` approves.
  Type requireType(bool (*accept)(Type));
  /// The last modifier, by which groups divide instructions among them.
  Type getLastType() const;
  bool hasModifier(std::string_view modifier) const;
  std::string_view getBase() const { return base; }
  std::string_view getMnemonic() const { return mnemonic; }

  // Operands, in order. A register has to be as wide as `type`; with `wider`
  // it may be wider (ld, st, cvt).
  void addDestination(Type type, bool wider = false);
  void addSource(Type type, bool wider = false);
  /// "p" or "!p" as a source.
  void addPredicateSource();
  /// "{a, b, ...}" or, for one, "a"; returns how many.
  unsigned addDestinations(Type type, bool wider = false);
  unsigned addSources(Type type, bool wider = false);
  /// "d" or "d|p"; returns whether there is a p, added as a destination.
  bool addDestinationWithPredicate(Type type);
  /// "[base+offset]": adds the base as a source; true for a second address.
  void addAddress(Space space, bool second = false);
  /// The next operand as it is; null when there is none.
  const OperandText *peekOperand() const;
  const OperandText &takeOperand();
  /// An integer literal.
  uint64_t takeInteger();
  size_t getNumOperands() const { return operands.size(); }

  [[noreturn]] void fail(const std::string &text) const;
  /// "this form is not supported by the test driver".
  [[noreturn]] void failUnsupported() const;
  /// Refuses modifiers and operands that nobody took.
  void finish(ExecuteFunction execute);

  Instruction instruction;
  KernelBuilder &builder;

private:
  Operand resolveRegister(const OperandText &text, Type type, bool wider);
  Operand resolveSource(const OperandText &text, Type type, bool wider);
  Operand resolveNumber(const OperandText &text, Type type);
  void pushSource(Operand operand);
  void pushDestination(Operand operand);

  std::string_view mnemonic, base;
  std::vector<std::string_view> modifiers;
  size_t nextModifier = 0, nextOperand = 0;
  std::vector<OperandText> operands;
  unsigned line;
};

/// Bits of a number as written, for a value of `type`: integers (0x, 0b,
/// octal, a trailing U), 0fXXXXXXXX, 0dXXXXXXXXXXXXXXXX, decimal fractions for
/// f32 and f64. Nothing for anything else.
std::optional<uint64_t> parseNumber(std::string_view text, bool negative,
                                    Type type);

/// One instruction of any group. Throws ParseError.
Instruction decodeInstruction(Decoder &decoder);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_PTX_DECODER_H
