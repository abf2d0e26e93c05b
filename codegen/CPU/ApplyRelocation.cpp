//===- ApplyRelocation.cpp - One relocation of object code ----------------===//
#include "codegen/CPU/ApplyRelocation.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <string>

using namespace llvm;
using namespace quern;

namespace {

/// A field of an instruction of 32 bits.
struct Field {
  unsigned shift, bits;
};

class AArch64Place {
public:
  AArch64Place(char *place, uint64_t at, uint64_t value)
      : place(place), at(at), value(value) {}

  Status apply(uint32_t type) {
    constexpr Field address = {10, 12}, branch = {0, 26}, literal = {5, 19};
    switch (type) {
    case ELF::R_AARCH64_PREL32:
      return putWord();
    case ELF::R_AARCH64_CALL26:
    case ELF::R_AARCH64_JUMP26:
      return putDistance(branch);
    case ELF::R_AARCH64_LD_PREL_LO19:
      return putDistance(literal);
    case ELF::R_AARCH64_ADR_PREL_PG_HI21:
      return putPage();
    case ELF::R_AARCH64_ADD_ABS_LO12_NC:
    case ELF::R_AARCH64_LDST8_ABS_LO12_NC:
      return putOffset(address, 0);
    case ELF::R_AARCH64_LDST16_ABS_LO12_NC:
      return putOffset(address, 1);
    case ELF::R_AARCH64_LDST32_ABS_LO12_NC:
      return putOffset(address, 2);
    case ELF::R_AARCH64_LDST64_ABS_LO12_NC:
      return putOffset(address, 3);
    case ELF::R_AARCH64_LDST128_ABS_LO12_NC:
      return putOffset(address, 4);
    default:
      return internalError("relocation of type " + std::to_string(type) +
                           " in the code for AArch64");
    }
  }

private:
  Status putWord() {
    int64_t distance = int64_t(value - at);
    if (!isInt<32>(distance))
      return internalError("a relocation reaches too far");
    support::endian::write32le(place, uint32_t(distance));
    return Status::ok();
  }

  void put(Field field, uint64_t bits) {
    uint32_t mask = maskTrailingOnes<uint32_t>(field.bits);
    uint32_t word = support::endian::read32le(place);
    word &= ~(mask << field.shift);
    word |= (uint32_t(bits) & mask) << field.shift;
    support::endian::write32le(place, word);
  }

  /// In instructions.
  Status putDistance(Field field) {
    int64_t distance = int64_t(value - at);
    if (distance % 4 != 0 || !isIntN(field.bits + 2, distance))
      return internalError("a relocation reaches too far");
    put(field, uint64_t(distance >> 2));
    return Status::ok();
  }

  /// adrp: pages of 4096 bytes.
  Status putPage() {
    constexpr uint64_t offset = 4095;
    int64_t pages = int64_t((value & ~offset) - (at & ~offset)) >> 12;
    if (!isInt<21>(pages))
      return internalError("a relocation reaches too far");
    put({29, 2}, uint64_t(pages));
    put({5, 19}, uint64_t(pages >> 2));
    return Status::ok();
  }

  /// Inside a page, in units of 2^scale bytes.
  Status putOffset(Field field, unsigned scale) {
    uint64_t offset = value & 4095;
    if (offset & maskTrailingOnes<uint64_t>(scale))
      return internalError("a relocation is not aligned");
    put(field, offset >> scale);
    return Status::ok();
  }

  char *place;
  uint64_t at, value;
};

} // namespace

static Status applyX86(uint32_t type, char *place, uint64_t at,
                       uint64_t value) {
  if (type != ELF::R_X86_64_PC32 && type != ELF::R_X86_64_PLT32)
    return internalError("relocation of type " + std::to_string(type) +
                         " in the code for x86-64");
  int64_t distance = int64_t(value - at);
  if (!isInt<32>(distance))
    return internalError("a relocation reaches too far");
  support::endian::write32le(place, uint32_t(distance));
  return Status::ok();
}

Status quern::applyRelocation(uint16_t machine, uint32_t type, char *place,
                              uint64_t at, uint64_t value) {
  if (machine == ELF::EM_X86_64)
    return applyX86(type, place, at, value);
  if (machine == ELF::EM_AARCH64)
    return AArch64Place(place, at, value).apply(type);
  return internalError("object code of ELF machine " + std::to_string(machine) +
                       ", for which there is no linker here");
}
