// RUN: not quern-opt %s --kernel-select-byte-dot=instructions=mmx 2>&1 | FileCheck %s

// CHECK: error: unknown instructions for products of bytes: 'mmx'
func.func @f() {
  return
}
