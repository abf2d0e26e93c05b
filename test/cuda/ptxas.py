#!/usr/bin/env python3
"""Assembles the PTX that the driver's tests load.

Usage: ptxas.py TEST_BINARY

The test driver must not take what NVIDIA's assembler refuses. Exit code 77
(skipped) where there is no ptxas.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def find_ptxas():
    return shutil.which("ptxas") or shutil.which(
        "/usr/local/cuda/bin/ptxas")


def main():
    ptxas = find_ptxas()
    if not ptxas:
        print("ptxas is not installed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "--gtest_brief=1"], check=True,
                       stdout=subprocess.DEVNULL,
                       env={**os.environ, "QUERN_TEST_PTX_DIR": folder})
        bad, files = [], sorted(pathlib.Path(folder).glob("*.ptx"))
        for path in files:
            target = re.search(r"\.target (\w+)", path.read_text()).group(1)
            done = subprocess.run([ptxas, f"-arch={target}", "-O0", "-o",
                                   "/dev/null", path],
                                  capture_output=True, text=True)
            if done.returncode or "warning" in done.stderr:
                bad.append(f"{path.name}: {done.stderr.strip()}")
                if "--keep" in sys.argv:
                    shutil.copy(path, "/tmp")
    print("\n".join(bad) or f"{len(files)} modules")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
