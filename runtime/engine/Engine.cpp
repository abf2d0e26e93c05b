//===- Engine.cpp - Runs steps of a loaded model --------------------------===//

#include "runtime/engine/Engine.h"

#include <algorithm>
#include <string>

using namespace quern;
using bundle::ProgramKind;

Engine::Engine(std::unique_ptr<LoadedModel> loaded, EngineOptions options)
    : model(std::move(loaded)), options(options),
      pages(model->getGeometry().numPages) {
  const ModelGeometry &geometry = model->getGeometry();
  for (uint32_t slot = geometry.numSlots; slot != 0; --slot)
    freeSlots.push_back(slot - 1);
  rows.reserve(geometry.maxStepTokens);
  sequenceRows.reserve(geometry.numSlots);
  rowSeen.assign((geometry.vocabSize + 31) / 32, 0);
}

Result<std::unique_ptr<Sequence>> Engine::createSequence() {
  const ModelGeometry &geometry = getGeometry();
  if (freeSlots.empty())
    return resourceExhausted("all " + std::to_string(geometry.numSlots) +
                             " slots of the model are in use");
  std::unique_ptr<Sequence> sequence(new Sequence(*this, freeSlots.back()));
  freeSlots.pop_back();
  sequence->tokens.reserve(geometry.contextLength);
  sequence->pages.reserve(model->getStepBlock().getLayout().pagesPerSlot);
  sequence->seen.assign((geometry.vocabSize + 31) / 32, 0);
  return sequence;
}

void Engine::releaseSlot(uint32_t slot) { freeSlots.push_back(slot); }

Status Engine::setLogitsWanted(bool wanted) {
  for (ProgramKind kind :
       {ProgramKind::Decode, ProgramKind::Verify, ProgramKind::Head})
    if (const LoadedProgram *program = model->getProgram(kind);
        wanted && program && program->logitsOffset == kAbsentOffset)
      return unsupported("the bundle's programs do not keep logits");
  logits.assign(wanted ? getGeometry().vocabSize : 0, 0);
  return Status::ok();
}

uint64_t Engine::countMissingPages(const Sequence &sequence,
                                   uint64_t count) const {
  const uint32_t pageSize = getGeometry().pageSize;
  uint64_t needed = (sequence.getLength() + count + pageSize - 1) / pageSize;
  return needed - std::min<uint64_t>(needed, sequence.pages.size());
}

Status Engine::checkRoom(const Sequence &sequence, uint64_t count) const {
  const ModelGeometry &geometry = getGeometry();
  uint64_t room = geometry.contextLength - sequence.getLength();
  if (count > room)
    return invalidArgument(std::to_string(count) + " tokens after " +
                           std::to_string(sequence.getLength()) +
                           " exceed the context of " +
                           std::to_string(geometry.contextLength) + " tokens");
  uint64_t missing = countMissingPages(sequence, count);
  if (missing > pages.getNumFree())
    return resourceExhausted(
        "the key-value cache is full: " + std::to_string(missing) +
        " more pages needed, " + std::to_string(pages.getNumFree()) + " of " +
        std::to_string(pages.getNumPages()) + " are free");
  return Status::ok();
}

Status Engine::checkEntry(const StepEntry &entry) const {
  if (!entry.sequence || &entry.sequence->engine != this)
    return invalidArgument("the sequence belongs to another engine");
  if (entry.tokens.empty())
    return invalidArgument("no tokens to feed");
  for (size_t i = 0; i != entry.tokens.size(); ++i)
    if (entry.tokens[i] < 0 ||
        uint32_t(entry.tokens[i]) >= getGeometry().vocabSize)
      return invalidArgument("token " + std::to_string(i) + " is " +
                             std::to_string(entry.tokens[i]) +
                             ", expected 0 to " +
                             std::to_string(getGeometry().vocabSize - 1));
  if (entry.sampling)
    QUERN_RETURN_IF_ERROR(verifySamplingParameters(*entry.sampling));
  return checkRoom(*entry.sequence, entry.tokens.size());
}

