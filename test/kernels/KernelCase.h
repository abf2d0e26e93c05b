//===- KernelCase.h - A kernel request with data and answer -----*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_KERNELCASE_H
#define QUERN_TEST_KERNELS_KERNELCASE_H

#include "codegen/Kernels/KernelRequest.h"
#include "codegen/Targets/TargetDescription.h"

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace quern::test {

/// A dense tensor on the host. Floats of every type are held as float and
/// rounded to `type`; I32 tensors use `integers`.
struct Tensor {
  DataType type = DataType::F32;
  std::vector<int64_t> shape;
  std::vector<float> values;
  std::vector<int32_t> integers;
  /// Of a weight in an encoding: which, and what its values were rounded from.
  Encoding encoding = Encoding::None;
  std::vector<float> unrounded;
  /// A cache of int8 rows; likewise rounded from `unrounded`.
  bool int8Rows = false;
  /// Rows of the panels in which it lies, as exec.weight says; 0: row-major.
  int64_t panelRows = 0;

  std::vector<std::byte> encode() const;
  /// The same without panels.
  std::vector<std::byte> encodeRows() const;
  void decode(const std::vector<std::byte> &bytes);
};

/// Uniform numbers in [-scale, scale], rounded to `type`; the same for the
/// same seed.
Tensor makeRandom(DataType type, std::vector<int64_t> shape, double scale,
                  unsigned seed);
/// The same for a weight of rows of the last dimension; F32 with an encoding.
Tensor makeRandomWeight(DataType type, Encoding encoding,
                        std::vector<int64_t> shape, double scale,
                        unsigned seed);
/// The same for a cache of int8 rows, F32.
Tensor makeRandomInt8Rows(std::vector<int64_t> shape, double scale,
                          unsigned seed);
Tensor makeZeros(DataType type, std::vector<int64_t> shape);
Tensor makeIntegers(std::vector<int64_t> shape, std::vector<int32_t> values);

struct Expectation {
  Tensor tensor;
  /// |found - expected| <= absolute + relative * |expected|.
  double absolute = 0, relative = 0;
  /// Elements compared, from the first on; all if negative.
  int64_t elements = -1;
};

/// Tokens of the program and of the run: steps may have fewer.
struct Tokens {
  int64_t total;
  uint32_t run;
};

struct KernelCase {
  KernelRequest request; ///< Arguments are filled in by addArgument.
  std::vector<Tensor> arguments;
  std::map<unsigned, Expectation> expected; ///< By argument.
  uint32_t tokens = 1, rows = 1;            ///< Counts of the run.
  /// Weights that lie in panels; only for targets that have them.
  std::vector<unsigned> panelWeights;
  /// Arguments that lie in the buffer of an earlier one.
  std::map<unsigned, unsigned> views;
  bool onMatrixUnits = false; ///< Only for targets that have them.

  unsigned addInput(Tensor tensor);
  unsigned addOutput(Expectation expectation);
  unsigned addState(Tensor before, Expectation after);
  /// An earlier input once more, to be read and written.
  unsigned addStateView(unsigned input, Expectation after);
  /// Lays weights in panels of the target; false if it has none or the rows
  /// make none, or if the target lacks the units.
  bool fit(const TargetDescription &target);
};

/// One unit in the last place of `type`, relative: what rounding to it (in any
/// direction) may cost. For F32 a few units, since sums are reordered.
double relativeTolerance(DataType type);

struct NamedCase {
  std::string name; ///< Starts with the family.
  std::string family;
  std::function<KernelCase()> make;
};

/// What GoogleTest shows of a case.
void PrintTo(const NamedCase &entry, std::ostream *stream);

/// All cases; every family of Kernels.inc has some.
const std::vector<NamedCase> &getKernelCases();

void addDenseCases(std::vector<NamedCase> &cases);
void addLinearCases(std::vector<NamedCase> &cases);
void addAttentionCases(std::vector<NamedCase> &cases);
void addAttentionSplitCases(std::vector<NamedCase> &cases);
void addDeltaChunkCases(std::vector<NamedCase> &cases);
void addEncodedCases(std::vector<NamedCase> &cases);
void addIntegerCases(std::vector<NamedCase> &cases);
void addMoeCases(std::vector<NamedCase> &cases);
void addExpertCases(std::vector<NamedCase> &cases);
void addDeltaCases(std::vector<NamedCase> &cases);
void addDeltaRuleCases(std::vector<NamedCase> &cases);
void addSampleCases(std::vector<NamedCase> &cases);

/// "f32", "f16", ...
std::string typeName(DataType type);
/// The same, or the name of an encoding without a hyphen.
std::string weightName(DataType type, Encoding encoding);

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_KERNELCASE_H
