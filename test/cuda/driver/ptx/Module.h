//===- Module.h - A decoded PTX module ---------------------------*- C++
//-*-===//
//
// The loader turns each instruction into a function pointer and the places of
// its operands in the register file of a warp.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_PTX_MODULE_H
#define QUERN_TEST_CUDA_DRIVER_PTX_MODULE_H

#include "test/cuda/driver/ptx/Types.h"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace quern::ptx {

class Warp;
struct Instruction;
using ExecuteFunction = void (*)(Warp &, const Instruction &);

enum class Space : uint8_t { Generic, Global, Shared, Local, Constant, Param };

/// A register, constant or special register in the register file of a warp: 32
/// values of `size` bytes, or one word of 32 bits for a predicate.
struct Operand {
  uint32_t offset = 0;  ///< Bytes into the file.
  uint16_t index = 0;   ///< Into the warp's masks of defined lanes.
  uint8_t size = 0;     ///< Bytes of one value; 0: a predicate.
  bool negated = false; ///< Predicates only.
};

/// What the executor does with an instruction beyond calling its function.
enum class Flow : uint8_t { Next, Branch, Exit, Barrier, WarpSync };

struct BarrierInfo {
  bool arrives = false; ///< bar.arrive: does not wait.
  bool aligned = true;  ///< All lanes of a warp have to come together.
};

struct Instruction {
  ExecuteFunction execute = nullptr;
  Flow flow = Flow::Next;
  /// The function keeps the masks of defined lanes itself: moves copy what is
  /// not defined, everything else refuses to read it.
  bool movesUndefined = false;
  bool hasGuard = false;
  Operand guard;
  uint8_t numDestinations = 0, numSources = 0;
  std::array<Operand, 8> destinations;
  std::array<Operand, 12> sources;
  uint32_t target = 0; ///< Of a branch: index of an instruction.
  uint32_t line = 0;
  // What some groups need besides operands.
  Space space = Space::Generic;
  uint8_t elementSize = 0;   ///< Bytes of one loaded or stored value.
  uint8_t variant = 0;       ///< Meaning depends on the group.
  bool signExtends = false;  ///< Loads of signed types.
  int64_t addressOffset = 0; ///< Added to source 0.
  int64_t addressOffset2 = 0;
  BarrierInfo barrier;
  /// Of WarpSync: which source names the lanes that take part; -1: all.
  int8_t memberMask = -1;
};

struct Parameter {
  std::string name;
  uint32_t offset = 0, size = 0;
};

/// What a special register is filled with when a warp starts.
enum class Special : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  LaneId,
  WarpId,
  NumWarps,
  LaneMaskEq,
  LaneMaskLt,
  LaneMaskLe,
  LaneMaskGt,
  LaneMaskGe,
  DynamicSharedSize,
};

struct Kernel {
  struct Constant {
    Operand place;
    uint64_t bits = 0;
  };
  struct SpecialRegister {
    Operand place;
    Special special;
  };
  std::string name;
  std::vector<Instruction> instructions;
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;
  uint32_t fileBytes = 0;    ///< Register file of one warp.
  uint32_t numRegisters = 0; ///< Declared, with constants and special ones.
  uint32_t numDeclared = 0;  ///< Registers the text declares.
  std::vector<Constant> constants;
  std::vector<SpecialRegister> specials;
  uint32_t staticSharedBytes = 0;
  uint32_t localBytes = 0; ///< Per thread.
  bool usesDynamicShared = false;
  std::array<uint32_t, 3> requiredThreads = {0, 0, 0}; ///< .reqntid, or zeros.
  uint32_t maxThreads = 1024;                          ///< .maxntid
};

/// A .global or .const variable; the loader of the driver gives it an address.
struct Variable {
  std::string name;
  uint32_t size = 0;
  Space space = Space::Global;
  std::vector<uint8_t> initial; ///< Empty: zeros.
  uint64_t address = 0;
};

struct Module {
  std::string source;   ///< The text, for messages.
  unsigned version = 0; ///< 10 * major + minor
  unsigned target = 0;  ///< 80 for sm_80
  std::string targetName;
  std::map<std::string, std::unique_ptr<Kernel>, std::less<>> kernels;
  std::map<std::string, std::unique_ptr<Variable>, std::less<>> variables;

  /// The text of a line, trimmed.
  std::string getLine(unsigned line) const;
};

/// Reads a module. `placeVariable` gives each variable its address. Throws
/// ParseError for anything that it does not know.
std::unique_ptr<Module> parseModule(std::string_view source,
                                    void (*placeVariable)(Variable &, void *),
                                    void *context);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_PTX_MODULE_H
