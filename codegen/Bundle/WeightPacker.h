//===- WeightPacker.h - Streams weights in their packed order ---*- C++ -*-===//
#ifndef QUERN_CODEGEN_BUNDLE_WEIGHTPACKER_H
#define QUERN_CODEGEN_BUNDLE_WEIGHTPACKER_H

#include "codegen/Bundle/EmitBundle.h"
#include "dialects/Exec/IR/ExecOps.h"

namespace quern {

/// Appends the bytes of `weight` to the open section of `writer`, in the order
/// that its packing names and with the element type that it is stored with, and
/// an entry to `converted` if that is not the sources'. Sources of the wrong
/// size are an error, and numbers that the type can't hold.
Status packWeight(exec::WeightOp weight, const WeightSource &sources,
                  unsigned threads, BundleWriter &writer,
                  std::vector<WeightQuality> &converted);

/// Appends the elements of `constant`.
Status packConstant(exec::ConstantOp constant, BundleWriter &writer);

} // namespace quern

#endif // QUERN_CODEGEN_BUNDLE_WEIGHTPACKER_H
