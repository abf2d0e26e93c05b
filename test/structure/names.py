#!/usr/bin/env python3
"""Checks that a pass's class, file, flag and test can be derived from each
other, and that no source file is longer than one sitting."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Lines at which a file has to be split: three times the aim of the style guide.
SPLIT = {"pass": 750, "runtime": 900, "header": 360, "test": 1200,
         "other": 1200}


def kebab(name):
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name)
    return name.lower()


def check_passes():
    errors = []
    definition = re.compile(r'^def (\w+) ?: ?Pass<"([^"]+)"', re.M)
    tables = [*ROOT.glob("passes/**/Passes.td"),
              *ROOT.glob("codegen/**/Passes.td")]
    found = 0
    for table in tables:
        for name, flag in definition.findall(table.read_text()):
            found += 1
            stem = name.removesuffix("Pass")
            if flag.partition("-")[2] != kebab(stem):
                errors.append(f"{table.relative_to(ROOT)}: pass {name} has the "
                              f"flag {flag}, expected <dialect>-{kebab(stem)}")
            sources = list(table.parent.rglob(f"{stem}.cpp"))
            if len(sources) != 1:
                errors.append(f"pass {name}: expected one file {stem}.cpp "
                              f"below {table.parent.relative_to(ROOT)}")
                continue
            folder = sources[0].parent.relative_to(ROOT)
            test = ROOT / "test" / folder / f"{kebab(stem)}.mlir"
            if not test.exists():
                errors.append(f"pass {name}: no test "
                              f"{test.relative_to(ROOT)}")
    if not found:
        errors.append("found no pass definitions")
    return errors


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
    errors = check_passes() + check_sizes()
    print("\n".join(errors) or "ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
