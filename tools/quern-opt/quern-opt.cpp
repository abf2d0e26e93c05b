//===- quern-opt.cpp - runs passes on IR ----------------------------------===//
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tools/registration/Registration.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quern::registerAllDialects(registry);
  quern::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Quern's pass runner: reads IR, runs passes, prints IR\n",
      registry));
}
