#!/usr/bin/env bash
# Runs clang-tidy with the project's .clang-tidy over all that a build folder
# compiles, or over the folders or files given. Prints each finding once, then
# their number; fails if there are any or if a file could not be checked. Needs
# a build, for its flags and generated headers. -q leaves the static analyzer
# out, which takes most of the time.
#   tools/tidy.sh [-q] [-p BUILD_DIR] [-j JOBS] [PATH...]
set -euo pipefail
tools=$(dirname "$0")

command -v clang-tidy-22 >/dev/null || "$tools/setup.sh" --tidy
exec python3 "$tools/clang_tidy.py" "$@"
