"""What a token costs: weight bytes that it reads, operations that it takes.

Counted from the heads of the files: a token of decode reads every matrix once,
of the experts only those that it is sent to; the embedding only where it is the
output head as well. Operations of a prompt token: two for each weight of the
layers, without attention and output head.
"""
import json
import pathlib
import struct

GGUF_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8,
              12: 8}
GGUF_STRING, GGUF_ARRAY = 8, 9


def read_config(checkpoint):
    """The part of config.json that describes the language model."""
    config = json.loads((checkpoint / "config.json").read_text())
    return config.get("text_config", config)


def read_expert_share(checkpoint):
    """The share of the experts' weights that one token meets."""
    config = read_config(checkpoint)
    count = config.get("num_experts") or 0
    return config["num_experts_per_tok"] / count if count else 1.0


def read_safetensors(checkpoint):
    """Yields (name, shape) of the tensors of a checkpoint's files."""
    for path in sorted(checkpoint.glob("*.safetensors")):
        with path.open("rb") as file:
            length, = struct.unpack("<Q", file.read(8))
            head = json.loads(file.read(length))
        for name, tensor in head.items():
            if name != "__metadata__":
                yield name, tensor["shape"]


def count_weights(checkpoint):
    """Returns (weights of the layers, of the head) that one token meets."""
    share = read_expert_share(checkpoint)
    layers, heads = 0.0, {}
    for name, shape in read_safetensors(checkpoint):
        if len(shape) < 2 or "conv1d" in name or name.startswith("mtp."):
            continue
        size = 1
        for extent in shape:
            size *= extent
        if ".layers." in name:
            layers += size * (share if ".experts." in name else 1)
        elif "embed_tokens" in name or "lm_head" in name:
            heads["lm_head" in name] = size
    return layers, heads.get(True, heads.get(False, 0))


class GgufReader:
    """The part of a GGUF file before the data of the tensors."""

    def __init__(self, file):
        self.file = file

    def unpack(self, form):
        return struct.unpack(
            "<" + form, self.file.read(struct.calcsize("<" + form)))[0]

    def read_text(self):
        return self.file.read(self.unpack("Q")).decode()

    def skip_value(self, kind):
        if kind == GGUF_STRING:
            self.file.seek(self.unpack("Q"), 1)
        elif kind == GGUF_ARRAY:
            element, count = self.unpack("I"), self.unpack("Q")
            if element in GGUF_SIZES:
                self.file.seek(GGUF_SIZES[element] * count, 1)
            else:
                for _ in range(count):
                    self.skip_value(element)
        else:
            self.file.seek(GGUF_SIZES[kind], 1)


def read_gguf_sizes(path):
    """Returns {name of a tensor: bytes}, with what aligns the next one."""
    path = pathlib.Path(path)
    with path.open("rb") as file:
        reader = GgufReader(file)
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path}: not a GGUF file")
        reader.unpack("I")
        tensors, values = reader.unpack("Q"), reader.unpack("Q")
        for _ in range(values):
            reader.read_text()
            reader.skip_value(reader.unpack("I"))
        offsets = {}
        for _ in range(tensors):
            name = reader.read_text()
            file.seek(8 * reader.unpack("I"), 1)
            reader.unpack("I")
            offsets[name] = reader.unpack("Q")
        data = -(-file.tell() // 32) * 32
    names = sorted(offsets, key=offsets.get)
    ends = [offsets[name] for name in names[1:]]
    ends.append(path.stat().st_size - data)
    return {name: end - offsets[name] for name, end in zip(names, ends)}


def count_gguf_bytes(path, checkpoint):
    """Bytes of a GGUF file that one token of decode reads."""
    share = read_expert_share(checkpoint)
    sizes = read_gguf_sizes(path)
    if "output.weight" in sizes:
        del sizes["token_embd.weight"]
    return sum(size * (share if "_exps." in name else 1)
               for name, size in sizes.items())


def count_bundle_bytes(manifest, checkpoint):
    """Bytes of a bundle that one token of decode reads; the manifest is that of
    `quern inspect --json`."""
    share = read_expert_share(checkpoint)
    weights = [(weight["size"], weight.get("sources", []))
               for weight in manifest["weights"]]
    has_head = any("lm_head.weight" in sources for _, sources in weights)
    total = 0.0
    for size, sources in weights:
        embeds = any("embed_tokens" in source for source in sources)
        if (embeds and has_head) or any(source.startswith("mtp.")
                                        for source in sources):
            continue
        is_expert = any(".experts." in source for source in sources)
        total += size * (share if is_expert else 1)
    return total
