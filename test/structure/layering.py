#!/usr/bin/env python3
"""Reads every #include of ours against the table of who may include whom.

The table is the one of docs/architecture.md: dependencies point one way, and
nothing of the compiler is seen by the runtime.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What every device shares: its interface, the checks of descriptions, handles.
DEVICE = [
    "runtime/base",
    "runtime/device/Device.h",
    "runtime/device/DeviceChecks.h",
    "runtime/device/HandleTable.h",
]

# Folder -> the folders of ours that it may include, besides itself. The longest
# matching folder decides. None: anything.
ALLOWED = {
    "runtime/base": [],
    "runtime/bundle": ["runtime/base"],
    "runtime/tokenizer": ["runtime/base"],
    "runtime/reference": ["runtime/base"],
    "runtime/device": ["runtime/base"],
    "runtime/device/null": DEVICE,
    "runtime/device/vulkan": DEVICE,
    "runtime/device/cuda": DEVICE,
    "runtime/engine": [
        "runtime/base",
        "runtime/bundle",
        "runtime/tokenizer",
        "runtime/device/Device.h",
        "runtime/device/DeviceRegistry.h",
    ],
    "runtime/api": ["runtime"],
    "runtime/include": [],
    "dialects": ["runtime/base/Encoding.h", "runtime/base/Int8Rows.h"],
    "dialects/Exec": ["dialects/Qwen", "runtime/base/Encoding.h",
                      "runtime/base/Int8Rows.h"],
    "passes": ["dialects", "runtime/base/Encoding.h",
               "runtime/base/Int8Rows.h"],
    "frontend": ["dialects", "runtime/base", "runtime/tokenizer"],
    "frontend/HuggingFace": ["runtime/base", "runtime/tokenizer"],
    "codegen": ["dialects", "passes", "runtime/base", "runtime/bundle"],
    "tools": None,
    "test": None,
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
OURS = ("runtime/", "dialects/", "passes/", "frontend/", "codegen/", "tools/",
        "test/")


def rule_for(folder):
    while folder and folder not in ALLOWED:
        folder = folder.rpartition("/")[0]
    return folder


def check(path):
    errors = []
    relative = path.relative_to(ROOT).as_posix()
    folder = rule_for(relative.rpartition("/")[0])
    allowed = ALLOWED.get(folder)
    if not folder:
        return [f"{relative}: its folder has no row in the table"]
    if allowed is None:
        return []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            target = match.group(1)
        elif re.match(r'^\s*#\s*include\s+<(mlir|llvm)/', line):
            target = "mlir/"
        else:
            continue
        if target.startswith(("mlir/", "llvm/")):
            if folder.startswith("runtime"):
                errors.append(f"{relative}:{number}: the runtime includes MLIR "
                              f"or LLVM")
            continue
        if not target.startswith(OURS):
            continue
        inside = any(target == a or target.startswith(a.rstrip("/") + "/")
                     for a in [folder, *allowed])
        if not inside:
            errors.append(f"{relative}:{number}: {folder} may not include "
                          f"{target}")
    return errors


def main():
    errors, files = [], 0
    for top in ("runtime", "dialects", "passes", "frontend", "codegen",
                "tools", "test"):
        for pattern in ("*.h", "*.cpp", "*.td", "*.inc"):
            for path in sorted((ROOT / top).rglob(pattern)):
                files += 1
                errors += check(path)
    print("\n".join(errors))
    if not files:
        print("found no source files")
        return 1
    print(f"{files} files, {len(errors)} violations")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
