//===- LogitComparison.h - How far two models' logits are apart -*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_LOGITCOMPARISON_H
#define QUERN_TOOLS_QUERN_LOGITCOMPARISON_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quern::tool {

/// Collects positions; p is the reference's distribution of the next token, q
/// the other model's.
class LogitComparison {
public:
  struct Summary {
    size_t positions = 0;
    /// Sum over tokens of p (log p - log q), in nats.
    double meanDivergence = 0, medianDivergence = 0, highDivergence = 0,
           maxDivergence = 0; ///< High: the 99th percentile.
    double topAgreement = 0;  ///< Share of positions with the same top token.
    double referencePerplexity = 0, otherPerplexity = 0; ///< 0: no next tokens.
  };

  /// Rows of equal size; `next` is the token that follows, negative: none.
  void add(std::span<const float> reference, std::span<const float> other,
           int32_t next);
  Summary summarize() const;

private:
  std::vector<double> divergences;
  size_t agreements = 0, predicted = 0;
  double referenceLoss = 0, otherLoss = 0;
};

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_LOGITCOMPARISON_H
