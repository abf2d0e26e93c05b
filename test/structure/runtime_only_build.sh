#!/usr/bin/env bash
# Builds the runtime without the compiler, checks that nothing of LLVM or MLIR
# is needed, and runs the engine's tests of that build.
#   runtime_only_build.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source=$1
build=$2
# A configuration that looks for LLVM or MLIR fails here.
cmake -G Ninja -S "$source" -B "$build" -DQUERN_BUILD_COMPILER=OFF \
  -DCMAKE_DISABLE_FIND_PACKAGE_MLIR=ON -DCMAKE_DISABLE_FIND_PACKAGE_LLVM=ON
cmake --build "$build" --target quern quern-shared quern-engine-test
if ldd "$build/bin/quern" | grep -E 'LLVM|MLIR'; then
  echo "quern needs LLVM or MLIR"
  exit 1
fi
"$build/bin/quern" --version
GTEST_OUTPUT= "$build/bin/quern-engine-test" --gtest_brief=1
