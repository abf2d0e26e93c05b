//===- LlamaQuantize.cpp - Quantises a GGUF file with llama.cpp -----------===//
//
//   llama-quantize IN.gguf OUT.gguf q4_0|q8_0 THREADS [HEAD]
//
// As the tool of this name does it. HEAD is the type of embedding and output
// head, if not what llama.cpp chooses for them: q4_0, q8_0. Needs libllama
// alone, which takes a fraction of the time that all of llama.cpp takes to
// build. Not part of the build: engines.py compiles it.
//
//===----------------------------------------------------------------------===//

#include "llama.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Type {
  const char *name;
  llama_ftype file;
  ggml_type tensor;
};
constexpr Type kTypes[] = {
    {"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0, GGML_TYPE_Q4_0},
    {"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0, GGML_TYPE_Q8_0},
};

} // namespace

static const Type *findType(const char *name) {
  for (const Type &type : kTypes)
    if (std::strcmp(type.name, name) == 0)
      return &type;
  return nullptr;
}

int main(int argc, char **argv) {
  const Type *type = argc > 3 ? findType(argv[3]) : nullptr;
  const Type *head = argc == 6 ? findType(argv[5]) : nullptr;
  int threads = argc > 4 ? std::atoi(argv[4]) : 0;
  if (!type || threads < 1 || argc > 6 || (argc == 6 && !head)) {
    std::fprintf(stderr, "usage: llama-quantize IN.gguf OUT.gguf q4_0|q8_0 "
                         "THREADS [HEAD]\n");
    return 2;
  }
  llama_backend_init();
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type->file;
  params.nthread = threads;
  if (head) {
    params.token_embedding_type = head->tensor;
    params.output_tensor_type = head->tensor;
  }
  return llama_model_quantize(argv[1], argv[2], &params) == 0 ? 0 : 1;
}
