"""What is compared: how each engine gets its weights, and how it is started.

An engine has a `name`, and for the names of VARIANTS that it takes:
    prepare(checkpoint, variant, context) -> path of the converted weights
    token_bytes(path, checkpoint, variant) -> weight bytes of a token, or None
    command(path, variant, threads, prefill, decode, cold) -> arguments
The command prints, as its last line, the JSON object of `quern bench --json`:
`prefill` and `decode`, each with `tokens`, `seconds` and `cpu_seconds`. A cold
one is only timed as a process: start, a prompt, one token.
"""
import json
import os
import pathlib
import subprocess
import sys
import weights

FOLDER = pathlib.Path(__file__).resolve().parent

# What each engine calls weights of the same number of bits. `q4` has the same
# types in every matrix: 4.5 bits, head and embedding 8.5. `q4-stock` is what
# llama.cpp makes by itself, with a head of 6.6 bits. Quern computes in f32, the
# others round activations to the type of the weights or to int8; with
# `bf16-compute` Quern computes in bf16 as well.
VARIANTS = {
    "f32": {"quern": ["keep"], "llama.cpp": ["F32"], "torch": ["float32"]},
    "bf16": {"quern": ["bf16"], "llama.cpp": ["BF16"], "torch": ["bfloat16"]},
    "bf16-compute": {"quern": ["bf16", "--compute", "bf16"],
                     "llama.cpp": ["BF16"], "torch": ["bfloat16"]},
    "f16": {"quern": ["f16"], "llama.cpp": ["F16"],
            "openvino": ["--weight-format", "fp16"]},
    "int8": {"quern": ["int8"], "llama.cpp": ["Q8_0"],
             "openvino": ["--weight-format", "int8"]},
    "q4": {"quern": ["q4"],
           "llama.cpp": ["Q4_0", "q8_0"],
           "openvino": ["--weight-format", "int4", "--sym", "--group-size",
                        "32", "--ratio", "1.0"]},
    "q4-stock": {"quern": ["q4"], "llama.cpp": ["Q4_0"]},
}


