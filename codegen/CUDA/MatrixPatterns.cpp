//===- MatrixPatterns.cpp - Ops of matrix units as nvvm -------------------===//
#include "codegen/CUDA/Address.h"
#include "codegen/CUDA/Passes.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace quern;

static Type getElement(Value memory) {
  return cast<MemRefType>(memory.getType()).getElementType();
}

static Value makeWord(RewriterBase &rewriter, Location loc, int32_t value) {
  return LLVM::ConstantOp::create(rewriter, loc, rewriter.getI32Type(),
                                  rewriter.getI32IntegerAttr(value));
}

/// The components of a vector.
static SmallVector<Value> split(RewriterBase &rewriter, Location loc,
                                Value vector) {
  SmallVector<Value> parts;
  for (int64_t i = 0; i != cast<VectorType>(vector.getType()).getNumElements();
       ++i)
    parts.push_back(LLVM::ExtractElementOp::create(rewriter, loc, vector,
                                                   makeWord(rewriter, loc, i)));
  return parts;
}

/// The vector of the members of a struct.
static Value join(RewriterBase &rewriter, Location loc, Value members,
                  VectorType type) {
  Value vector = LLVM::PoisonOp::create(rewriter, loc, type);
  for (int64_t i = 0; i != type.getNumElements(); ++i) {
    Value member = LLVM::ExtractValueOp::create(rewriter, loc, members, i);
    vector = LLVM::InsertElementOp::create(rewriter, loc, vector, member,
                                           makeWord(rewriter, loc, i));
  }
  return vector;
}

/// A struct of as many members as the vector has elements.
static Type toStruct(VectorType type) {
  return LLVM::LLVMStructType::getLiteral(
      type.getContext(),
      SmallVector<Type>(type.getNumElements(), type.getElementType()));
}

namespace {

struct ConvertAsyncCopy : ConvertOpToLLVMPattern<kernel::AsyncCopyOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::AsyncCopyOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    constexpr int32_t bytes = 16;
    Value from = getAddress(rewriter, loc, adaptor.getFrom(),
                            adaptor.getFromIndex(), getElement(op.getFrom()));
    Value to = getAddress(rewriter, loc, adaptor.getTo(), adaptor.getToIndex(),
                          getElement(op.getTo()));
    Value count; // Of bytes that are read; the others become zeros.
    if (Value valid = adaptor.getValid())
      count = LLVM::SelectOp::create(rewriter, loc, valid,
                                     makeWord(rewriter, loc, bytes),
                                     makeWord(rewriter, loc, 0));
    // What is copied is read once or twice by a multiprocessor: not by way of
    // its cache (cg).
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncOp>(
        op, to, from, rewriter.getI32IntegerAttr(bytes),
        NVVM::LoadCacheModifierKindAttr::get(rewriter.getContext(),
                                             NVVM::LoadCacheModifierKind::CG),
        count);
    return success();
  }
};

struct ConvertAsyncCommit : ConvertOpToLLVMPattern<kernel::AsyncCommitOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::AsyncCommitOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncCommitGroupOp>(op);
    return success();
  }
};

struct ConvertAsyncWait : ConvertOpToLLVMPattern<kernel::AsyncWaitOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::AsyncWaitOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncWaitGroupOp>(op, op.getPending());
    return success();
  }
};

struct ConvertLoadMatrix : ConvertOpToLLVMPattern<kernel::LoadMatrixOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::LoadMatrixOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    MLIRContext *context = rewriter.getContext();
    Value address = getAddress(rewriter, loc, adaptor.getMemory(),
                               adaptor.getIndex(), getElement(op.getMemory()));
    VectorType type = op.getType();
    Value words = NVVM::LdMatrixOp::create(
        rewriter, loc, toStruct(type), address,
        rewriter.getI32IntegerAttr(type.getNumElements()),
        NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
        NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
        NVVM::LdStMatrixEltTypeAttr::get(context,
                                         NVVM::LdStMatrixEltType::B16));
    rewriter.replaceOp(op, join(rewriter, loc, words, type));
    return success();
  }
};

struct ConvertMma : ConvertOpToLLVMPattern<kernel::MmaOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(kernel::MmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    bool isHalf = op.getElement().isF16();
    NVVM::MMATypes element =
        isHalf ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
    // The intrinsic takes words of bf16, but pairs of f16.
    auto toOperands = [&](Value words) {
      SmallVector<Value> parts = split(rewriter, loc, words);
      auto pair = VectorType::get(2, rewriter.getF16Type());
      for (Value &part : parts)
        if (isHalf)
          part = LLVM::BitcastOp::create(rewriter, loc, pair, part);
      return parts;
    };
    VectorType type = op.getType();
    Value sums = NVVM::MmaOp::create(
        rewriter, loc, toStruct(type), toOperands(adaptor.getA()),
        toOperands(adaptor.getB()), split(rewriter, loc, adaptor.getSums()),
        ArrayRef<int64_t>{16, 8, 16}, /*b1Op=*/std::nullopt,
        /*intOverflow=*/std::nullopt, std::array{element, element},
        std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    rewriter.replaceOp(op, join(rewriter, loc, sums, type));
    return success();
  }
};

} // namespace

void quern::populateMatrixToNVVMPatterns(const LLVMTypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<ConvertAsyncCopy, ConvertAsyncCommit, ConvertAsyncWait,
               ConvertLoadMatrix, ConvertMma>(converter);
}
