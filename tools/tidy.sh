#!/usr/bin/env bash
# Runs clang-tidy with the project's .clang-tidy over the C++ sources, or over
# those under the folders or files given. Prints every finding once, then their
# number; fails if there are any. Needs a configured build folder.
#   tools/tidy.sh [-p BUILD_DIR] [-j JOBS] [PATH...]
set -euo pipefail
cd "$(dirname "$0")/.."
build=build
jobs=$(nproc)
while getopts p:j: option; do
  case $option in
  p) build=$OPTARG ;;
  j) jobs=$OPTARG ;;
  *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))

command -v clang-tidy-22 >/dev/null || tools/setup.sh --tidy
[ -f "$build/compile_commands.json" ] || {
  echo "tidy: error: $build has no compile_commands.json; run cmake first" >&2
  exit 2
}
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT
git ls-files -z -- "${@:-.}" |
  grep -z '\.cpp$' |
  xargs -0 -r -n 1 -P "$jobs" clang-tidy-22 -p "$build" --quiet 2>/dev/null |
  grep -E '(warning|error): ' | sort -u >"$findings" || true
cat "$findings"
count=$(wc -l <"$findings")
echo "tidy: $count findings"
[ "$count" = 0 ]