Status Engine::checkEntries(std::span<const StepEntry> entries) const {
  if (entries.empty())
    return invalidArgument("a step without sequences");
  if (entries.size() > getGeometry().numSlots)
    return invalidArgument("a step of " + std::to_string(entries.size()) +
                           " sequences, the model has " +
                           std::to_string(getGeometry().numSlots) + " slots");
  uint64_t tokens = 0;
  for (size_t i = 0; i != entries.size(); ++i) {
    QUERN_RETURN_IF_ERROR(checkEntry(entries[i]));
    if (entries[i].samplesAllRows &&
        (entries.size() != 1 ||
         entries[i].tokens.size() > getGeometry().maxSmallTokens))
      return invalidArgument("only a step of one sequence and at most " +
                             std::to_string(getGeometry().maxSmallTokens) +
                             " tokens samples all rows");
    tokens += entries[i].tokens.size();
    for (size_t j = 0; j != i; ++j)
      if (entries[i].sequence == entries[j].sequence)
        return invalidArgument("a sequence occurs twice in a step");
  }
  if (tokens > getGeometry().maxStepTokens)
    return invalidArgument(
        "a step of " + std::to_string(tokens) + " tokens, the model takes " +
        std::to_string(getGeometry().maxStepTokens) + " at a time");
  return Status::ok();
}

/// Takes the pages of the whole step, or none.
Status Engine::takePages(std::span<const StepEntry> entries) {
  uint64_t missing = 0;
  for (const StepEntry &entry : entries)
    missing += countMissingPages(*entry.sequence, entry.tokens.size());
  if (missing > pages.getNumFree())
    return resourceExhausted("the key-value cache is full: the step needs " +
                             std::to_string(missing) + " more pages, " +
                             std::to_string(pages.getNumFree()) + " are free");
  for (const StepEntry &entry : entries)
    takePages(*entry.sequence, entry.tokens.size());
  return Status::ok();
}

/// Takes the pages of one sequence, which are there.
void Engine::takePages(Sequence &sequence, uint64_t count) {
  std::vector<uint32_t> &list = sequence.pages;
  for (uint64_t n = countMissingPages(sequence, count); n != 0; --n) {
    uint32_t page = pages.take();
    model->getStepBlock().setPage(sequence.slot, uint32_t(list.size()), page);
    list.push_back(page);
  }
  statistics.pagesInUse = pages.getNumPages() - pages.getNumFree();
  statistics.peakPagesInUse =
      std::max(statistics.peakPagesInUse, statistics.pagesInUse);
}

const LoadedProgram *Engine::chooseProgram(uint32_t tokens) const {
  for (ProgramKind kind :
       {ProgramKind::Decode, ProgramKind::Verify, ProgramKind::Prefill})
    if (const LoadedProgram *program = model->getProgram(kind);
        program && tokens <= program->maxTokens)
      return program;
  return nullptr; // Not for a checked step: it fits the largest program.
}

/// Fills the token buffers and lists the rows whose results are wanted.
uint32_t Engine::writeTokens(std::span<const StepEntry> entries) {
  StepBlock &block = model->getStepBlock();
  uint32_t count = 0;
  rows.clear();
  for (uint32_t e = 0; e != entries.size(); ++e) {
    const StepEntry &entry = entries[e];
    uint32_t length = entry.sequence->getLength();
    uint32_t size = uint32_t(entry.tokens.size());
    for (uint32_t i = 0; i != size; ++i, ++count) {
      block.setToken(count, entry.tokens[i], length + i, entry.sequence->slot);
      if (entry.rows == ResultRows::All ||
          (entry.rows == ResultRows::Last && i + 1 == size))
        rows.push_back({e, i, count});
    }
  }
  return count;
}

Status Engine::submit(const LoadedProgram &program, uint32_t tokens,
                      uint32_t numRows) {
  Device &device = model->getDevice();
  Status status = device.submit(program.handle, tokens, numRows);
  if (status.isOk())
    status = device.wait(uint64_t(options.timeout.count()));
  if (status.isOk()) {
    ++statistics.submits;
    statistics.dispatches += program.description->dispatches()
                                 ? program.description->dispatches()->size()
                                 : 0;
    return status;
  }
  status = std::move(status).withContext(
      "step " + std::to_string(statistics.steps) + ", program " +
      std::string(toView(program.description->name())));
  // After these the device is gone or still busy with the run.
  if (status.getCode() == StatusCode::DeviceLost ||
      status.getCode() == StatusCode::DeadlineExceeded)
    failure = status;
  return status;
}

