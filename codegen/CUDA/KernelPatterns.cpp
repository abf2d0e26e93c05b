//===- KernelPatterns.cpp - gpu, memref and kernel ops as llvm and nvvm ---===//
#include "codegen/CUDA/Address.h"
#include "codegen/CUDA/Passes.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <numbers>

using namespace mlir;
using namespace quern;

static unsigned getBytes(Type element) {
  auto vector = dyn_cast<VectorType>(element);
  unsigned scalar = getElementTypeOrSelf(element).getIntOrFloatBitWidth() / 8;
  return vector ? scalar * vector.getNumElements() : scalar;
}

Value quern::getAddress(RewriterBase &rewriter, Location loc, Value base,
                        Value index, Type element) {
  if (index.getType().isInteger(32))
    index = LLVM::ZExtOp::create(rewriter, loc, rewriter.getI64Type(), index);
  return LLVM::GEPOp::create(rewriter, loc, base.getType(), element, base,
                             ArrayRef<LLVM::GEPArg>{index},
                             LLVM::GEPNoWrapFlags::inbounds);
}

static Value makeF32(ConversionPatternRewriter &rewriter, Location loc,
                     Type type, double value) {
  auto number = rewriter.getF32FloatAttr(static_cast<float>(value));
  if (auto vector = dyn_cast<VectorType>(type))
    return LLVM::ConstantOp::create(rewriter, loc, type,
                                    DenseElementsAttr::get(vector, number));
  return LLVM::ConstantOp::create(rewriter, loc, type, number);
}

/// An intrinsic of floats, on each component of a vector.
static Value callIntrinsic(ConversionPatternRewriter &rewriter, Location loc,
                           StringRef name, Value in) {
  auto call = [&](Value value) {
    return LLVM::CallIntrinsicOp::create(rewriter, loc, rewriter.getF32Type(),
                                         rewriter.getStringAttr(name),
                                         ValueRange{value})
        .getResult(0);
  };
  auto vector = dyn_cast<VectorType>(in.getType());
  if (!vector)
    return call(in);
  Value out = LLVM::PoisonOp::create(rewriter, loc, vector);
  for (int64_t i = 0; i != vector.getNumElements(); ++i) {
    Value at = LLVM::ConstantOp::create(rewriter, loc, rewriter.getI32Type(),
                                        rewriter.getI32IntegerAttr(i));
    Value part = LLVM::ExtractElementOp::create(rewriter, loc, in, at);
    out = LLVM::InsertElementOp::create(rewriter, loc, out, call(part), at);
  }
  return out;
}

namespace {

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

struct ConvertRead : ConvertOpToLLVMPattern<kernel::ReadOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::ReadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type element = op.getType();
    Value address = getAddress(rewriter, op.getLoc(), adaptor.getBuffer(),
                               adaptor.getIndex(), element);
    auto load = LLVM::LoadOp::create(rewriter, op.getLoc(), element, address,
                                     getBytes(element));
    load.setInvariant(true); // ld.global.nc
    rewriter.replaceOp(op, load);
    return success();
  }
};

struct ConvertLoad : ConvertOpToLLVMPattern<memref::LoadOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(memref::LoadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type element = op.getType();
    Value address = getAddress(rewriter, op.getLoc(), adaptor.getMemref(),
                               adaptor.getIndices().front(), element);
    rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, element, address,
                                              getBytes(element));
    return success();
  }
};

struct ConvertStore : ConvertOpToLLVMPattern<memref::StoreOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(memref::StoreOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type element = op.getValueToStore().getType();
    Value address = getAddress(rewriter, op.getLoc(), adaptor.getMemref(),
                               adaptor.getIndices().front(), element);
    rewriter.replaceOpWithNewOp<LLVM::StoreOp>(op, adaptor.getValue(), address,
                                               getBytes(element));
    return success();
  }
};

/// Workgroup memory is a variable of the module in shared memory.
struct ConvertAlloc : ConvertOpToLLVMPattern<memref::AllocOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(memref::AllocOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    MemRefType type = op.getType();
    if (!type.hasStaticShape() || type.getRank() != 1)
      return rewriter.notifyMatchFailure(op, "expected a static vector");
    auto module = op->getParentOfType<ModuleOp>();
    auto array =
        LLVM::LLVMArrayType::get(type.getElementType(), type.getNumElements());
    constexpr unsigned shared = unsigned(NVVM::NVVMMemorySpace::Shared);
    LLVM::GlobalOp global;
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(module.getBody());
      unsigned number = llvm::range_size(module.getOps<LLVM::GlobalOp>());
      global = LLVM::GlobalOp::create(
          rewriter, op.getLoc(), array, /*isConstant=*/false,
          LLVM::Linkage::Internal, "workgroup_" + std::to_string(number),
          Attribute(), /*alignment=*/16, shared);
    }
    rewriter.replaceOpWithNewOp<LLVM::AddressOfOp>(op, global);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

