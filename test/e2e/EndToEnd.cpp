//===- EndToEnd.cpp - Compile, load and run in one process ----------------===//
#include "test/e2e/EndToEnd.h"

#include "runtime/engine/OpenDevice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <limits>
#include <map>

namespace quern::test {

static bool isSet(const char *variable) {
  const char *value = std::getenv(variable);
  return value && std::string_view(value) == "1";
}

bool testsEverything() { return isSet("QUERN_TEST_ALL"); }

bool usesTestDriver() { return !isSet("QUERN_TEST_REAL_GPU"); }

CompileOptions testOptions(const std::string &checkpoint,
                           const std::string &compute) {
  CompileOptions options;
  options.checkpoint = checkpoint;
  options.target = "vulkan";
  options.compute = compute;
  options.context = 256;
  options.slots = 4;
  options.prefill = 64;
  options.quiet = true;
  if (usesTestDriver()) // It runs PTX alone.
    options.ptxas = "none";
  return options;
}

Result<std::string> compileForTest(CompileOptions options) {
  static std::map<std::string, std::string> compiled;
  std::string key =
      options.checkpoint + "|" + options.compute + "|" + options.target + "|" +
      std::to_string(options.context) + "|" + std::to_string(options.prefill) +
      "|" + std::to_string(options.fuse) +
      std::to_string(options.keepIntermediates) + "|" +
      options.quantize.weights + "|" + options.quantize.embedding + "|" +
      options.quantizeActivations + "|" + options.kvCacheType + "|" +
      std::to_string(options.pageSize);
  auto found = compiled.find(key);
  if (found != compiled.end())
    return found->second;
  std::filesystem::path folder =
      std::filesystem::path(QUERN_BINARY_DIR) / "test" / "e2e" / "bundles";
  std::filesystem::create_directories(folder);
  options.output =
      (folder /
       (std::filesystem::path(options.checkpoint).filename().string() + "-" +
        std::to_string(std::hash<std::string>()(key)) + ".quern"))
          .string();
  QUERN_RETURN_IF_ERROR(compile(options));
  compiled[key] = options.output;
  return options.output;
}

Result<std::unique_ptr<Engine>> loadForTest(const std::string &path) {
  QUERN_ASSIGN_OR_RETURN(Bundle bundle, Bundle::open(path));
#ifdef QUERN_TEST_CUDA_LIBRARY
  if (usesTestDriver())
    ::setenv("QUERN_CUDA_LIBRARY", QUERN_TEST_CUDA_LIBRARY, 1);
#endif
  DeviceOptions options;
  options.validation = true;
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Device> device,
                         openDeviceFor(bundle, options, ""));
  QUERN_ASSIGN_OR_RETURN(
      std::unique_ptr<LoadedModel> model,
      LoadedModel::load(std::make_shared<const Bundle>(std::move(bundle)),
                        std::move(device)));
  return std::make_unique<Engine>(std::move(model));
}

namespace {
/// Keeps every row that a step delivers.
class Collector : public StepResults {
public:
  void onResult(size_t, size_t, int32_t token,
                std::span<const float> row) override {
    tokens.push_back(token);
    logits.emplace_back(row.begin(), row.end());
  }
  std::vector<int32_t> tokens;
  std::vector<std::vector<float>> logits;
};
} // namespace

/// Feeds `tokens` in chunks and collects the rows of all of them.
static Status feed(Engine &engine, Sequence &sequence,
                   const std::vector<int32_t> &tokens, size_t chunk,
                   ResultRows rows, Collector &results) {
  chunk = std::min<size_t>(chunk, engine.getGeometry().maxStepTokens);
  for (size_t begin = 0; begin < tokens.size(); begin += chunk) {
    StepEntry entry;
    entry.sequence = &sequence;
    entry.tokens = std::span(tokens).subspan(
        begin, std::min(chunk, tokens.size() - begin));
    entry.rows = rows;
    QUERN_RETURN_IF_ERROR(engine.run({&entry, 1}, results));
  }
  return engine.getModel().getDevice().checkDiagnostics();
}

Result<std::vector<std::vector<float>>>
promptLogits(Engine &engine, const std::vector<int32_t> &tokens, size_t chunk) {
  QUERN_RETURN_IF_ERROR(engine.setLogitsWanted(true));
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Sequence> sequence,
                         engine.createSequence());
  Collector results;
  QUERN_RETURN_IF_ERROR(
      feed(engine, *sequence, tokens, chunk, ResultRows::All, results));
  return std::move(results.logits);
}

