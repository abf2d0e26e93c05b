#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. The last
# line counts them: "N passed, N failed, N skipped".
#   tools/test.sh [BUILD_DIR]      default: build/
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1

tools/setup.sh
cmake -G Ninja -S . -B "$build" >"$build.configure.log" 2>&1 || {
  cat "$build.configure.log"
  exit 1
}
rm -f "$build.configure.log"
cmake --build "$build"

results=$build/test-results
rm -rf "$results"
mkdir -p "$results"
status=0
GTEST_OUTPUT="xml:$PWD/$results/" \
LIT_OPTS="--xunit-xml-output=$PWD/$results/lit.xml" ctest --test-dir "$build" \
  --output-on-failure --timeout 1800 || status=$?
python3 tools/count_tests.py "$results" "$build" || status=$?
exit "$status"
