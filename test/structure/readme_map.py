#!/usr/bin/env python3
"""Compares the folder map of README.md with the tree, both ways."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    text = (ROOT / "README.md").read_text()
    match = re.search(r"<!-- folder map -->\n```\n(.*?)```", text, re.S)
    if not match:
        print("README.md: no block between '<!-- folder map -->' and ```")
        return 1
    named = set(re.findall(r"^(\S+)/\s", match.group(1), re.M))
    files = subprocess.run(["git", "-C", ROOT, "ls-files"],
                           capture_output=True, text=True)
    if files.returncode == 0 and files.stdout:
        actual = {f.split("/")[0] for f in files.stdout.splitlines()
                  if "/" in f and not f.startswith(".")}
    else:  # an unpacked archive
        actual = {p.name for p in ROOT.iterdir()
                  if p.is_dir() and not p.name.startswith((".", "build"))}
    for folder in sorted(named - actual):
        print(f"README.md names {folder}/, which is not in the tree")
    for folder in sorted(actual - named):
        print(f"README.md does not name {folder}/")
    # Files that the README mentions have to exist.
    missing = [p for p in re.findall(r"\]\(([\w./-]+)\)", text)
               if not (ROOT / p).exists()]
    for path in missing:
        print(f"README.md links to {path}, which is not there")
    return 1 if named != actual or missing else 0


if __name__ == "__main__":
    sys.exit(main())
