#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: builds, runs the tests on the GPU, measures,
# and writes a report. Needs the driver; a CUDA toolkit (ptxas, nvdisasm) adds to
# it.
#   tools/gpu-check.sh [--build DIR] [--no-build] [--model CHECKPOINT]
#                      [--gguf FILE] [--report FILE]
# --model: a checkpoint to measure, instead of the small sample. --gguf: the same
# model for llama.cpp, whose llama-bench (on PATH or $LLAMA_BENCH) is measured
# beside it.
set -uo pipefail
start=$PWD
cd "$(dirname "$0")/.." || exit 1
build=build no_build="" model=test/data/samples/qwen3-sample gguf="" report=""
while [ $# -gt 0 ]; do
  case "$1" in
  --no-build) no_build=1; shift; continue ;;
  --build | --model | --gguf | --report)
    [ $# -ge 2 ] || { echo "gpu-check: $1 needs a value" >&2; exit 2; } ;;
  *) echo "gpu-check: unknown option '$1'" >&2; exit 2 ;;
  esac
  case "$1" in
  --build) build=$(cd "$start" && realpath -m "$2") ;;
  --model) model=$(cd "$start" && realpath -m "$2") ;;
  --gguf) gguf=$(cd "$start" && realpath -m "$2") ;;
  --report) report=$(cd "$start" && realpath -m "$2") ;;
  esac
  shift 2
done
report=${report:-$build/gpu-report.md}

smi=${QUERN_NVIDIA_SMI:-nvidia-smi}
if ! gpus=$("$smi" -L 2>&1) || [ -z "$gpus" ]; then
  {
    echo "gpu-check: this machine has no NVIDIA GPU that its driver can use:"
    echo "  $smi -L: ${gpus:-says nothing}"
    echo "Run it where there is one. Without a GPU tools/test.sh runs the CUDA code"
    echo "on the test driver (test/cuda/driver), which says nothing about speed."
  } >&2
  exit 1
fi

if [ -z "$no_build" ]; then
  tools/setup.sh && cmake -G Ninja -S . -B "$build" >/dev/null &&
    cmake --build "$build" || exit 1
fi
mkdir -p "$(dirname "$report")"
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
failed=0
: >"$report"
say() { printf '%s\n' "$*" | tee -a "$report"; }

# A test binary on the GPU: a row with its last line, the log if it failed.
check() {
  local name=$1 result=passed
  shift
  if ! "$@" >"$logs/$name" 2>&1; then
    result=FAILED
    failed=1
  fi
  say "| $name | $result | $(grep -E '^\[ +(PASSED|FAILED) +\]' "$logs/$name" |
    head -1 | tr -s ' ') |"
  [ "$result" = passed ] || tail -n 40 "$logs/$name" >&2
}

say "# Quern on $(echo "$gpus" | head -1)"
say ""
say "$("$smi" --query-gpu=driver_version,compute_cap,memory.total,clocks.max.memory \
  --format=csv 2>&1)"
say "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
say ""
say "| tests on the GPU | | |"
say "|---|---|---|"
export QUERN_TEST_REAL_GPU=1 QUERN_TEST_ALL=1
unset QUERN_CUDA_LIBRARY
check device-test "$build/bin/device-test" --gtest_filter='CUDA/*'
check kernel-test "$build/bin/kernel-test" --gtest_filter='*CUDAKernelTest*'
check e2e-test "$build/bin/e2e-test" --gtest_filter='CUDA/*:*OnCUDA*'
# The same again with the driver's own compiler.
QUERN_CUDA_PTX=1 check e2e-test-ptx "$build/bin/e2e-test" \
  --gtest_filter='CUDA/GoldenTest*:CUDA/HybridTest*'

say ""
say "## Speed of $(basename "$model")"
say '```'
for quantize in keep int8 q4; do
  bundle=$logs/$quantize.quern
  if "$build/bin/quern" compile "$model" --target cuda --quantize $quantize \
    --context 4096 -q -o "$bundle" >"$logs/compile" 2>&1; then
    say "weights: $quantize"
    say "$("$build/bin/quern" bench "$bundle" --api cuda --prefill 512 \
      --decode 128 --repeat 3 2>&1 || echo "bench FAILED")"
  else
    failed=1
    say "weights: $quantize: compile FAILED: $(tail -1 "$logs/compile")"
  fi
done
say '```'

llama=${LLAMA_BENCH:-$(command -v llama-bench || true)}
say ""
say "## llama.cpp, CUDA"
if [ -z "$llama" ]; then
  say "no llama-bench on PATH and LLAMA_BENCH is not set: not compared"
elif [ -z "$gguf" ]; then
  say "no model for it (--gguf FILE): not compared"
else
  say '```'
  say "$("$llama" -m "$gguf" -p 512 -n 128 -r 3 -ngl 99 2>&1 || echo "FAILED")"
  say '```'
fi
say ""
if [ $failed -eq 0 ]; then say "all passed"; else say "something FAILED"; fi
echo "report: $report" >&2
exit $failed
