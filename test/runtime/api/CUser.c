/* A C99 program that uses the shared library: the header is C, the symbols are
   there. Opens the bundle of its argument on the null device. */
#include "quern/quern.h"

#include <stdio.h>

int main(int argc, char **argv) {
  quern_model *model = NULL;
  quern_model_options options;
  if (argc != 2)
    return 2;
  quern_model_options_init(&options);
  options.device_api = "null";
  if (quern_model_open(argv[1], &options, &model) != QUERN_NOT_FOUND) {
    fprintf(stderr, "expected not found, got: %s\n", quern_last_error());
    return 1;
  }
  printf("%s: %s\n", quern_version(), quern_last_error());
  return quern_model_close(model) == QUERN_INVALID_ARGUMENT ? 0 : 1;
}
