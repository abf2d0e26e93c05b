#!/usr/bin/env python3
"""Checks that every C++ file is formatted as .clang-format says.

Exit code 77 (skipped) if clang-format 22 is not installed.
"""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    tool = shutil.which("clang-format-22")
    if not tool:
        print("clang-format-22 is not installed (tools/setup.sh --tidy)")
        return 77
    files = []
    for top in ("runtime", "dialects", "passes", "frontend", "codegen",
                "tools", "test"):
        for pattern in ("*.h", "*.cpp"):
            files += sorted(str(p) for p in (ROOT / top).rglob(pattern))
    result = subprocess.run([tool, "--dry-run", "-Werror", *files],
                            capture_output=True, text=True)
    bad = sorted({line.split(":")[0] for line in result.stderr.splitlines()
                  if "clang-format-violations" in line})
    print("\n".join(bad) or f"{len(files)} files")
    return 1 if bad or result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
