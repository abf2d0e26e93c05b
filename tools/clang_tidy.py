#!/usr/bin/env python3
"""Runs clang-tidy over what a build folder compiles; tools/tidy.sh starts it.

Usage: clang_tidy.py [-q] [-p BUILD_DIR] [-j JOBS] [PATH...]

The units come from compile_commands.json, each once: a unity batch is checked
as the one translation unit that it is, since its files have no flags of their
own there. With PATHs, only units that compile a file under one of them are
checked, and only findings under them are shown. Prints each finding once, then
their number; fails if there are any or if a unit could not be checked. -q leaves the
static analyzer out, which takes most of the time.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOOL = "clang-tidy-22"
FINDING = re.compile(r"^(/[^:]+):(\d+:\d+: (?:warning|error): .*)$")
INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)


def is_under(path, folders):
    return any(path == folder or folder in path.parents for folder in folders)


def is_batch(path):
    return path.parent.name == "Unity"


def compiled_files(path):
    """The sources of the project that the unit `path` compiles."""
    if not is_batch(path):
        return [path]
    return [pathlib.Path(name) for name in INCLUDE.findall(path.read_text())]


def read_units(build):
    """Returns {path: entry}: the first entry of each unit of the project."""
    units = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"])
        if is_under(path, [ROOT]) or is_batch(path):
            units.setdefault(path, entry)
    return {path: entry for path, entry in units.items()
            if is_batch(path) or not is_under(path, [build])}


def check_unit(path, database, checks_off):
    """Returns (findings as (path, text), reason of a failure or None)."""
    if is_batch(path):
        checks_off = [*checks_off, "bugprone-suspicious-include"]
    command = [TOOL, "-p", database, "--quiet",
               "--checks=" + ",".join(f"-{check}" for check in checks_off)]
    if not is_under(path, [ROOT]):
        # A batch in a build folder elsewhere has no .clang-tidy above it.
        command.append(f"--config-file={ROOT / '.clang-tidy'}")
    run = subprocess.run([*command, path], capture_output=True, text=True)
    findings = []
    for line in run.stdout.splitlines():
        if match := FINDING.match(line):
            findings.append((pathlib.Path(os.path.normpath(match[1])),
                             match[2]))
    if run.returncode == 0:
        return findings, None
    lines = [line for line in (run.stdout + run.stderr).splitlines()
             if "error: " in line] or run.stderr.splitlines()[-20:]
    return findings, "\n".join([f"exit status {run.returncode}", *lines])


def short(path):
    return path.relative_to(ROOT) if is_under(path, [ROOT]) else path


def report_unchecked(units, folders):
    """Names the sources that no unit compiles, on stderr."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "*.cpp"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    compiled = {file for unit in units for file in compiled_files(unit)}
    for path in (ROOT / name for name in names):
        if path not in compiled and is_under(path, folders):
            print(f"tidy: not checked, since this build does not compile it: "
                  f"{short(path)}", file=sys.stderr)


def check_units(units, selected, folders, jobs, checks_off):
    """Prints the findings under `folders`. Returns (findings, failures)."""
    seen = set()
    failures = 0
    with tempfile.TemporaryDirectory() as database, \
            concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        # One entry a unit: clang-tidy would run each of several in turn.
        (pathlib.Path(database) / "compile_commands.json").write_text(
            json.dumps([units[path] for path in selected]))
        results = pool.map(
            lambda path: check_unit(path, database, checks_off), selected)
        for number, (path, result) in enumerate(zip(selected, results), 1):
            findings, failure = result
            for file, text in findings:
                line = f"{short(file)}:{text}"
                if line not in seen and is_under(file, folders):
                    seen.add(line)
                    print(line, flush=True)
            if failure:
                failures += 1
                print(f"tidy: error: {short(path)}: {failure}", flush=True)
            print(f"tidy: {number} of {len(selected)}: {short(path)}",
                  file=sys.stderr, flush=True)
    return len(seen), failures


def main():
    parser = argparse.ArgumentParser(prog="tidy.sh")
    parser.add_argument("-p", dest="build", default=ROOT / "build")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count())
    parser.add_argument("-q", dest="quick", action="store_true")
    parser.add_argument("paths", nargs="*", default=[ROOT])
    options = parser.parse_args()
    build = pathlib.Path(options.build).resolve()
    folders = [pathlib.Path(path).resolve() for path in options.paths]
    if not (build / "compile_commands.json").exists():
        print(f"tidy: error: {build} has no compile_commands.json; run cmake "
              "first", file=sys.stderr)
        return 2
    units = read_units(build)
    selected = [path for path in units
                if any(is_under(file, folders) for file in compiled_files(path))]
    report_unchecked(units, folders)
    if not selected:
        print("tidy: error: nothing to check under "
              f"{' '.join(map(str, options.paths))}", file=sys.stderr)
        return 2
    checks_off = ["clang-analyzer-*"] if options.quick else []
    findings, failures = check_units(units, selected, folders, options.jobs,
                                     checks_off)
    print(f"tidy: {findings} findings, {failures} units that failed, "
          f"{len(selected)} checked")
    return 1 if findings or failures else 0


if __name__ == "__main__":
    sys.exit(main())
