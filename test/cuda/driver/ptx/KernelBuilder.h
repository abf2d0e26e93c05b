//===- KernelBuilder.h - Names and places of a kernel ------------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_PTX_KERNELBUILDER_H
#define QUERN_TEST_CUDA_DRIVER_PTX_KERNELBUILDER_H

#include "test/cuda/driver/ptx/Module.h"

#include <string_view>

namespace quern::ptx {

/// What a name stands for.
struct Symbol {
  enum class Kind : uint8_t {
    Register,
    Address,       ///< Of a variable: a number known when the module is loaded.
    DynamicShared, ///< .extern .shared: known when the kernel is read.
    Parameter,
  };
  Kind kind = Kind::Register;
  Operand place;        ///< Registers.
  uint64_t address = 0; ///< Addresses; parameters: their offset.
  Space space = Space::Generic;
};

/// Gives registers, constants and special registers of one kernel their places
/// in the register file of a warp.
class KernelBuilder {
public:
  KernelBuilder(Kernel &kernel,
                const std::map<std::string, Symbol, std::less<>> &globals)
      : kernel(kernel), globals(globals) {
    pushScope();
  }

  void pushScope() { scopes.emplace_back(); }
  void popScope() { scopes.pop_back(); }
  size_t getDepth() const { return scopes.size(); }

  /// Throws ParseError when the innermost scope has the name.
  void define(std::string_view name, Symbol symbol, unsigned line);
  /// Null for an unknown name.
  const Symbol *find(std::string_view name) const;

  /// `size` 0: a predicate.
  Operand addRegister(unsigned size, unsigned line);
  Operand getConstant(unsigned size, uint64_t bits, unsigned line);
  /// The address of dynamic shared memory plus `offset`, of `size` bytes.
  Operand getDynamicShared(unsigned size, uint64_t offset, unsigned line);
  /// Nothing for a name that is not a special register of 32 bits.
  std::optional<Operand> findSpecial(std::string_view name, unsigned line);
  /// A register that is written and never read.
  Operand getSink(unsigned size, unsigned line);

  /// Lays out dynamic shared memory behind the static one.
  void finish();

  Kernel &kernel;

private:
  Operand addPlace(unsigned size, unsigned line);

  const std::map<std::string, Symbol, std::less<>> &globals;
  std::vector<std::map<std::string, Symbol, std::less<>>> scopes;
  std::map<std::pair<unsigned, uint64_t>, Operand> constants;
  std::map<Special, Operand> specials;
  std::map<unsigned, Operand> sinks;
  std::vector<size_t> dynamicConstants; ///< Indices into kernel.constants.
};

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_PTX_KERNELBUILDER_H
