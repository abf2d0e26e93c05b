#!/usr/bin/env bash
# Installs what Quern needs to build and test on Debian 12 or newer and on
# Ubuntu releases that package LLVM 22. Installs only what is missing; needs
# root (or sudo) only then.
#   tools/setup.sh            compiler, runtime and test packages
#   tools/setup.sh --runtime  runtime and its tests only (no LLVM, no MLIR)
set -euo pipefail

runtime_packages=(
  build-essential cmake ninja-build ccache pkg-config python3
  libflatbuffers-dev flatbuffers-compiler libsimdjson-dev libutf8proc-dev
  libcli11-dev libxxhash-dev libvulkan-dev mesa-vulkan-drivers
  vulkan-validationlayers spirv-tools libgtest-dev libgmock-dev
)
compiler_packages=(libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools)
tidy_packages=(clang-format-22 clang-tidy-22)

packages=("${runtime_packages[@]}")
[ "${1:-}" = --runtime ] || packages+=("${compiler_packages[@]}")
[ "${1:-}" != --tidy ] || packages+=("${tidy_packages[@]}")

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: error: run as root, or install: ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q >/dev/null
"${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" \
  >/dev/null
