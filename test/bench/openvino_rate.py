"""Times OpenVINO GenAI as `quern bench` times Quern.

Usage: openvino_rate.py FOLDER THREADS PREFILL DECODE [--cold]

The prompt is timed with the first token that it gives, decode is what more
tokens take beyond that. Each run has a prompt of its own, since the pipeline
may keep prefixes.
"""
import json
import sys
import time


def main():
    cold = sys.argv[5:] == ["--cold"]
    path = sys.argv[1]
    threads, prefill, decode = map(int, sys.argv[2:5])
    begin = time.perf_counter()
    import numpy
    import openvino
    import openvino_genai
    pipeline = openvino_genai.LLMPipeline(
        path, "CPU", INFERENCE_NUM_THREADS=threads)
    result = {"load_seconds": time.perf_counter() - begin}

    def generate(first, tokens):
        ids = [(i + first) * 7919 % 150000 for i in range(prefill)]
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = tokens
        config.ignore_eos = True
        config.do_sample = False
        inputs = openvino_genai.TokenizedInputs(
            openvino.Tensor(numpy.array([ids], dtype=numpy.int64)),
            openvino.Tensor(numpy.ones((1, prefill), dtype=numpy.int64)))
        wall, cpu = time.perf_counter(), time.process_time()
        pipeline.generate(inputs, config)
        return time.perf_counter() - wall, time.process_time() - cpu

    if not cold:
        generate(1, 2)
    first = generate(3, 1)
    both = generate(5, 1 + decode)
    result["prefill"] = {"tokens": prefill, "seconds": first[0],
                         "cpu_seconds": first[1]}
    result["decode"] = {"tokens": decode, "seconds": both[0] - first[0],
                        "cpu_seconds": both[1] - first[1]}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
