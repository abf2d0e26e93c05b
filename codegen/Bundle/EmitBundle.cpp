//===- EmitBundle.cpp - Writes the sections of a bundle -------------------===//
#include "codegen/Bundle/EmitBundle.h"

#include "codegen/Bundle/TransposedRows.h"
#include "codegen/Bundle/WeightPacker.h"
#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Qwen/IR/QwenOps.h"

using namespace mlir;

namespace quern {

/// The code of all kernels where the manifest says it is.
static std::vector<std::byte> joinKernels(ModuleOp module,
                                          const bundle::ManifestT &manifest,
                                          const BundleContents &contents) {
  std::vector<std::byte> bytes;
  auto place = [&](uint64_t offset, std::span<const std::byte> code) {
    bytes.resize(offset);
    bytes.insert(bytes.end(), code.begin(), code.end());
  };
  size_t index = 0;
  for (auto op : module.getOps<exec::KernelOp>()) {
    const bundle::KernelT &planned =
        *manifest.targets.front()->kernels[index++];
    const KernelBinary &kernel = contents.kernels.find(op.getSymName())->second;
    place(planned.code_offset, std::as_bytes(std::span(kernel.code)));
    for (auto [binary, cubin] :
         llvm::zip_equal(planned.binaries, kernel.binaries))
      place(binary->code_offset, std::as_bytes(std::span(cubin.code)));
  }
  return bytes;
}

/// Opens tensors as the IR sees them: what lies transposed in the file turned.
static WeightSource turnTransposed(const SymbolTable &symbols,
                                   const WeightSource &sources) {
  return [&](StringRef name,
             Encoding encoding) -> Result<std::unique_ptr<RowSource>> {
    QUERN_ASSIGN_OR_RETURN(std::unique_ptr<RowSource> rows,
                           sources(name, encoding));
    auto weight = symbols.lookup<qwen::WeightOp>(name);
    if (!weight || !weight.getTransposed())
      return rows;
    if (rows->getFormat().encoding != Encoding::None)
      return internalError("tensor '" + name.str() +
                           "' is transposed and quantised");
    return std::unique_ptr<RowSource>(std::make_unique<TransposedRows>(
        std::move(rows),
        static_cast<uint64_t>(weight.getTensorType().getDimSize(2))));
  };
}

/// Streams every weight and constant to its planned offset.
static Status writeWeights(ModuleOp module, const bundle::ManifestT &manifest,
                           const WeightSource &sources, unsigned threads,
                           BundleWriter &writer,
                           std::vector<WeightQuality> &converted,
                           const ProgressCallback &progress) {
  const auto &weights = manifest.weights;
  if (weights.empty())
    return internalError("the module has no weights");
  uint64_t total = weights.back()->offset + weights.back()->size;
  auto section = writer.beginSection(SectionKind::Weights, total, progress);
  if (!section.isOk())
    return std::move(section).takeStatus();
  SymbolTable symbols(module);
  WeightSource turned = turnTransposed(symbols, sources);
  size_t index = 0;
  for (Operation &op : module.getOps()) {
    auto weight = dyn_cast<exec::WeightOp>(op);
    auto constant = dyn_cast<exec::ConstantOp>(op);
    if (!weight && !constant)
      continue;
    const bundle::WeightT &planned = *weights[index++];
    QUERN_RETURN_IF_ERROR(writer.padTo(planned.offset));
    QUERN_RETURN_IF_ERROR(
        weight ? packWeight(weight, turned, threads, writer, converted)
               : packConstant(constant, writer));
  }
  QUERN_RETURN_IF_ERROR(writer.padTo(total));
  return writer.endSection();
}

Status emitBundle(ModuleOp module, const BundleContents &contents,
                  const WeightSource &weights, const std::string &path,
                  BundleSummary &summary, const ProgressCallback &progress) {
  FailureOr<bundle::ManifestT> manifest = buildManifest(module, contents);
  if (failed(manifest))
    return internalError("could not plan the bundle");
  QUERN_ASSIGN_OR_RETURN(BundleWriter writer, BundleWriter::create(path));
  auto add = [&](SectionKind kind, std::span<const std::byte> bytes,
                 uint32_t flags) -> Result<uint32_t> {
    summary.sections.push_back(
        {std::string(sectionKindName(kind)), bytes.size()});
    return writer.addSection(kind, bytes, flags);
  };
  auto addText = [&](SectionKind kind, const std::string &text,
                     uint32_t flags) -> Status {
    if (text.empty())
      return Status::ok();
    auto index = add(kind, std::as_bytes(std::span(text)), flags);
    return index.isOk() ? Status::ok() : std::move(index).takeStatus();
  };

  QUERN_ASSIGN_OR_RETURN(uint32_t kernels,
                         add(SectionKind::Kernels,
                             joinKernels(module, *manifest, contents),
                             kSectionRequired));
  manifest->targets.front()->kernels_section = kernels;
  std::vector<std::byte> manifestBytes = serializeManifest(*manifest);
  QUERN_ASSIGN_OR_RETURN(
      [[maybe_unused]] uint32_t manifestIndex,
      add(SectionKind::Manifest, manifestBytes, kSectionRequired));
  QUERN_RETURN_IF_ERROR(
      addText(SectionKind::Tokenizer, contents.tokenizer, kSectionRequired));
  QUERN_RETURN_IF_ERROR(addText(SectionKind::ChatTemplate,
                                contents.chatTemplate, kSectionRequired));
  QUERN_RETURN_IF_ERROR(addText(SectionKind::IR, contents.ir, 0));
  QUERN_RETURN_IF_ERROR(writeWeights(module, *manifest, weights,
                                     contents.threads, writer,
                                     summary.converted, progress));
  const bundle::WeightT &last = *manifest->weights.back();
  summary.sections.push_back(
      {std::string(sectionKindName(SectionKind::Weights)),
       last.offset + last.size});
  for (const BundleSummary::Section &section : summary.sections)
    summary.totalBytes += section.bytes;
  return writer.commit();
}

} // namespace quern
