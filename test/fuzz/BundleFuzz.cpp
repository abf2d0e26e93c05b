//===- BundleFuzz.cpp - Bundle files --------------------------------------===//
//
// Attacks the loader with whole files, as they are and with right checksums,
// which hide most damage otherwise. Accepted means: every index and range of
// the manifest is inside of what it refers to, every accessor hands out bytes
// that can be read, and a bundle for the null device loads and runs one step
// there, or is refused. ManifestFuzz.cpp goes deeper into the manifest.
//
//===----------------------------------------------------------------------===//

#include "runtime/device/null/NullDevice.h"
#include "runtime/engine/Engine.h"
#include "test/fuzz/Fuzz.h"
#include "test/runtime/bundle/TinyBundle.h"
#include "test/runtime/bundle/Visit.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace quern;

/// Reads every byte, so that AddressSanitizer or the kernel sees what is out
/// of bounds.
static void touch(std::span<const std::byte> bytes) {
  FUZZ_CHECK(hashBytes(bytes) == hashBytes(bytes));
}

static void use(const Bundle &bundle) {
  std::vector<std::vector<std::byte>> contents(bundle.getSections().size());
  for (uint32_t i = 0; i < bundle.getTargetCount(); ++i) {
    std::span<const std::byte> kernels = bundle.getKernels(i);
    contents[bundle.getTarget(i).kernels_section()].assign(kernels.begin(),
                                                           kernels.end());
    for (uint32_t k = 0; k < bundle.getTarget(i).kernels()->size(); ++k)
      touch(bundle.getKernelCode(i, k));
  }
  test::visitManifest(bundle.getManifest(), {bundle.getSections(), contents});
  touch(bundle.getWeights());
  touch(bundle.getTokenizer());
  touch(std::as_bytes(std::span(bundle.getChatTemplate())));
  Result<std::string> ir = bundle.readIR();
  FUZZ_CHECK(ir.isOk() || ir.getStatus().getCode() == StatusCode::NotFound ||
             ir.getStatus().getCode() == StatusCode::Corrupt);
}

namespace {
class CheckResults : public StepResults {
public:
  explicit CheckResults(uint32_t vocabSize) : vocabSize(vocabSize) {}
  void onResult(size_t, size_t, int32_t token,
                std::span<const float>) override {
    FUZZ_CHECK(token >= 0 && uint32_t(token) < vocabSize);
  }

private:
  uint32_t vocabSize;
};
} // namespace

/// One step of two tokens. The device does no arithmetic and leaves zeros.
static void runStep(std::shared_ptr<const Bundle> bundle) {
  const bundle::Model &description = *bundle->getManifest().model();
  // What the host keeps per page and slot is not bounded by the device.
  if (description.num_pages() > (1u << 20) || description.num_slots() > 256)
    return;
  NullDeviceOptions options;
  options.capacityBytes = uint64_t(64) << 20;
  Result<std::unique_ptr<LoadedModel>> model = LoadedModel::load(
      std::move(bundle), std::make_unique<NullDevice>(options));
  if (!model.isOk()) {
    FUZZ_CHECK(!model.getStatus().getMessage().empty());
    return;
  }
  Engine engine(std::move(*model));
  Result<std::unique_ptr<Sequence>> sequence = engine.createSequence();
  FUZZ_CHECK(sequence.isOk());
  const int32_t tokens[] = {0, 0};
  size_t count = std::min<size_t>(2, engine.getGeometry().maxStepTokens);
  StepEntry entry{sequence->get(), std::span(tokens).first(count)};
  CheckResults results(engine.getGeometry().vocabSize);
  Status status = engine.run({&entry, 1}, results);
  FUZZ_CHECK(status.isOk() || !status.getMessage().empty());
}

static void open(std::span<const std::byte> bytes) {
  int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
  FUZZ_CHECK(fd >= 0);
  FUZZ_CHECK(::write(fd, bytes.data(), bytes.size()) ==
             static_cast<ssize_t>(bytes.size()));
  Result<Bundle> bundle = Bundle::open("/proc/self/fd/" + std::to_string(fd));
  if (bundle.isOk()) {
    use(*bundle);
    runStep(std::make_shared<const Bundle>(std::move(*bundle)));
  } else {
    fuzz::checkRefusal(bundle.getStatus());
  }
  ::close(fd);
}

/// Corrects size and checksums of whatever the header now says.
static void seal(std::vector<std::byte> &bytes) {
  if (bytes.size() < kBundlePageSize)
    return;
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.totalSize = bytes.size();
  uint32_t count = std::min(header.sectionCount, kMaxSections);
  auto table =
      std::span(bytes).subspan(sizeof(header), count * sizeof(SectionEntry));
  for (uint32_t i = 0; i < count; ++i) {
    SectionEntry entry;
    std::memcpy(&entry, table.data() + i * sizeof(entry), sizeof(entry));
    if (entry.offset > bytes.size() || entry.size > bytes.size() - entry.offset)
      continue;
    entry.hash = hashBytes(std::span(bytes).subspan(entry.offset, entry.size));
    std::memcpy(table.data() + i * sizeof(entry), &entry, sizeof(entry));
  }
  header.tableHash = hashBytes(table);
  header.headerHash = hashBytes(std::as_bytes(std::span(&header, 1))
                                    .first(offsetof(FileHeader, headerHash)));
  std::memcpy(bytes.data(), &header, sizeof(header));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto input = std::as_bytes(std::span(data, size));
  open(input);
  std::vector<std::byte> sealed(input.begin(), input.end());
  seal(sealed);
  open(sealed);
  return 0;
}
