//===- IntegerOps.td - products of int8 activations --------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_INTEGEROPS_TD
#define QUERN_DIALECTS_QWEN_IR_INTEGEROPS_TD

include "dialects/Qwen/IR/StructureOps.td"

def Qwen_QuantizeActivationsOp : Qwen_Op<"quantize_activations",
    [Pure, DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "int8 codes of the inputs of a product";
  let description = [{
    For each group of 32 features of a token: scale = max|x| / 127 and codes
    q = x * (127 / max|x|) rounded to even, from -127 to 127; all are 0 if all x
    are. `codes` has words of four codes, ordered for weights whose codes have
    `weight_bits` bits (getActivationElement in runtime/base/Encoding.h).
    factors[t, g] is (scale, sum of the group's codes).

    Example:
    ```mlir
    %codes, %factors = qwen.quantize_activations %x weight_bits 4 : tensor<?x64xf32> -> tensor<?x16xi32>, tensor<?x2x2xf32>
    ```
  }];
  let arguments = (ins Qwen_Activation:$x,
                       ConfinedAttr<I64Attr, [IntPositive]>:$weight_bits);
  let results = (outs Qwen_ActivationCodes:$codes,
                      Qwen_ActivationFactors:$factors);
  let assemblyFormat = "$x `weight_bits` $weight_bits attr-dict `:` type($x) "
                       "`->` type($codes) `,` type($factors)";
  let hasVerifier = 1;
}

def Qwen_IntegerLinearOp : Qwen_Op<"integer_linear",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<Qwen_TokenDimOpInterface>]> {
  let summary = "qwen.linear of int8 activations and quantised weights";
  let description = [{
    As qwen.linear, or with `swiglu` as qwen.linear_swiglu of a gate and an up
    weight, of the numbers scale * q that `codes` and `factors`
    (qwen.quantize_activations) stand for. All weights are stored in the same
    encoding. Its kernels sum products of codes as integers.

    Example:
    ```mlir
    %y = qwen.integer_linear %codes, %factors, [@q_proj.weight, @k_proj.weight] : tensor<?x16xi32>, tensor<?x2x2xf32> -> tensor<?x192xf32>
    ```
  }];
  let arguments = (ins Qwen_ActivationCodes:$codes,
                       Qwen_ActivationFactors:$factors,
                       FlatSymbolRefArrayAttr:$weights,
                       OptionalAttr<TypedArrayAttrBase<DenseI64ArrayAttr,
                           "array of lists of rows">>:$parts,
                       UnitAttr:$swiglu);
  let results = (outs Qwen_Activation:$result);
  let assemblyFormat = "$codes `,` $factors `,` $weights (`parts` $parts^)? "
                       "(`swiglu` $swiglu^)? attr-dict `:` type($codes) `,` "
                       "type($factors) `->` type($result)";
  let hasVerifier = 1;
}

#endif
