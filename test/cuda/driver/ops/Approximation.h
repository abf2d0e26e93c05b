//===- Approximation.h - How exact .approx instructions are ------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_OPS_APPROXIMATION_H
#define QUERN_TEST_CUDA_DRIVER_OPS_APPROXIMATION_H

#include <cstdint>

namespace quern::ptx {

/// What .approx instructions return: the exact result, rounded, or the end of
/// the error that PTX documents for them below or above it. Set once, from
/// QUERN_TEST_CUDA_APPROX=exact|low|high.
enum class Approximation : uint8_t { Exact, Low, High };
void setApproximation(Approximation approximation);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_OPS_APPROXIMATION_H