template <typename Source, typename X, typename Y, typename Z>
struct ConvertPlace : ConvertOpToLLVMPattern<Source> {
  using ConvertOpToLLVMPattern<Source>::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(Source op, typename Source::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type i32 = rewriter.getI32Type();
    switch (op.getDimension()) {
    case gpu::Dimension::x:
      rewriter.replaceOpWithNewOp<X>(op, i32);
      break;
    case gpu::Dimension::y:
      rewriter.replaceOpWithNewOp<Y>(op, i32);
      break;
    case gpu::Dimension::z:
      rewriter.replaceOpWithNewOp<Z>(op, i32);
      break;
    }
    return success();
  }
};

struct ConvertBarrier : ConvertOpToLLVMPattern<gpu::BarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(gpu::BarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::BarrierOp>(op);
    return success();
  }
};

/// Of all lanes of a warp; the result is always valid.
struct ConvertShuffle : ConvertOpToLLVMPattern<gpu::ShuffleOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(gpu::ShuffleOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getValid().use_empty() ||
        !op.getShuffleResult().getType().isIntOrFloat())
      return rewriter.notifyMatchFailure(op, "expected one word");
    NVVM::ShflKind kind;
    if (op.getMode() == gpu::ShuffleMode::XOR)
      kind = NVVM::ShflKind::bfly;
    else if (op.getMode() == gpu::ShuffleMode::IDX)
      kind = NVVM::ShflKind::idx;
    else
      return rewriter.notifyMatchFailure(op, "expected xor or idx");
    Location loc = op.getLoc();
    auto word = [&](int32_t value) {
      return LLVM::ConstantOp::create(rewriter, loc, rewriter.getI32Type(),
                                      rewriter.getI32IntegerAttr(value));
    };
    Value result = NVVM::ShflOp::create(
        rewriter, loc, op.getShuffleResult().getType(), word(-1),
        adaptor.getValue(), adaptor.getOffset(), word(31), kind, UnitAttr());
    Value valid = LLVM::ConstantOp::create(rewriter, loc, rewriter.getI1Type(),
                                           rewriter.getBoolAttr(true));
    rewriter.replaceOp(op, ValueRange{result, valid});
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

struct ConvertExp : ConvertOpToLLVMPattern<math::ExpOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(math::ExpOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value scaled = LLVM::FMulOp::create(
        rewriter, loc, adaptor.getOperand(),
        makeF32(rewriter, loc, op.getType(), std::numbers::log2e));
    rewriter.replaceOp(
        op, callIntrinsic(rewriter, loc, "llvm.nvvm.ex2.approx", scaled));
    return success();
  }
};

struct ConvertLog : ConvertOpToLLVMPattern<math::LogOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(math::LogOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value log2 = callIntrinsic(rewriter, loc, "llvm.nvvm.lg2.approx.f",
                               adaptor.getOperand());
    rewriter.replaceOpWithNewOp<LLVM::FMulOp>(
        op, log2, makeF32(rewriter, loc, op.getType(), std::numbers::ln2));
    return success();
  }
};

struct ConvertUnpackHalf : ConvertOpToLLVMPattern<kernel::UnpackHalfOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::UnpackHalfOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto halves = VectorType::get(2, rewriter.getF16Type());
    Value pair = LLVM::BitcastOp::create(rewriter, op.getLoc(), halves,
                                         adaptor.getWord());
    rewriter.replaceOpWithNewOp<LLVM::FPExtOp>(op, op.getType(), pair);
    return success();
  }
};

struct ConvertPackHalf : ConvertOpToLLVMPattern<kernel::PackHalfOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::PackHalfOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto halves = VectorType::get(2, rewriter.getF16Type());
    Value pair = LLVM::FPTruncOp::create(rewriter, op.getLoc(), halves,
                                         adaptor.getValues());
    rewriter.replaceOpWithNewOp<LLVM::BitcastOp>(op, op.getType(), pair);
    return success();
  }
};

} // namespace

void quern::populateKernelToNVVMPatterns(const LLVMTypeConverter &converter,
                                         RewritePatternSet &patterns) {
  populateMatrixToNVVMPatterns(converter, patterns);
  // Ahead of upstream's patterns for the same ops.
  patterns.add<ConvertRead, ConvertLoad, ConvertStore, ConvertAlloc,
               ConvertBarrier, ConvertShuffle, ConvertExp, ConvertLog,
               ConvertUnpackHalf, ConvertPackHalf,
               ConvertPlace<gpu::ThreadIdOp, NVVM::ThreadIdXOp,
                            NVVM::ThreadIdYOp, NVVM::ThreadIdZOp>,
               ConvertPlace<gpu::BlockIdOp, NVVM::BlockIdXOp, NVVM::BlockIdYOp,
                            NVVM::BlockIdZOp>,
               ConvertPlace<gpu::GridDimOp, NVVM::GridDimXOp, NVVM::GridDimYOp,
                            NVVM::GridDimZOp>>(converter, /*benefit=*/10);
}
