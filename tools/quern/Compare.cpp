//===- Compare.cpp - quern compare ----------------------------------------===//

#include "tools/quern/Compare.h"

#include "runtime/base/AtomicFile.h"
#include "runtime/base/Escape.h"
#include "runtime/base/File.h"
#include "tools/quern/LogitComparison.h"
#include "tools/quern/TextTable.h"

#include <algorithm>
#include <cstdio>

using namespace quern;
using namespace quern::tool;

static constexpr uint64_t kMaxTextBytes = uint64_t(64) << 20;
/// Tokens whose logits are kept while the other model catches up.
static constexpr size_t kChunkTokens = 32;

namespace {

/// Hands the row of each position to a function.
class RowSink final : public StepResults {
public:
  using Function = std::function<void(size_t, std::span<const float>)>;
  explicit RowSink(Function function) : function(std::move(function)) {}
  void onResult(size_t, size_t, int32_t, std::span<const float> row) override {
    function(count++, row);
  }

private:
  Function function;
  size_t count = 0;
};

/// One of the two models.
struct Side {
  OpenModel model;
  std::unique_ptr<Sequence> sequence;

  Status begin() {
    sequence.reset();
    QUERN_ASSIGN_OR_RETURN(sequence, model.engine->createSequence());
    return model.engine->setLogitsWanted(true);
  }
  Status feed(std::span<const int32_t> tokens, RowSink::Function function) {
    RowSink sink(std::move(function));
    StepEntry entry;
    entry.sequence = sequence.get();
    entry.tokens = tokens;
    entry.rows = ResultRows::All;
    return model.engine->run({&entry, 1}, sink);
  }
};

} // namespace

static Result<std::vector<int32_t>> readTokens(const CompareOptions &options,
                                               const TextModel &text) {
  if (options.textPath.empty() == options.tokenIds.empty())
    return invalidArgument("expected either --text or --ids");
  std::vector<int32_t> tokens = options.tokenIds;
  if (tokens.empty()) {
    QUERN_ASSIGN_OR_RETURN(std::string content,
                           readWholeFile(options.textPath, kMaxTextBytes));
    QUERN_ASSIGN_OR_RETURN(tokens,
                           text.encode(content, /*parseSpecial=*/false));
  }
  tokens.resize(std::min<size_t>(tokens.size(), options.maxTokens));
  if (tokens.size() < 2)
    return invalidArgument("the text has " + std::to_string(tokens.size()) +
                           " tokens, expected at least 2");
  return tokens;
}

static Status compareWindow(Side &reference, Side &other,
                            std::span<const int32_t> tokens, size_t chunk,
                            LogitComparison &comparison) {
  QUERN_RETURN_IF_ERROR(reference.begin());
  QUERN_RETURN_IF_ERROR(other.begin());
  size_t vocab = reference.model.engine->getGeometry().vocabSize;
  std::vector<float> rows(chunk * vocab);
  for (size_t begin = 0; begin < tokens.size(); begin += chunk) {
    auto part = tokens.subspan(begin, std::min(chunk, tokens.size() - begin));
    QUERN_RETURN_IF_ERROR(
        reference.feed(part, [&](size_t i, std::span<const float> row) {
          std::ranges::copy(row, rows.begin() + ptrdiff_t(i * vocab));
        }));
    QUERN_RETURN_IF_ERROR(
        other.feed(part, [&](size_t i, std::span<const float> row) {
          size_t next = begin + i + 1;
          comparison.add(std::span(rows).subspan(i * vocab, vocab), row,
                         next < tokens.size() ? tokens[next] : -1);
        }));
  }
  return Status::ok();
}

using Rows = std::vector<std::pair<std::string, std::string>>;

static std::string format(const char *pattern, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), pattern, value);
  return buffer;
}

static Rows describe(const LogitComparison::Summary &summary, size_t windows,
                     const CompareOptions &options) {
  return {
      {"reference", options.reference.path},
      {"compared", options.otherPath},
      {"positions", formatCount(summary.positions) + " in " +
                        formatCount(windows) + " windows"},
      {"KL divergence, mean", format("%.6f nats", summary.meanDivergence)},
      {"  median", format("%.6f nats", summary.medianDivergence)},
      {"  99th percentile", format("%.6f nats", summary.highDivergence)},
      {"  largest", format("%.6f nats", summary.maxDivergence)},
      {"same top token", format("%.2f %%", 100 * summary.topAgreement)},
      {"perplexity, reference", format("%.4f", summary.referencePerplexity)},
      {"perplexity, compared", format("%.4f", summary.otherPerplexity)}};
}

static std::string escapeHtml(std::string_view text) {
  std::string escaped;
  for (char c : escapeText(text))
    escaped += c == '<'   ? "&lt;"
               : c == '>' ? "&gt;"
               : c == '&' ? "&amp;"
                          : std::string(1, c);
  return escaped;
}

static std::string makePage(const Rows &rows) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
      "<title>quern compare</title>\n<style>body { font: 15px sans-serif; "
      "margin: 2em; } td { padding: 0.2em 1.5em 0.2em 0; white-space: pre; }"
      "</style>\n<h1>Two bundles over one text</h1>\n<table>\n";
  for (const auto &[name, value] : rows)
    page += "<tr><td>" + escapeHtml(name) + "</td><td>" + escapeHtml(value) +
            "</td></tr>\n";
  return page + "</table>\n</html>\n";
}

Status tool::compare(const CompareOptions &options) {
  OpenOptions otherOptions = options.reference;
  otherOptions.path = options.otherPath;
  QUERN_ASSIGN_OR_RETURN(OpenModel first, openModel(options.reference));
  QUERN_ASSIGN_OR_RETURN(OpenModel second, openModel(otherOptions));
  Side reference{std::move(first), nullptr}, other{std::move(second), nullptr};
  const ModelGeometry &a = reference.model.engine->getGeometry();
  const ModelGeometry &b = other.model.engine->getGeometry();
  if (a.vocabSize != b.vocabSize)
    return invalidArgument("the vocabularies have " +
                           std::to_string(a.vocabSize) + " and " +
                           std::to_string(b.vocabSize) + " tokens");
  QUERN_ASSIGN_OR_RETURN(std::vector<int32_t> tokens,
                         readTokens(options, reference.model.text));
  for (int32_t token : tokens)
    if (token < 0 || static_cast<uint64_t>(token) >= a.vocabSize)
      return invalidArgument("token " + std::to_string(token) +
                             " is not in the vocabulary");
  size_t window = std::min<size_t>(a.contextLength, b.contextLength);
  size_t chunk =
      std::min<size_t>({kChunkTokens, a.maxStepTokens, b.maxStepTokens});
  LogitComparison comparison;
  size_t windows = 0;
  for (size_t begin = 0; begin < tokens.size(); begin += window, ++windows)
    QUERN_RETURN_IF_ERROR(
        compareWindow(reference, other,
                      std::span(tokens).subspan(
                          begin, std::min(window, tokens.size() - begin)),
                      chunk, comparison));
  Rows rows = describe(comparison.summarize(), windows, options);
  TextTable table({{"Comparison"}, {""}});
  for (const auto &[name, value] : rows)
    table.addRow({name, value});
  std::fputs(table.print().c_str(), stdout);
  return options.htmlPath.empty()
             ? Status::ok()
             : writeFileAtomically(options.htmlPath, makePage(rows));
}
