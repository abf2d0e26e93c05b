//===- QwenInterfaces.td - op interfaces of the qwen dialect -*- tablegen -*-=//
#ifndef QUERN_DIALECTS_QWEN_IR_QWENINTERFACES_TD
#define QUERN_DIALECTS_QWEN_IR_QWENINTERFACES_TD

include "mlir/IR/OpBase.td"

def Qwen_TokenDimOpInterface : OpInterface<"TokenDimOpInterface"> {
  let cppNamespace = "::quern::qwen";
  let description = [{
    An op whose results have one row per row of certain operands. Shape passes
    use it to give every result its static first dimension once the arguments
    of a function have theirs. Verified: dimension 0 of all token operands and
    of all results is the same.
  }];
  let methods = [
    InterfaceMethod<[{
        The operands that have one row per row of the results; never empty.
        Default: all operands.
      }],
      "::mlir::OperandRange", "getTokenOperands", (ins), [{}],
      [{ return $_op->getOperands(); }]>,
    InterfaceMethod<
      "The operand whose dimension 0 is dimension 0 of each result.",
      "::mlir::Value", "getTokenDimOperand", (ins), [{}],
      [{ return $_op.getTokenOperands().front(); }]>
  ];
  let verify = [{ return ::quern::qwen::detail::verifyTokenDims($_op); }];
}

#endif
