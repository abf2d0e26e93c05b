//===- Encoding.h - Encodings of quantised weights --------------*- C++ -*-===//
//
// A quantised weight is a matrix of rows x columns; each group of 32
// consecutive columns of a row has codes of a few bits, an f16 scale and, in
// some encodings, an f16 minimum:
//
//   value = scale * (code - zero)        symmetric
//   value = scale * code + minimum       with a minimum
//
// Instead of the minimum an encoding can hold its zero point z, a whole number
// of 0 to 2^bits, as f16: minimum = -scale * z. In f32 that is exact, and so is
// value = scale * (code - z).
//
// The codes of a group are words of 32 bits. Words come in fours; with c codes
// in a word, element 4 * i + j of the 4 * c elements of such a four is code i
// (counted from the low bits) of word j: shifting and masking four words at
// once gives four elements in a row.
//
// How groups are ordered in memory is a matter of its own. EncodedMatrix is the
// order by rows.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_ENCODING_H
#define QUERN_RUNTIME_BASE_ENCODING_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace quern {

/// The numbers are those of the bundle format.
enum class Encoding : uint8_t {
  None = 0, ///< Elements of a data type, one after the other.
#define QUERN_ENCODING(name, spelling, bits, zero, hasMinimum, hasZeroPoint)   \
  name,
#include "runtime/base/Encodings.inc"
};

/// Elements of a group.
inline constexpr unsigned kGroupSize = 32;
/// Rows whose scales lie side by side.
inline constexpr unsigned kScaleRows = 8;

struct EncodingInfo {
  Encoding encoding = Encoding::None;
  std::string_view name; ///< "int8"
  unsigned bits = 0;     ///< Of a code.
  int zero = 0;          ///< The code of 0; unused with a minimum.
  bool hasMinimum = false;
  bool hasZeroPoint =
      false; ///< In place of the minimum, which follows from it.

  bool isSigned() const { return zero == 0 && !hasMinimum; }
  int lowestCode() const { return isSigned() ? -(1 << (bits - 1)) : 0; }
  int highestCode() const { return lowestCode() + (1 << bits) - 1; }
  unsigned wordsPerGroup() const { return kGroupSize * bits / 32; }
  unsigned codesPerWord() const { return 32 / bits; }
  /// Scales and minima of a group.
  unsigned factorsPerGroup() const { return hasMinimum ? 2 : 1; }
  double bitsPerWeight() const {
    return bits + 16.0 * factorsPerGroup() / kGroupSize;
  }
};

/// All but None, in the order of the table.
std::span<const EncodingInfo> getEncodings();
/// Of an encoding that is not None.
const EncodingInfo &getEncodingInfo(Encoding encoding);
/// Null if there is none of that name.
const EncodingInfo *findEncoding(std::string_view name);

/// A group in its encoded form; factors are f16: the scale, then the minimum or
/// the zero point.
struct EncodedGroup {
  uint32_t words[kGroupSize * 8 / 32] = {};
  uint16_t factors[2] = {};
  float squaredError = 0; ///< Sum over the group.
};

/// The largest magnitude of a weight that factors of f16 can express.
inline constexpr float kMaxEncodedMagnitude = 65504;

/// The codes and factors for which the sum of squared errors is smallest among
/// a few candidates for the scale, each refined by least squares. `values` has
/// kGroupSize numbers up to kMaxEncodedMagnitude.
EncodedGroup encodeGroup(const EncodingInfo &info, const float *values);

/// Sets the words of a group; codes[i] is that of element i, modulo 2^bits.
void packCodes(const EncodingInfo &info, const uint8_t *codes,
               EncodedGroup &group);

/// The kGroupSize numbers that a group stands for.
void decodeGroup(const EncodingInfo &info, const EncodedGroup &group,
                 float *values);

/// Inputs of products with encoded weights can be int8 codes too, in groups of
/// kGroupSize with an f32 scale. Their words of four codes are ordered for
/// weights whose codes have `bits` bits: the elements whose weights are at bits
/// [b * 8 + p * bits, ...) of the four bytes b of a word are one word, for each
/// p in turn. This is the element of the group that is byte `byte` of `word`.
constexpr unsigned getActivationElement(unsigned bits, unsigned word,
                                        unsigned byte) {
  unsigned phases = 8 / bits, weightWord = word / phases;
  unsigned code = byte * phases + word % phases;
  return weightWord / 4 * (4 * 32 / bits) + 4 * code + weightWord % 4;
}

/// The order by rows: the words of all groups, row by row; then the factors,
/// of kScaleRows rows at a time: for each group of columns the scales of these
/// rows side by side (16 bytes), then their minima. Rows that fill up the last
/// kScaleRows have scales of 0.
class EncodedMatrix {
public:
  /// `columns` is a multiple of kGroupSize.
  EncodedMatrix(Encoding encoding, uint64_t rows, uint64_t columns)
      : info(getEncodingInfo(encoding)), rows(rows),
        groups(columns / kGroupSize) {}

  const EncodingInfo &getInfo() const { return info; }
  uint64_t groupsPerRow() const { return groups; }
  uint64_t rowWordBytes() const { return groups * info.wordsPerGroup() * 4; }
  uint64_t wordBytes() const { return rows * rowWordBytes(); }
  uint64_t factorBytes() const {
    return (rows + kScaleRows - 1) / kScaleRows * groups * kScaleRows *
           info.factorsPerGroup() * 2;
  }
  uint64_t bytes() const { return wordBytes() + factorBytes(); }

  /// Index of a factor among those of the matrix.
  uint64_t factorIndex(uint64_t row, uint64_t group, unsigned factor) const {
    return ((row / kScaleRows * groups + group) * info.factorsPerGroup() +
            factor) *
               kScaleRows +
           row % kScaleRows;
  }

  /// The values of all rows. `encoded` has bytes() bytes.
  std::vector<float> decode(std::span<const std::byte> encoded) const;
  /// The encoded form of rows x columns finite values.
  std::vector<std::byte> encode(std::span<const float> values) const;

private:
  const EncodingInfo &info;
  uint64_t rows, groups;
};

/// EncodedMatrix::bytes of a matrix of unchecked size; nothing if the columns
/// are no multiple of kGroupSize or the number does not fit.
std::optional<uint64_t> countEncodedBytes(Encoding encoding, uint64_t rows,
                                          uint64_t columns);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_ENCODING_H
