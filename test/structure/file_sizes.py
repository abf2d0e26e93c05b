#!/usr/bin/env python3
"""Checks that no source file is longer than one sitting."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Lines at which a file has to be split: three times the aim of the style guide.
SPLIT = {"pass": 750, "runtime": 900, "header": 360, "test": 1200,
         "other": 1200}


def limit_for(relative):
    if relative.startswith("test/"):
        return SPLIT["test"]
    if relative.endswith(".h"):
        return SPLIT["header"]
    if relative.startswith("passes/"):
        return SPLIT["pass"]
    if relative.startswith("runtime/"):
        return SPLIT["runtime"]
    return SPLIT["other"]


def check_sizes():
    errors = []
    for top in ("runtime", "dialects", "passes", "frontend", "codegen",
                "tools", "test"):
        for pattern in ("*.h", "*.cpp", "*.td", "*.py"):
            for path in (ROOT / top).rglob(pattern):
                relative = path.relative_to(ROOT).as_posix()
                lines = len(path.read_text().splitlines())
                if lines > limit_for(relative):
                    errors.append(f"{relative}: {lines} lines, split at "
                                  f"{limit_for(relative)}")
    return errors


def main():
    errors = check_sizes()
    print("\n".join(errors) or "ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
