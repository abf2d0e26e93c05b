//===- SelectBufferAccess.cpp - How arguments of a kernel are bound -------===//
#include "codegen/SPIRV/Passes.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVEnums.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SELECTBUFFERACCESSPASS
#include "codegen/SPIRV/SPIRVPasses.h.inc"
} // namespace quern

using namespace quern;

/// The name of a texel access in `kernel.accesses`; the names are those of
/// the exec dialect's Access.
static StringRef getTexelAccessName(Type element) {
  auto vector = dyn_cast<VectorType>(element);
  bool isFloat = getElementTypeOrSelf(element).isF32();
  if (vector)
    return isFloat ? "texel_float4" : "texel_uint4";
  return isFloat ? "texel_float1" : "texel_uint1";
}

static int64_t getElementBytes(Type element) {
  auto vector = dyn_cast<VectorType>(element);
  return vector ? vector.getNumElements() * 4 : 4;
}

namespace {

class SelectBufferAccess
    : public quern::impl::SelectBufferAccessPassBase<SelectBufferAccess> {
public:
  using SelectBufferAccessPassBase::SelectBufferAccessPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (readAccess != "storage" && readAccess != "texel") {
      func.emitError() << "read-access: expected storage or texel, found '"
                       << readAccess.getValue() << "'";
      return signalPassFailure();
    }
    SmallVector<StringRef> accesses(func.getNumArguments(), "");
    BitVector texelArguments(func.getNumArguments());
    for (unsigned i = 0, e = func.getNumArguments(); i != e; ++i) {
      auto binding =
          func.getArgAttrOfType<IntegerAttr>(i, kernel::kBindingAttr);
      auto bytes = func.getArgAttrOfType<IntegerAttr>(i, kernel::kBytesAttr);
      if (!binding || !bytes || binding.getInt() >= e ||
          !accesses[binding.getInt()].empty()) {
        func.emitError() << "argument " << i << " needs " << kernel::kBytesAttr
                         << " and a " << kernel::kBindingAttr
                         << " of its own below the number of arguments";
        return signalPassFailure();
      }
      FailureOr<bool> texel = isTexel(i, bytes.getInt());
      if (failed(texel))
        return signalPassFailure();
      texelArguments[i] = *texel;
      accesses[binding.getInt()] = rewrite(i, binding.getInt(), *texel);
    }
    if (failed(func.eraseArguments(texelArguments)))
      return signalPassFailure();
    func->setAttr(kernel::kAccessesAttr,
                  Builder(&getContext()).getStrArrayAttr(accesses));
  }

private:
  /// Whether argument `index` becomes a texel buffer; failure if no way of
  /// binding it is legal.
  FailureOr<bool> isTexel(unsigned index, int64_t bytes) {
    gpu::GPUFuncOp func = getOperation();
    BlockArgument argument = func.getArgument(index);
    auto type = cast<MemRefType>(argument.getType());
    bool onlyRead = !argument.use_empty() &&
                    llvm::all_of(argument.getUsers(), [](Operation *user) {
                      return isa<kernel::ReadOp>(user);
                    });
    bool storageFits = bytes <= maxStorageBytes;
    bool texelFits =
        onlyRead &&
        bytes / getElementBytes(type.getElementType()) <= maxTexelElements;
    if (readAccess == "texel" ? texelFits : texelFits && !storageFits)
      return true;
    if (storageFits)
      return false;
    InFlightDiagnostic error =
        func.emitError() << "argument " << index << " of " << bytes
                         << " bytes exceeds the target's storage buffers ("
                         << maxStorageBytes.getValue() << " bytes)";
    if (onlyRead)
      error << " and texel buffers (" << maxTexelElements.getValue()
            << " texels of " << getElementBytes(type.getElementType())
            << " bytes)";
    return error;
  }

  /// Rewrites the reads of an argument and returns the name of its access.
  StringRef rewrite(unsigned index, int64_t binding, bool texel) {
    gpu::GPUFuncOp func = getOperation();
    BlockArgument argument = func.getArgument(index);
    for (Operation *user : llvm::make_early_inc_range(argument.getUsers())) {
      auto read = dyn_cast<kernel::ReadOp>(user);
      if (!read)
        continue;
      OpBuilder builder(read);
      Value value;
      if (texel)
        value = kernel::TexelFetchOp::create(
            builder, read.getLoc(), read.getType(), binding, read.getIndex());
      else
        value = memref::LoadOp::create(builder, read.getLoc(), argument,
                                       read.getIndex());
      read.replaceAllUsesWith(value);
      read.erase();
    }
    if (texel) {
      ++numTexel;
      auto type = cast<MemRefType>(argument.getType());
      return getTexelAccessName(type.getElementType());
    }
    ++numStorage;
    func.setArgAttr(
        index, spirv::getInterfaceVarABIAttrName(),
        spirv::getInterfaceVarABIAttr(0, binding, std::nullopt, &getContext()));
    func.removeArgAttr(index, kernel::kBindingAttr);
    func.removeArgAttr(index, kernel::kBytesAttr);
    return "storage_buffer";
  }
};

} // namespace
