//===- Rows.cpp - Kernels that work on rows -------------------------------===//
#include "codegen/Kernels/Rows.h"

using namespace quern;

Status quern::requireMultiple(const KernelBuilder &k, std::string_view symbol,
                              int64_t factor) {
  if (k.dim(symbol) % factor == 0)
    return Status::ok();
  return unsupported("dimension " + std::string(symbol) + " = " +
                     std::to_string(k.dim(symbol)) + " is not a multiple of " +
                     std::to_string(factor));
}

Status
quern::buildPerItem(KernelBuilder &k, int64_t rows, int64_t items,
                    llvm::function_ref<void(Expression, Expression)> body,
                    std::string_view count) {
  unsigned subgroups = k.getTarget().subgroupsPerWorkgroup;
  while (subgroups > 1 && items <= subgroups * k.getSubgroupSize() / 2)
    subgroups /= 2;
  k.setSubgroups(subgroups);
  int64_t lanes = k.launch.workgroupSize[0];
  k.setGrid(0, (items + lanes - 1) / lanes);
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(rows, 1, count));
  Expression item = k.getGroup(0) * double(lanes) +
                    k.getSubgroup() * double(k.getSubgroupSize()) + k.getLane();
  k.guard(
      items % lanes != 0, [&] { return item < double(items); },
      [&] { body(k.getGroup(1), item); });
  return Status::ok();
}

Status
quern::buildPerOctet(KernelBuilder &k, int64_t rows, int64_t features,
                     llvm::function_ref<void(Expression, Expression)> body,
                     std::string_view count) {
  return buildPerItem(k, rows, features / 8, body, count);
}

unsigned quern::getTeamLanes(const KernelBuilder &k, int64_t octets) {
  unsigned lanes = 1;
  while (lanes * 2 <= octets && lanes < k.getSubgroupSize())
    lanes *= 2;
  return lanes;
}

unsigned quern::getEvenTeamLanes(const KernelBuilder &k, int64_t octets) {
  unsigned lanes = 1;
  while (octets % (lanes * 2) == 0 && lanes < k.getSubgroupSize())
    lanes *= 2;
  return lanes;
}

Expression quern::sigmoid(Expression x) { return 1 / (1 + exp(0 - x)); }

Expression quern::silu(Expression x) { return x / (1 + exp(0 - x)); }
