/*===- quern.h - Run compiled Qwen models ---------------------------------===*\
|*
|* The C interface of the runtime (C99). Everything that can fail returns a
|* quern_status; quern_last_error() then says what happened. No call crashes on
|* bad arguments: null pointers, closed handles, handles of another kind and
|* wrong sizes are reported as QUERN_INVALID_ARGUMENT.
|*
|* Structs that begin with struct_size are versioned: set struct_size to
|* sizeof(the struct), or call the struct's init function.
|*
|* Handles are names of objects, not addresses, and are never used twice.
|*
|* Threads: calls on different models may run at the same time. The sessions of
|* one model share a device: a call that runs the model while another one does,
|* also from inside a callback, fails with QUERN_INVALID_ARGUMENT. Tokenising,
|* chat rendering and the device list may be used by many threads.
|*
\*===----------------------------------------------------------------------===*/
#ifndef QUERN_QUERN_H
#define QUERN_QUERN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define QUERN_API __declspec(dllexport)
#else
#define QUERN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*===-- Status ------------------------------------------------------------===*/

/* Whose fault a failure is. The values are stable. */
typedef enum quern_status {
  QUERN_OK = 0,
  QUERN_INVALID_ARGUMENT = 1, /* the caller's */
  QUERN_NOT_FOUND = 2,
  QUERN_CORRUPT = 3, /* the file's */
  QUERN_UNSUPPORTED = 4,
  QUERN_RESOURCE_EXHAUSTED = 5, /* the machine's */
  QUERN_IO_ERROR = 6,
  QUERN_DEVICE_ERROR = 7,
  QUERN_DEVICE_LOST = 8,
  QUERN_DEADLINE_EXCEEDED = 9,
  QUERN_CANCELLED = 10,
  QUERN_INTERNAL = 11 /* ours */
} quern_status;

/* "0.1.0" */
QUERN_API const char *quern_version(void);

/* "invalid argument"; "unknown" for other values. */
QUERN_API const char *quern_status_name(quern_status status);

/* What the last failed call of this thread says: lower case, no final period.
   Valid until the thread's next call that fails; "" if none has. */
QUERN_API const char *quern_last_error(void);

/*===-- Devices -----------------------------------------------------------===*/

typedef struct quern_device_info {
  size_t struct_size;
  char api[16]; /* "vulkan" */
  char api_version[32];
  char name[256]; /* as the driver says; untrusted text */
  char driver[256];
  uint64_t memory_bytes;
  int32_t is_software; /* a CPU implementation such as lavapipe */
} quern_device_info;

/* The devices, best first. `index` is below the count. */
QUERN_API quern_status quern_device_count(size_t *count);
QUERN_API quern_status quern_device_get(size_t index, quern_device_info *info);

/*===-- Models ------------------------------------------------------------===*/

typedef struct quern_model quern_model;

typedef struct quern_model_options {
  size_t struct_size;
  const char *device_api; /* "vulkan", "cpu"; null: what the bundle is for */
  const char *device;     /* index or part of the name; null: the best */
  const char *target;     /* program set of the bundle; null: what fits */
  int32_t no_mmap;        /* read the weights instead of mapping them */
  int32_t verify_weights; /* check the weights' hash: reads all of the file */
  int32_t validation;     /* ask the device API's validation layer */
  uint64_t timeout_ms;    /* a run that takes longer ends the model */
  uint32_t threads;       /* of the CPU device; 0: one for each core */
  int32_t pin_threads;    /* keep each of them on a core of its own */
} quern_model_options;

typedef struct quern_model_info {
  size_t struct_size;
  char family[32];
  char name[256];
  char device[256];
  uint64_t parameters;
  uint64_t device_bytes; /* in use; mapped weights not counted */
  uint32_t vocab_size;
  uint32_t context_length; /* tokens of one session */
  uint32_t max_sessions;
  uint32_t max_step_tokens;
  int32_t has_tokenizer;
  int32_t has_chat_template;
} quern_model_info;

typedef struct quern_statistics {
  size_t struct_size;
  uint64_t steps;
  uint64_t tokens; /* fed to the model */
  uint64_t submits;
  uint64_t dispatches;
  uint64_t pages_in_use;
  uint64_t peak_pages_in_use;
  uint64_t num_pages;
} quern_statistics;

/* Sets the defaults and struct_size. */
QUERN_API void quern_model_options_init(quern_model_options *options);

/* Opens a bundle on a device. `options` may be null. */
QUERN_API quern_status quern_model_open(const char *path,
                                        const quern_model_options *options,
                                        quern_model **model);

/* Its sessions keep a closed model alive and can still be used. */
QUERN_API quern_status quern_model_close(quern_model *model);

QUERN_API quern_status quern_model_get_info(quern_model *model,
                                            quern_model_info *info);
QUERN_API quern_status quern_model_get_statistics(quern_model *model,
                                                  quern_statistics *statistics);

/*===-- Text --------------------------------------------------------------===*/

/* Functions that fill a buffer set *count (or *length) to what the result
   takes. With a null buffer and a capacity of 0 that is all they do; if the
   buffer is too small, they fail and write nothing into it. */

/* With parse_special, text such as <|im_end|> becomes the token. */
QUERN_API quern_status quern_tokenize(quern_model *model, const char *text,
                                      size_t length, int32_t parse_special,
                                      int32_t *ids, size_t capacity,
                                      size_t *count);

/* The text is followed by a NUL, which *length does not count but which needs
   room. */
QUERN_API quern_status quern_detokenize(quern_model *model, const int32_t *ids,
                                        size_t count, int32_t skip_special,
                                        char *text, size_t capacity,
                                        size_t *length);