class NotFound(Exception):
    """An engine is not on this machine; the text says what is missing."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(command, **options):
    """Runs a step of the preparation; its output is shown if it fails."""
    command = [str(word) for word in command]
    say(" ".join(command))
    result = subprocess.run(command, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{command[0]} failed with {result.returncode}:\n"
                           + result.stdout[-4000:])
    return result.stdout


def is_newer(path, *sources):
    """Whether `path` exists and is newer than all of the sources."""
    return path.exists() and all(
        path.stat().st_mtime >= source.stat().st_mtime for source in sources)


def get_files(checkpoint):
    return [*checkpoint.glob("*.safetensors"), checkpoint / "config.json"]


class Quern:
    name = "quern"

    def __init__(self, build, work, target):
        self.program = pathlib.Path(build) / "bin" / "quern"
        self.compiler = self.program.with_name("quern-compiler")
        self.work, self.target = work, target
        if not self.program.exists():
            raise NotFound(f"no {self.program}")
        self.version = run([self.program, "--version"]).split()[-1]

    def prepare(self, checkpoint, variant, context):
        kind, *options = VARIANTS[variant][self.name]
        path = self.work / f"{checkpoint.name}-{variant}-{context}.quern"
        if not is_newer(path, self.compiler, *get_files(checkpoint)):
            run([self.program, "compile", checkpoint, "-o", path, "-q",
                 "--target", self.target, "--quantize", kind,
                 "--context", context, *options])
        return path

    def token_bytes(self, path, checkpoint, variant):
        text = subprocess.run([self.program, "inspect", path, "--json"],
                              check=True, capture_output=True, text=True).stdout
        return weights.count_bundle_bytes(json.loads(text)["manifest"],
                                          checkpoint)

    def command(self, path, variant, threads, prefill, decode, cold):
        if cold:
            ids = ",".join(str(i + 1) for i in range(prefill))
            return [self.program, "run", path, "--threads", threads, "--greedy",
                    "--ignore-eos", "--prompt-ids", ids, "--max-tokens", decode,
                    "--quiet"]
        return [self.program, "bench", path, "--threads", threads, "--prefill",
                prefill, "--decode", decode, "--no-profile", "--json"]


class LlamaCpp:
    """A build folder of llama.cpp with libllama, the rest of which is not
    needed; the folder of its sources is read from the CMake cache."""
    name = "llama.cpp"

    def __init__(self, build, work, python):
        if build is None:
            raise NotFound("give --llama-build, or --get-peers to build it")
        self.build, self.work, self.python = pathlib.Path(build), work, python
        cache = self.build / "CMakeCache.txt"
        library = self.build / "bin" / "libllama.so"
        for path in (cache, library):
            if not path.exists():
                raise NotFound(f"no {path}")
        key = "CMAKE_HOME_DIRECTORY:INTERNAL="
        self.source, = [pathlib.Path(line[len(key):])
                        for line in cache.read_text().splitlines()
                        if line.startswith(key)]
        self.rate = self.compile("LlamaRate.cpp", "llama-rate", library)
        self.quantize = self.compile("LlamaQuantize.cpp", "llama-quantize",
                                     library)
        self.version = library.resolve().name.removeprefix("libllama.so.")

    def compile(self, source, name, library):
        source, program = FOLDER / source, self.work / name
        if not is_newer(program, source, library):
            run(["c++", "-std=c++20", "-O2", source, "-o", program,
                 f"-I{self.source}/include", f"-I{self.source}/ggml/include",
                 f"-L{library.parent}", f"-Wl,-rpath,{library.parent}",
                 "-lllama", "-lggml", "-lggml-base"])
        return program

    def convert(self, checkpoint, kind):
        path = self.work / f"{checkpoint.name}-{kind}.gguf"
        if not is_newer(path, *get_files(checkpoint)):
            part = path.with_suffix(".part")
            # The converter knows the option where there are draft layers.
            config = weights.read_config(checkpoint)
            drafts = config["model_type"].startswith(("qwen3_next", "qwen3_5"))
            run([self.python, self.source / "convert_hf_to_gguf.py", checkpoint,
                 "--outfile", part, "--outtype", kind.lower(),
                 *(["--no-mtp"] if drafts else [])])
            part.rename(path)
        return path

    def prepare(self, checkpoint, variant, context):
        kind, *options = VARIANTS[variant][self.name]
        if kind in ("F32", "BF16", "F16"):
            return self.convert(checkpoint, kind)
        original = self.convert(checkpoint, "BF16")
        path = self.work / f"{checkpoint.name}-{variant}.gguf"
        if not is_newer(path, original):
            part = path.with_suffix(".part")
            run([self.quantize, original, part, kind.lower(), os.cpu_count(),
                 *options])
            part.rename(path)
        return path

    def token_bytes(self, path, checkpoint, variant):
        return weights.count_gguf_bytes(path, checkpoint)

    def command(self, path, variant, threads, prefill, decode, cold):
        return [self.rate, path, threads, prefill, decode,
                *(["--cold"] if cold else [])]


class PythonEngine:
    """An engine that is a Python package; rate_<package>.py times it."""

    def __init__(self, work, python):
        self.work, self.python = work, python
        modules = ", ".join(self.modules)
        found = subprocess.run(
            [python, "-c", f"import {modules}; print({self.modules[0]}."
                           "__version__)"], capture_output=True, text=True)
        if found.returncode != 0:
            raise NotFound(f"{python} does not import {modules}")
        self.version = found.stdout.strip()

    def command(self, path, variant, threads, prefill, decode, cold):
        options = VARIANTS[variant][self.name] if self.name == "torch" else []
        return [self.python, FOLDER / f"{self.name}_rate.py", path, *options,
                threads, prefill, decode, *(["--cold"] if cold else [])]


class Torch(PythonEngine):
    """PyTorch with transformers, eager."""
    name = "torch"
    modules = ("torch", "transformers")

    def prepare(self, checkpoint, variant, context):
        return checkpoint

    def token_bytes(self, path, checkpoint, variant):
        width = {"float32": 4, "bfloat16": 2}
        return (sum(weights.count_weights(checkpoint))
                * width[VARIANTS[variant][self.name][0]])


class OpenVino(PythonEngine):
    """OpenVINO GenAI; optimum-intel of the same Python converts."""
    name = "openvino"
    modules = ("openvino_genai", "openvino")

    def prepare(self, checkpoint, variant, context):
        path = self.work / f"{checkpoint.name}-openvino-{variant}"
        if not is_newer(path / "openvino_model.xml", *get_files(checkpoint)):
            tool = pathlib.Path(self.python).parent / "optimum-cli"
            run([tool, "export", "openvino", "--model", checkpoint, "--task",
                 "text-generation-with-past",
                 *VARIANTS[variant][self.name], path])
        return path

    def token_bytes(self, path, checkpoint, variant):
        return None
