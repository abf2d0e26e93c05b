//===- quern-lsp-server.cpp - language server for our IR ------------------===//
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "tools/registration/Registration.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quern::registerAllDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
