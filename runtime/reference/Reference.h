//===- Reference.h - the meaning of the model's ops -------------*- C++ -*-===//
//
// One scalar function per op of the qwen dialect: the definition that kernels,
// fusions and the interpreter are tested against. Names and equations are those
// of the op descriptions (dialects/Qwen/IR/*.td).
//
// Tensors are dense, row-major spans of float with explicit shapes. A result
// whose element type is given as `type` (F32, F16 or BF16) is rounded to it
// once and held as float. Sums are accumulated in double, so that a result is
// the correctly rounded one up to the last f32 operation. Callers pass spans of
// the sizes that the comments give; indices that come with the data (ids,
// slots, positions, pages, rows) are checked, and a Status names the first bad
// one. All functions are pure and thread-safe on distinct outputs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_REFERENCE_REFERENCE_H
#define QUERN_RUNTIME_REFERENCE_REFERENCE_H

#include "runtime/base/DataType.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <span>

namespace quern::reference {

using Floats = std::span<const float>;
using Integers = std::span<const int32_t>;
using Output = std::span<float>;

/// out [T, H] = table[ids[t]]; table [V, H].
Status embedding(Integers ids, Floats table, int64_t vocabSize,
                 int64_t hiddenSize, Output out);

/// Parameters of a root-mean-square norm; weight [features].
struct Norm {
  Floats weight;
  double epsilon;
  /// Whether the scale is 1 + weight.
  bool unitOffset;
};

/// out, x [rows, features]; features is the size of the weight.
void rmsNorm(Floats x, const Norm &norm, DataType type, Output out);

/// out = residual + delta, f32.
void residualAdd(Floats residual, Floats delta, Output out);

/// residualAdd into sum, rmsNorm of the sum into normed.
void addRmsNorm(Floats residual, Floats delta, const Norm &norm, DataType type,
                Output sum, Output normed);

/// One matrix [rows, inputs] of a product.
struct Matrix {
  Floats values;
  int64_t rows;
};

/// x [T, inputs]; out [T, sum of the matrices' rows] = x W^T.
void linear(Floats x, int64_t inputs, std::span<const Matrix> weights,
            DataType type, Output out);

/// Int8 codes of x, whose rows are whole groups of 32 elements, for weights of
/// `weightBits`: codes has a word for four elements, in the order of
/// getActivationElement; factors has two numbers for each group: the scale,
/// max|x| / 127, and the sum of the codes. A code is x times 127 / max|x|
/// rounded to even; all are 0 in a group of zeros.
void quantizeActivations(Floats x, unsigned weightBits,
                         std::span<int32_t> codes, Output factors);

/// The numbers that the codes stand for.
void dequantizeActivations(Integers codes, Floats factors, unsigned weightBits,
                           Output x);

/// x, in place, as the numbers that its codes stand for.
void roundToCodes(Output x);

/// out = silu(gate) * up, element by element.
void swiglu(Floats gate, Floats up, DataType type, Output out);

/// swiglu of two products that are not rounded before it.
void linearSwiglu(Floats x, int64_t inputs, const Matrix &gate,
                  const Matrix &up, DataType type, Output out);

/// Experts of tokens, experts [T, slots], and their weights.
struct ExpertChoice {
  Integers experts;
  Floats weights;
  int64_t slots;
};

/// experts, weights [T, slots]: the greatest softmax probabilities of x
/// [T, inputs] times gate, descending, the lower index first of equals; scaled
/// to the sum one with `normalize`. A NaN ranks below all numbers.
void router(Floats x, int64_t inputs, const Matrix &gate, bool normalize,
            int64_t slots, std::span<int32_t> experts, Output weights);

/// Weights of experts: gateUp [experts, 2 * intermediate, hidden], down
/// [experts, hidden, intermediate].
struct Experts {
  Floats gateUp;
  Floats down;
  int64_t intermediateSize;
  int64_t hiddenSize;
  /// Inputs of products are int8 codes (roundToCodes).
  bool int8Activations = false;

  int64_t count() const {
    return static_cast<int64_t>(down.size()) / (hiddenSize * intermediateSize);
  }
};

/// x, out [T, hidden]. Hidden values are rounded to `type`, and then to codes
/// if inputs are; the sum is rounded to `type`.
Status expertSum(Floats x, const ExpertChoice &choice, const Experts &experts,
                 DataType type, Output out);

/// out, x [T, features] times sigmoid(gate [T]).
void scaleBySigmoid(Floats x, Floats gate, DataType type, Output out);

/// out [T, 2 * inverseFrequencies.size()]: cosines, then sines.
void ropeTable(Integers positions, Floats inverseFrequencies,
               double attentionFactor, Output out);

/// x, out [T, heads, headDim]; table [T, rotaryDim].
void rope(Floats x, int64_t heads, int64_t headDim, Floats table,
          int64_t rotaryDim, DataType type, Output out);

/// Where the tokens of a step lie: slots [T], positions [T], pageTable [slots,
/// pagesPerSlot] of physical pages.
struct Placement {
  Integers slots;
  Integers positions;
  Integers pageTable;
  int64_t pagesPerSlot;
};

/// Shape of a paged cache [pages, heads, pageSize, headDim].
struct CacheShape {
  int64_t pages;
  int64_t heads;
  int64_t pageSize;
  int64_t headDim;
  /// Rows are int8 codes with a scale (runtime/base/Int8Rows.h); caches hold
  /// the numbers that these stand for.
  bool int8Rows = false;

  int64_t entrySize() const { return heads * headDim; }
  int64_t size() const { return pages * pageSize * entrySize(); }
};

/// The row of a slot's position for a head: (page * heads + head) * pageSize +
/// position within the page.
Result<int64_t> cacheRow(const Placement &placement, const CacheShape &shape,
                         int64_t slot, int64_t position, int64_t head);

/// k, v [T, heads, headDim] into the caches.
Status cacheAppend(Floats k, Floats v, const Placement &placement,
                   const CacheShape &shape, Output keyCache, Output valueCache);

/// q, out [T, heads, headDim]; heads is a multiple of shape.heads.
Status attention(Floats q, int64_t heads, const Placement &placement,
                 const CacheShape &shape, Floats keyCache, Floats valueCache,
                 double scale, DataType type, Output out);

/// Operands of qkNormRopeAppend beside the placement and the caches.
struct QkNormRope {
  /// [T, (heads + 2 * shape.heads) * shape.headDim]: queries, keys, values;
  /// with `gated` as many gates as queries between them and the keys.
  Floats qkv;
  int64_t heads;
  Floats table;
  int64_t rotaryDim;
  Norm qNorm;
  Norm kNorm;
  bool gated = false;
};

/// Norm and rotation of queries (into q [T, heads, headDim]) and keys, append
/// of keys and values; nothing is rounded between norm and rotation, and keys
/// only once: to `type`, or to codes.
Status qkNormRopeAppend(const QkNormRope &operands, const Placement &placement,
                        const CacheShape &shape, DataType type, Output keyCache,
                        Output valueCache, Output q);

/// out [R, features] = x[rows[r]]; x [T, features].
Status selectRows(Floats x, int64_t features, Integers rows, Output out);

/// Numbers of a sampling row.
inline constexpr int64_t samplingParameters = 8;

/// tokens [R]; logits [R, vocabSize], sampling [R, 8], seen [R,
/// ceil(vocabSize / 32)].
void sample(Floats logits, int64_t vocabSize, Floats sampling, Integers seen,
            std::span<int32_t> tokens);

} // namespace quern::reference

#endif // QUERN_RUNTIME_REFERENCE_REFERENCE_H