Status Engine::deliver(const LoadedProgram &program, uint32_t stepRow,
                       const Row &row, StepResults &results) {
  int32_t token = model->getStepBlock().getResult(stepRow);
  if (token < 0 || uint32_t(token) >= getGeometry().vocabSize)
    return deviceError(
        "step " + std::to_string(statistics.steps) + ", program " +
        std::string(toView(program.description->name())) + ", row " +
        std::to_string(stepRow) + ": the device chose token " +
        std::to_string(token) + ", expected 0 to " +
        std::to_string(getGeometry().vocabSize - 1) +
        "; the logits are not numbers");
  if (!logits.empty())
    QUERN_RETURN_IF_ERROR(model->getDevice().download(
        model->getArena(),
        program.logitsOffset + uint64_t(stepRow) * logits.size() * 4,
        std::as_writable_bytes(std::span(logits))));
  ++statistics.results;
  results.onResult(row.entry, row.index, token, logits);
  return Status::ok();
}

/// A program in which every token is a row.
Status Engine::runSmall(const LoadedProgram &program,
                        std::span<const StepEntry> entries, uint32_t tokens,
                        StepResults &results) {
  StepBlock &block = model->getStepBlock();
  for (uint32_t token = 0; token != tokens; ++token)
    block.setGreedy(token);
  for (const Row &row : rows)
    writeSampling(row.token, entries[row.entry], row.index);
  block.clearResults(tokens);
  QUERN_RETURN_IF_ERROR(submit(program, tokens, tokens));
  finishFolding(entries);
  for (const Row &row : rows)
    QUERN_RETURN_IF_ERROR(deliver(program, row.token, row, results));
  return Status::ok();
}

/// The prefill program, then the head program for the rows that are wanted.
Status Engine::runLarge(const LoadedProgram &program,
                        std::span<const StepEntry> entries, uint32_t tokens,
                        StepResults &results) {
  StepBlock &block = model->getStepBlock();
  const LoadedProgram &head = *model->getProgram(ProgramKind::Head);
  QUERN_RETURN_IF_ERROR(submit(program, tokens, /*rows=*/0));
  finishFolding(entries);
  for (size_t begin = 0; begin < rows.size(); begin += head.maxRows) {
    uint32_t count =
        uint32_t(std::min<size_t>(head.maxRows, rows.size() - begin));
    for (uint32_t i = 0; i != count; ++i) {
      const Row &row = rows[begin + i];
      block.setRow(i, row.token);
      writeSampling(i, entries[row.entry], row.index);
    }
    block.clearResults(count);
    QUERN_RETURN_IF_ERROR(submit(head, count, count));
    for (uint32_t i = 0; i != count; ++i)
      QUERN_RETURN_IF_ERROR(deliver(head, i, rows[begin + i], results));
  }
  return Status::ok();
}

Status Engine::run(std::span<const StepEntry> entries, StepResults &results) {
  if (!failure.isOk())
    return failure;
  QUERN_RETURN_IF_ERROR(checkEntries(entries));
  QUERN_RETURN_IF_ERROR(takePages(entries));
  uint32_t tokens = writeTokens(entries);
  const LoadedProgram &program = *chooseProgram(tokens);
  bool isPrefill = program.description->kind() == ProgramKind::Prefill;
  writeSequences(entries, isPrefill);
  beginSampling(entries);
  for (const StepEntry &entry : entries)
    entry.sequence->append(entry.tokens);
  Status status = isPrefill ? runLarge(program, entries, tokens, results)
                            : runSmall(program, entries, tokens, results);
  if (!status.isOk())
    for (const StepEntry &entry : entries)
      entry.sequence->truncate(
          uint32_t(entry.sequence->getLength() - entry.tokens.size()));
  else
    statistics.tokens += tokens;
  ++statistics.steps;
  statistics.pagesInUse = pages.getNumPages() - pages.getNumFree();
  return status;
}
