"""Configuration of the tests that lit runs: every *.mlir file under test/.

A test says what it runs in RUN lines. quern-opt, quern, FileCheck and not are
on PATH; %t is a temporary file of the test.
"""

import os

import lit.formats

config.name = "Quern"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["data", "Inputs"]
config.test_source_root = os.path.join(config.quern_source_dir, "test")
config.test_exec_root = os.path.join(config.quern_build_dir, "test")
config.environment["PATH"] = os.path.pathsep.join(
    [
        config.quern_tools_dir,
        config.llvm_tools_dir,
        config.environment.get("PATH", ""),
    ]
)
config.substitutions.append(("%test_data", os.path.join(config.test_source_root, "data")))
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
