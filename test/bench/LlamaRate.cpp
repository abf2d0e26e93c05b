//===- LlamaRate.cpp - Times llama.cpp as quern bench times Quern ---------===//
//
//   llama-rate MODEL.gguf THREADS PREFILL DECODE [--cold]
//
// One prompt in steps of at most 512 tokens, then single tokens behind it, on
// the CPU; wall and CPU seconds of each phase as JSON, with the keys of `quern
// bench --json`. A first run that is not counted warms up, except with --cold.
// The tokens are fixed: nothing is sampled, and that time is not counted.
// Not part of the build: engines.py compiles it against a build of llama.cpp.
//
//===----------------------------------------------------------------------===//

#include "llama.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

struct Instant {
  std::chrono::steady_clock::time_point wall = std::chrono::steady_clock::now();
  double cpu = 0;

  Instant() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    cpu = double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
  }
};

class Session {
public:
  Session(llama_model *model, llama_context *context)
      : context(context),
        vocabSize(llama_vocab_n_tokens(llama_model_get_vocab(model))) {}

  void forget() { llama_memory_clear(llama_get_memory(context), true); }

  /// Feeds tokens in steps of at most `chunk`; false if llama.cpp refuses.
  bool feed(int count, int chunk) {
    for (int begin = 0; begin < count; begin += chunk) {
      std::vector<llama_token> step;
      for (int i = begin; i < std::min(begin + chunk, count); ++i)
        step.push_back(llama_token((i + 1) * 7919L % vocabSize));
      llama_batch batch =
          llama_batch_get_one(step.data(), int32_t(step.size()));
      if (llama_decode(context, batch) != 0)
        return false;
      llama_synchronize(context);
    }
    return true;
  }

private:
  llama_context *context;
  int vocabSize;
};

} // namespace

static void printErrors(ggml_log_level level, const char *text, void *) {
  if (level == GGML_LOG_LEVEL_ERROR)
    std::fputs(text, stderr);
}

static void printPhase(const char *name, int tokens, const Instant &begin,
                       const Instant &end) {
  std::chrono::duration<double> wall = end.wall - begin.wall;
  std::printf(",\"%s\":{\"tokens\":%d,\"seconds\":%.6f,\"cpu_seconds\":%.6f}",
              name, tokens, wall.count(), end.cpu - begin.cpu);
}

static bool measure(Session &session, int prefill, int decode, bool cold) {
  constexpr int kChunk = 512;
  if (!cold) {
    if (!session.feed(prefill, kChunk) || !session.feed(1, 1))
      return false;
    session.forget();
  }
  Instant begin;
  if (!session.feed(prefill, kChunk))
    return false;
  Instant middle;
  if (!session.feed(decode, 1))
    return false;
  Instant end;
  printPhase("prefill", prefill, begin, middle);
  printPhase("decode", decode, middle, end);
  return true;
}

int main(int argc, char **argv) {
  bool cold = argc == 6 && std::strcmp(argv[5], "--cold") == 0;
  int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  int prefill = argc > 3 ? std::atoi(argv[3]) : 0;
  int decode = argc > 4 ? std::atoi(argv[4]) : 0;
  if ((argc != 5 && !cold) || threads < 1 || prefill < 1 || decode < 1) {
    std::fprintf(stderr, "usage: llama-rate MODEL.gguf THREADS PREFILL DECODE "
                         "[--cold]\n");
    return 2;
  }
  Instant start;
  llama_log_set(printErrors, nullptr);
  ggml_backend_load_all();
  llama_model_params modelParams = llama_model_default_params();
  modelParams.n_gpu_layers = 0;
  llama_model *model = llama_model_load_from_file(argv[1], modelParams);
  if (!model)
    return 1;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = uint32_t(prefill + decode + 8);
  params.n_threads = params.n_threads_batch = threads;
  llama_context *context = llama_init_from_model(model, params);
  if (!context)
    return 1;
  std::chrono::duration<double> load = Instant().wall - start.wall;
  std::printf("{\"load_seconds\":%.6f,\"bytes\":%llu", load.count(),
              static_cast<unsigned long long>(llama_model_size(model)));
  Session session(model, context);
  bool ok = measure(session, prefill, decode, cold);
  std::printf("}\n");
  llama_free(context);
  llama_model_free(model);
  return ok ? 0 : 1;
}
