#!/usr/bin/env bash
# From a fresh clone to an answer: installs what is missing, builds, compiles a
# checkpoint into a bundle, runs it on the best device (a GPU, or the CPU where
# there is none) and answers a question.
#   tools/quickstart.sh [CHECKPOINT_DIR] [QUESTION]
set -euo pipefail
start=$PWD
cd "$(dirname "$0")/.."
checkpoint=test/data/samples/qwen3-sample
question=${2:-"37+85="}
if [ $# -ge 1 ]; then
  checkpoint=$(cd "$start" && realpath "$1")
  [ $# -ge 2 ] || question="Give me a short introduction to large language models."
fi
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1

tools/setup.sh
cmake -G Ninja -S . -B build >/dev/null
cmake --build build --target quern
bundle=build/$(basename "$checkpoint").quern
build/bin/quern compile "$checkpoint" -o "$bundle"
build/bin/quern run "$bundle" -p "$question"
