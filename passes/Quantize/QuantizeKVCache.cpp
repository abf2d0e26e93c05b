//===- QuantizeKVCache.cpp - int8 rows of key and value caches ------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_QUANTIZEKVCACHEPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
struct QuantizeKVCachePass
    : quern::impl::QuantizeKVCachePassBase<QuantizeKVCachePass> {
  void runOnOperation() override {
    auto int8Rows = qwen::Int8RowsType::get(&getContext());
    for (auto state : getOperation().getOps<qwen::StateOp>()) {
      RankedTensorType type = state.getTensorType();
      bool isCache = state.getKind() == qwen::StateKind::KeyCache ||
                     state.getKind() == qwen::StateKind::ValueCache;
      if (!isCache || type.getElementType() == int8Rows)
        continue;
      if (type.getShape().back() % kInt8RowUnit != 0) {
        state.emitError() << "heads of " << type.getShape().back()
                          << " elements can't be int8 codes, which takes a "
                             "multiple of "
                          << kInt8RowUnit;
        return signalPassFailure();
      }
      state.setType(RankedTensorType::get(type.getShape(), int8Rows));
      ++numCaches;
    }
  }
};
} // namespace
