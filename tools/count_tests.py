#!/usr/bin/env python3
"""Adds up the test cases of a run and prints one closing line.

Usage: count_tests.py RESULTS_DIR BUILD_DIR

RESULTS_DIR holds GoogleTest's and lit's XML files; tests that ctest ran and
that left no such file count as one case each.
"""
import pathlib
import sys
import xml.etree.ElementTree as ET


def count_xml(path):
    """Returns (passed, failed, skipped) of one xUnit file."""
    passed = failed = skipped = 0
    for case in ET.parse(path).getroot().iter("testcase"):
        if case.get("status") == "notrun":
            continue
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_ctest(build, counted):
    """Counts the ctest entries that have no XML file of their own."""
    log = build / "Testing/Temporary/LastTest.log"
    failed_log = build / "Testing/Temporary/LastTestsFailed.log"
    failed_names = set()
    if failed_log.exists():
        for line in failed_log.read_text().splitlines():
            failed_names.add(line.split(":", 1)[1])
    passed = failed = 0
    names = []
    for line in log.read_text(errors="replace").splitlines():
        if line.endswith(" Testing:") or " Testing: " in line:
            names.append(line.split(" Testing: ", 1)[-1].strip())
    for name in names:
        if name in failed_names:
            # A crash leaves no XML file; count it even when one is there.
            failed += 1
        elif name not in counted:
            passed += 1
    return passed, failed


def main():
    results, build = map(pathlib.Path, sys.argv[1:3])
    totals = [0, 0, 0]
    counted = set()
    xml_failures = 0
    for path in sorted(results.glob("*.xml")):
        counts = count_xml(path)
        counted.add(path.stem)
        xml_failures += counts[1]
        totals = [a + b for a, b in zip(totals, counts)]
    passed, failed = count_ctest(build, counted)
    totals[0] += passed
    totals[1] = max(totals[1], totals[1] - xml_failures + failed, failed)
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main())