namespace {
/// Keeps the rows of each entry of a step apart.
class EntryCollector : public StepResults {
public:
  void onResult(size_t entry, size_t, int32_t,
                std::span<const float> row) override {
    logits[entry].emplace_back(row.begin(), row.end());
  }
  std::array<std::vector<std::vector<float>>, 4> logits;
};
} // namespace

Result<std::vector<std::vector<std::vector<float>>>>
raggedLogits(Engine &engine, const std::vector<std::vector<int32_t>> &prompts) {
  QUERN_RETURN_IF_ERROR(engine.setLogitsWanted(true));
  std::vector<std::vector<std::vector<float>>> logits(prompts.size());
  std::vector<std::unique_ptr<Sequence>> sequences(prompts.size());
  for (std::unique_ptr<Sequence> &sequence : sequences) {
    QUERN_ASSIGN_OR_RETURN(sequence, engine.createSequence());
  }
  std::array<size_t, 4> shares = {1, 2, 13, 17}, fed = {};
  while (true) {
    std::vector<StepEntry> entries;
    std::vector<size_t> order;
    for (size_t i = 0; i < prompts.size(); ++i) {
      size_t count = std::min(shares[i], prompts[i].size() - fed[i]);
      if (count == 0)
        continue;
      entries.push_back({sequences[i].get(),
                         std::span(prompts[i]).subspan(fed[i], count),
                         ResultRows::All, nullptr});
      order.push_back(i);
      fed[i] += count;
    }
    if (entries.empty())
      break;
    EntryCollector step;
    QUERN_RETURN_IF_ERROR(engine.run(entries, step));
    for (size_t e = 0; e < order.size(); ++e)
      std::ranges::move(step.logits[e], std::back_inserter(logits[order[e]]));
    // The short prompts are followed by single tokens of the long ones.
    for (size_t &share : shares)
      share = share % 17 + 1;
  }
  QUERN_RETURN_IF_ERROR(engine.getModel().getDevice().checkDiagnostics());
  return logits;
}

Result<double> relativeError(Engine &engine, const Golden &golden,
                             std::initializer_list<std::string> prompts) {
  double errors = 0, squares = 0;
  size_t vocab = engine.getGeometry().vocabSize;
  for (const std::string &prompt : prompts) {
    QUERN_ASSIGN_OR_RETURN(
        std::vector<std::vector<float>> rows,
        promptLogits(engine, golden.integers(prompt + ".input_ids")));
    std::vector<float> expected = golden.floats(prompt + ".logits");
    if (expected.size() != rows.size() * vocab)
      return internalError(prompt + ": another number of logits");
    for (size_t i = 0; i < expected.size(); ++i) {
      errors += std::pow(rows[i / vocab][i % vocab] - double(expected[i]), 2);
      squares += std::pow(double(expected[i]), 2);
    }
  }
  return std::sqrt(errors / squares);
}

Result<GreedyResult> greedyContinuation(Engine &engine,
                                        const std::vector<int32_t> &prompt,
                                        size_t count) {
  QUERN_RETURN_IF_ERROR(engine.setLogitsWanted(true));
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Sequence> sequence,
                         engine.createSequence());
  Collector results;
  QUERN_RETURN_IF_ERROR(
      feed(engine, *sequence, prompt, SIZE_MAX, ResultRows::Last, results));
  // A prompt of several steps gives one row for each; the last one counts.
  GreedyResult greedy;
  greedy.ids = {results.tokens.back()};
  greedy.logits = {results.logits.back()};
  while (greedy.ids.size() < count) {
    Collector step;
    QUERN_RETURN_IF_ERROR(feed(engine, *sequence, {greedy.ids.back()}, 1,
                               ResultRows::Last, step));
    greedy.ids.push_back(step.tokens.back());
    greedy.logits.push_back(step.logits.back());
  }
  return greedy;
}

double maxAbsDifference(const float *a, const float *b, size_t count) {
  double worst = 0;
  for (size_t i = 0; i < count; ++i) {
    double difference = std::fabs(double(a[i]) - double(b[i]));
    if (!std::isfinite(difference))
      return std::numeric_limits<double>::infinity();
    worst = std::max(worst, difference);
  }
  return worst;
}

} // namespace quern::test
