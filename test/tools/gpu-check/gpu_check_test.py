#!/usr/bin/env python3
"""tools/gpu-check.sh without a GPU, and with one that scripts play.

Usage: gpu_check_test.py SOURCE_DIR
"""
import os
import pathlib
import subprocess
import sys
import tempfile


def run(source, *arguments, **environment):
    done = subprocess.run(
        [source / "tools" / "gpu-check.sh", *arguments], text=True,
        capture_output=True, env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def expect(holds, what):
    if not holds:
        sys.exit(f"failed: {what}")


def check_without_gpu(source):
    code, out, err = run(source, QUERN_NVIDIA_SMI="/nonexistent/nvidia-smi")
    expect(code == 1 and out == "", (code, out))
    for part in ("no NVIDIA GPU", "/nonexistent/nvidia-smi", "tools/test.sh"):
        expect(part in err, err)
    code, _, err = run(source, QUERN_NVIDIA_SMI="/bin/false")
    expect(code == 1 and "no NVIDIA GPU" in err, err)
    for arguments in (["--nonsense"], ["--model"]):
        expect(run(source, *arguments)[0] == 2, arguments)


def check_report(source, folder):
    """The flow of a run; the programs are scripts that say what they got."""
    smi = folder / "nvidia-smi"
    script(smi, 'echo "GPU 0: Fake GPU"\n')
    for name in ("device-test", "kernel-test", "e2e-test"):
        script(folder / "build" / "bin" / name,
               '[ "$QUERN_TEST_REAL_GPU" = 1 ] || exit 1\n'
               'echo "[  PASSED  ] 7 tests."\n')
    script(folder / "build" / "bin" / "quern", 'echo "quern $1"\n')
    script(folder / "llama-bench", 'echo "llama $*"\n')
    arguments = ["--no-build", "--build", str(folder / "build"),
                 "--gguf", "m.gguf"]
    environment = {"QUERN_NVIDIA_SMI": str(smi),
                   "LLAMA_BENCH": str(folder / "llama-bench")}
    code, out, err = run(source, *arguments, **environment)
    expect(code == 0, out + err)
    report = (folder / "build" / "gpu-report.md").read_text()
    expect(report == out, "the report is what is printed")
    for part in ("Fake GPU", "| kernel-test | passed | [ PASSED ] 7 tests. |",
                 "weights: q4", "quern bench", "/m.gguf -p 512",
                 "all passed"):
        expect(part in out, f"{part} in {out}")

    script(folder / "build" / "bin" / "kernel-test", "echo broken; exit 1\n")
    code, out, err = run(source, *arguments, **environment)
    expect(code == 1, out)
    expect("| kernel-test | FAILED |" in out and "broken" in err, out + err)
    expect("something FAILED" in out, out)


def main():
    source = pathlib.Path(sys.argv[1])
    check_without_gpu(source)
    with tempfile.TemporaryDirectory() as folder:
        check_report(source, pathlib.Path(folder))


if __name__ == "__main__":
    main()
