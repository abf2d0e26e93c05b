#!/usr/bin/env python3
"""Writes goldens/qwen3.6-moe-sample-drift: 4,096 tokens and logits of them.

Usage: make_drift.py SAMPLE_FOLDER      (needs torch, transformers, safetensors)

transformers in f32 draws the tokens behind the first prompt of eval.json, at
temperature 1. The same tokens in f32 and in bf16, one forward pass each, give
the logits; of these every 32nd row and the last one, and every tenth column.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

GENERATED, ROW_STEP, COLUMN_STEP = 4096, 32, 10


def load(folder, dtype):
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager").eval()


def generate(model, prompt):
    ids, fed, cache = list(prompt), 0, None
    while len(ids) != len(prompt) + GENERATED:
        out = model(input_ids=torch.tensor([ids[fed:]]), past_key_values=cache,
                    use_cache=True)
        fed, cache = len(ids), out.past_key_values
        ids.append(int(torch.multinomial(out.logits[0, -1].softmax(-1), 1)))
    return ids


def main():
    folder = pathlib.Path(sys.argv[1])
    prompt = json.loads((folder / "eval.json").read_text())[0]["prompt_ids"]
    torch.manual_seed(1)
    with torch.inference_mode():
        model = load(folder, torch.float32)
        tokens = torch.tensor(generate(model, prompt), dtype=torch.int32)
        rows = torch.arange(ROW_STEP - 1, len(tokens), ROW_STEP).tolist()
        rows = torch.tensor(rows + [len(tokens) - 1]).unique().int()
        columns = torch.arange(0, model.config.vocab_size, COLUMN_STEP).int()
        arrays = {"tokens": tokens, "rows": rows, "columns": columns}
        for name, dtype in ("f32", torch.float32), ("bf16", torch.bfloat16):
            logits = load(folder, dtype)(input_ids=tokens.long()[None]).logits
            arrays[name + ".logits"] = \
                logits[0][rows.long()][:, columns.long()].contiguous()
    path = pathlib.Path(__file__).parent / "goldens/qwen3.6-moe-sample-drift"
    path.mkdir(exist_ok=True)
    save_file(arrays, path / "golden.safetensors")


if __name__ == "__main__":
    main()
