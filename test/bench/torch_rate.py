"""Times PyTorch with transformers as `quern bench` times Quern.

Usage: torch_rate.py CHECKPOINT DTYPE THREADS PREFILL DECODE [--cold]

Eager, on the CPU, with a growing cache; only the last row of logits.
"""
import json
import sys
import time


def main():
    cold = sys.argv[6:] == ["--cold"]
    path, dtype = sys.argv[1:3]
    threads, prefill, decode = map(int, sys.argv[3:6])
    begin = time.perf_counter()
    import torch
    from transformers import AutoModelForCausalLM, DynamicCache
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=getattr(torch, dtype)).eval()
    result = {"load_seconds": time.perf_counter() - begin}
    vocab_size = model.config.vocab_size

    def feed(count, cache):
        ids = [(i + 1) * 7919 % vocab_size for i in range(count)]
        model(input_ids=torch.tensor([ids]), past_key_values=cache,
              use_cache=True, logits_to_keep=1)

    def measure(name, tokens, work):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        result[name] = {"tokens": tokens,
                        "seconds": time.perf_counter() - wall,
                        "cpu_seconds": time.process_time() - cpu}

    with torch.inference_mode():
        if not cold:
            cache = DynamicCache(config=model.config)
            feed(prefill, cache)
            feed(1, cache)
        cache = DynamicCache(config=model.config)
        measure("prefill", prefill, lambda: feed(prefill, cache))
        measure("decode", decode,
                lambda: [feed(1, cache) for _ in range(decode)])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
