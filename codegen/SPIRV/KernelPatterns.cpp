//===- KernelPatterns.cpp - Patterns of the kernel dialect ----------------===//
#include "codegen/SPIRV/Passes.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

using namespace quern;

/// The image variable of a texel buffer, made on first use.
static spirv::GlobalVariableOp getOrCreateTexelVariable(OpBuilder &builder,
                                                        kernel::TexelFetchOp op,
                                                        Type component,
                                                        bool isVector) {
  Operation *module = SymbolTable::getNearestSymbolTable(op);
  std::string name = "texel_buffer_" + std::to_string(op.getBinding());
  if (auto variable = dyn_cast_or_null<spirv::GlobalVariableOp>(
          SymbolTable::lookupSymbolIn(module, name)))
    return variable;
  auto image = spirv::ImageType::get(std::make_tuple(
      component, spirv::Dim::Buffer, spirv::ImageDepthInfo::NoDepth,
      spirv::ImageArrayedInfo::NonArrayed,
      spirv::ImageSamplingInfo::SingleSampled,
      spirv::ImageSamplerUseInfo::NeedSampler, spirv::ImageFormat::Unknown));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&module->getRegion(0).front());
  return spirv::GlobalVariableOp::create(
      builder, op.getLoc(),
      spirv::PointerType::get(image, spirv::StorageClass::UniformConstant),
      name, /*descriptorSet=*/0, op.getBinding());
}

namespace {

struct ConvertTexelFetch : OpConversionPattern<kernel::TexelFetchOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(kernel::TexelFetchOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type component = getElementTypeOrSelf(op.getType());
    bool isVector = isa<VectorType>(op.getType());
    spirv::GlobalVariableOp variable =
        getOrCreateTexelVariable(rewriter, op, component, isVector);
    auto pointer = cast<spirv::PointerType>(variable.getType());
    auto image = cast<spirv::ImageType>(pointer.getPointeeType());
    if (image.getElementType() != component)
      return rewriter.notifyMatchFailure(
          op, "a binding is read with two component types");
    Value address = spirv::AddressOfOp::create(rewriter, loc, variable);
    Value loaded = spirv::LoadOp::create(rewriter, loc, address);
    Value texel = spirv::ImageFetchOp::create(
        rewriter, loc, VectorType::get(4, component), loaded,
        adaptor.getIndex(), spirv::ImageOperandsAttr(), ValueRange());
    if (!isVector)
      texel = spirv::CompositeExtractOp::create(rewriter, loc, texel,
                                                ArrayRef<int32_t>{0});
    rewriter.replaceOp(op, texel);
    return success();
  }
};

/// Ops that are one SPIR-V instruction on the same operands.
template <typename Source, typename Target>
struct ConvertOneToOne : OpConversionPattern<Source> {
  using OpConversionPattern<Source>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Source op, typename Source::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<Target>(op, op.getType(),
                                        adaptor.getOperands());
    return success();
  }
};

} // namespace

void quern::populateKernelToSPIRVPatterns(TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<ConvertTexelFetch,
               ConvertOneToOne<kernel::UnpackHalfOp, spirv::GLUnpackHalf2x16Op>,
               ConvertOneToOne<kernel::PackHalfOp, spirv::GLPackHalf2x16Op>>(
      converter, patterns.getContext());
}
