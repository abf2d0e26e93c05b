#!/usr/bin/env python3
"""Assembles every kernel of small models for every architecture.

Usage: ptxas_models.py QUERN SOURCE_DIR [--spills]

ptxas has to take each without a warning. Of all pairs of a kernel and an
architecture every third is assembled, with QUERN_TEST_ALL=1 all. --spills prints
the kernels whose registers do not fit. Exit code 77 (skipped) where there is no
ptxas.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# A dense model, one of experts, and a hybrid of experts with a draft layer.
MODELS = ("qwen3-dense-tied-bf16", "qwen3-moe-bf16-sharded",
          "qwen3_6-moe-bf16")
SHARE = 1 if os.environ.get("QUERN_TEST_ALL") == "1" else 3
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


def find_ptxas():
    return (os.environ.get("QUERN_PTXAS") or shutil.which("ptxas") or
            shutil.which("/usr/local/cuda/bin/ptxas"))


def read_targets(path):
    """The architectures of a target file, and what each one's PTX is for."""
    return {variant["name"]: variant.get("cpu")
            for variant in json.loads(path.read_text())["variants"]}


def collect_kernels(quern, source, folder):
    """The texts of all kernels, each once, by a name of theirs. Beside
    NAME.ptx lies NAME.ARCH.ptx for an architecture with PTX of its own."""
    kernels = {}
    for model in MODELS:
        dump = folder / model
        subprocess.run(
            [quern, "compile", source / "test/data/checkpoints" / model,
             "--target", "cuda", "--ptxas", "none", "--context", "256",
             "--prefill", "64", "-q", "--emit-kernels", dump, "-o",
             folder / f"{model}.quern"], check=True)
        for path in sorted(dump.glob("*.ptx")):
            if ".sm_" not in path.name:
                kernels.setdefault(path.read_text(), path)
    return sorted(kernels.values())


def find_own(path, own):
    """What an architecture's code is made of."""
    return path.with_suffix(f".{own}.ptx") if own else path


def assemble(ptxas, path, architecture):
    done = subprocess.run(
        [ptxas, "-v", f"-arch={architecture}", "-o", "/dev/null", path],
        capture_output=True, text=True)
    said = done.stdout + done.stderr
    bad = done.returncode != 0 or "warning" in said
    return path, architecture, said if bad else None, SPILL.search(said)


def main():
    quern, source = sys.argv[1], pathlib.Path(sys.argv[2])
    ptxas = find_ptxas()
    if not ptxas:
        print("ptxas is not installed")
        return 77
    targets = read_targets(source / "codegen/Targets/cuda-sm_80.json")
    known = subprocess.run([ptxas, "--help"], capture_output=True,
                           text=True).stdout
    architectures = [a for a in targets if f"'{a}'" in known]
    with tempfile.TemporaryDirectory() as folder:
        kernels = collect_kernels(quern, source, pathlib.Path(folder))
        work = [(find_own(path, targets[architecture]), architecture)
                for i, path in enumerate(kernels)
                for j, architecture in enumerate(architectures)
                if (i + j) % SHARE == 0]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda w: assemble(ptxas, *w), work))
    bad = [f"{path.name} for {architecture}: {said}"
           for path, architecture, said, _ in results if said]
    if "--spills" in sys.argv:
        for path, architecture, _, spill in results:
            if spill and spill.group(1) != "0":
                print(f"{path.stem} {architecture}: {spill.group(0)}")
    left_out = set(targets) - set(architectures)
    print("\n".join(bad) or f"{len(kernels)} kernels, {len(work)} of "
          f"{len(kernels) * len(architectures)} assembled" +
          (f"; ptxas does not know {sorted(left_out)}" if left_out else ""))
    return 1 if bad or not kernels else 0


if __name__ == "__main__":
    sys.exit(main())