typedef struct quern_message {
  const char *role; /* "system", "user", "assistant" */
  const char *content;
} quern_message;

typedef struct quern_chat_options {
  size_t struct_size;
  int32_t add_generation_prompt;
  int32_t enable_thinking; /* 0, 1, or -1: what the template does by default */
} quern_chat_options;

QUERN_API void quern_chat_options_init(quern_chat_options *options);

/* The conversation as the model's chat template writes it. `options` may be
   null. */
QUERN_API quern_status quern_chat_render(quern_model *model,
                                         const quern_message *messages,
                                         size_t message_count,
                                         const quern_chat_options *options,
                                         char *text, size_t capacity,
                                         size_t *length);

/* Its tokens. Special tokens that stand in a message are ordinary text. */
QUERN_API quern_status quern_chat_tokenize(quern_model *model,
                                           const quern_message *messages,
                                           size_t message_count,
                                           const quern_chat_options *options,
                                           int32_t *ids, size_t capacity,
                                           size_t *count);

/*===-- Sessions ----------------------------------------------------------===*/

/* One sequence of tokens with its part of the key-value cache. */
typedef struct quern_session quern_session;

QUERN_API quern_status quern_session_create(quern_model *model,
                                            quern_session **session);
QUERN_API quern_status quern_session_close(quern_session *session);

/* Tokens in the cache. */
QUERN_API quern_status quern_session_get_length(quern_session *session,
                                                size_t *length);
/* Forgets the tokens from `length` on. Models with recurrent states (hybrids)
   can only forget the last few, those that a prompt step has not folded into
   the states: QUERN_UNSUPPORTED says how far. Length 0 is always possible. */
QUERN_API quern_status quern_session_truncate(quern_session *session,
                                              size_t length);

typedef struct quern_sampling {
  size_t struct_size;
  float temperature;        /* >= 0; 0: the likeliest token */
  float top_p;              /* (0, 1]; 1: off */
  float min_p;              /* [0, 1]; 0: off */
  float repetition_penalty; /* > 0; 1: off */
  int64_t top_k;            /* >= 0; 0: off */
  uint64_t seed;            /* the same seed gives the same text */
  uint64_t stream;          /* tells sequences of one seed apart */
} quern_sampling;

/* What the model's authors recommend. */
QUERN_API quern_status quern_sampling_defaults(quern_model *model,
                                               quern_sampling *sampling);

/*===-- Steps -------------------------------------------------------------===*/

typedef struct quern_step_entry {
  quern_session *session;
  const int32_t *ids; /* appended to the session */
  size_t count;
  const quern_sampling *sampling; /* null: greedy */
  /* Null, or room for vocab_size values of the last token, or, with
     all_logits, for count * vocab_size values. */
  float *logits;
  int32_t all_logits;
  int32_t next_token; /* result: what follows the last token */
} quern_step_entry;

/* Feeds tokens of several sessions of one model in one step; together at most
   max_step_tokens. On failure the sessions are as before; with recurrent states
   they may be empty, if the device failed in a step that folds them. */
QUERN_API quern_status quern_step(quern_model *model, quern_step_entry *entries,
                                  size_t count);

/*===-- Generation --------------------------------------------------------===*/

typedef enum quern_finish_reason {
  QUERN_FINISH_STOP = 1,         /* the model ended its turn */
  QUERN_FINISH_LENGTH = 2,       /* max_tokens */
  QUERN_FINISH_CONTEXT_FULL = 3, /* the session has context_length tokens */
  QUERN_FINISH_CACHE_FULL = 4,   /* no room in the cache shared by sessions */
  QUERN_FINISH_CANCELLED = 5     /* the callback asked for it */
} quern_finish_reason;

typedef struct quern_generate_options {
  size_t struct_size;
  int64_t max_tokens; /* > 0 */
  int32_t ignore_eos;
  uint32_t chunk_tokens; /* prompt tokens per step; 0: as many as fit */
  quern_sampling sampling;
  /* Tokens to draft for each step: QUERN_SPECULATE_AUTO (the default), 0 for
     none, at most 7. Models without draft programs draft none. It changes how
     fast tokens come, never which. */
  int32_t speculate;
} quern_generate_options;

#define QUERN_SPECULATE_AUTO (-1)

typedef struct quern_generate_result {
  size_t struct_size;
  quern_finish_reason finish_reason;
  uint64_t prompt_tokens;
  uint64_t reused_tokens; /* of the prompt, found in the cache */
  uint64_t generated_tokens;
  double prefill_seconds;   /* until the first token */
  double decode_seconds;    /* from then on */
  uint64_t drafted_tokens;  /* drafts that were compared with the model's */
  uint64_t accepted_tokens; /* of them, the same */
  uint64_t verify_steps;    /* steps that checked drafts */
} quern_generate_result;

/* Called for each token with the text that it completes (UTF-8, `length`
   bytes, perhaps none); at the end perhaps once more with token -1 for the
   rest. Anything but 0 stops. */
typedef int32_t (*quern_token_callback)(void *user, int32_t token,
                                        const char *text, size_t length);

/* The model's defaults. */
QUERN_API quern_status quern_generate_options_init(
    quern_model *model, quern_generate_options *options);

/* Makes the session hold the prompt, keeping what it has of it already, and
   generates. `callback` and `result` may be null. */
QUERN_API quern_status quern_generate(quern_session *session,
                                      const int32_t *prompt, size_t count,
                                      const quern_generate_options *options,
                                      quern_token_callback callback, void *user,
                                      quern_generate_result *result);

#ifdef __cplusplus
}
#endif

#endif /* QUERN_QUERN_H */
