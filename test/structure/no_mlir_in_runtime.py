#!/usr/bin/env python3
"""Checks that the runtime's library needs and defines nothing of LLVM or MLIR.

Usage: no_mlir_in_runtime.py LIBRARY
"""
import subprocess
import sys


def main():
    library = sys.argv[1]
    symbols = subprocess.run(["nm", "-DC", library], check=True,
                             capture_output=True, text=True).stdout
    needed = subprocess.run(["readelf", "-d", library], check=True,
                            capture_output=True, text=True).stdout
    bad = [line for line in symbols.splitlines()
           if "llvm::" in line or "mlir::" in line]
    bad += [line for line in needed.splitlines()
            if "NEEDED" in line and ("LLVM" in line or "MLIR" in line)]
    exported = [line.split()[-1] for line in symbols.splitlines()
                if " T " in line]
    bad += [f"exports {name}" for name in exported
            if not name.startswith("quern_")]
    print("\n".join(bad) or f"ok, {len(exported)} exported symbols")
    return 1 if bad or not exported else 0


if __name__ == "__main__":
    sys.exit(main())
