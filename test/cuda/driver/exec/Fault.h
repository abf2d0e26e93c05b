//===- Fault.h - Errors of a running kernel ----------------------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_EXEC_FAULT_H
#define QUERN_TEST_CUDA_DRIVER_EXEC_FAULT_H

#include <stdexcept>
#include <string>

namespace quern::ptx {

/// What the API reports; the values are those of CUresult.
enum class FaultCode : int {
  IllegalAddress = 700,
  LaunchTimeout = 702,
  MisalignedAddress = 716,
  LaunchFailed = 719, ///< What only this driver finds: races, ...
};

/// `lane` is that of the thread at fault, or -1: the first active one.
struct Fault : std::runtime_error {
  Fault(FaultCode code, const std::string &text, int lane = -1)
      : std::runtime_error(text), code(code), lane(lane) {}
  FaultCode code;
  int lane;
};

std::string formatHex(unsigned long long value);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_EXEC_FAULT_H
