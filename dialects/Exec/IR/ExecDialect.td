//===- ExecDialect.td - The exec dialect ----------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_EXEC_EXECDIALECT_TD
#define QUERN_DIALECTS_EXEC_EXECDIALECT_TD

include "mlir/IR/DialectBase.td"

def Exec_Dialect : Dialect {
  let name = "exec";
  let cppNamespace = "::quern::exec";
  let summary = "The device program: buffers, dispatches and barriers";
  let description = [{
    What a device executes, one to one: a program is a list of dispatches over
    buffers, with barriers between the dispatches that depend on each other. A
    backend records it as a command buffer, a graph or a task list without
    further analysis.

    Module level: `exec.weight` (packed weights), `exec.constant`,
    `exec.kernel` (a kernel request, answered by codegen with `#exec.launch`),
    `exec.program` and, after memory planning, one `exec.memory_plan`.

    Buffers live in one of five spaces: the step block (`exec.step`: inputs and
    outputs that the host sees), the arena (`exec.alloc`), the states
    (`exec.state_ref`), the weights (`exec.weight_ref`) and the constants
    (`exec.constant_ref`). All shapes are static. Every buffer is dense,
    row-major, and padded to a multiple of 256 bytes.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

#endif // QUERN_DIALECTS_EXEC_EXECDIALECT_TD
