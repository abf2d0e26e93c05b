//===- QwenTypes.td - types of the qwen dialect ------------*- tablegen -*-===//
//
// The types of the dialect, and the tensors that its ops take.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_QWEN_IR_QWENTYPES_TD
#define QUERN_DIALECTS_QWEN_IR_QWENTYPES_TD

include "dialects/Qwen/IR/QwenDialect.td"
include "mlir/IR/AttrTypeBase.td"

def Qwen_EncodingParameter
    : TypeParameter<"::quern::Encoding", "an encoding of Encodings.inc"> {
  let parser = "parseEncoding($_parser)";
  let printer = "$_printer.printString(::quern::getEncodingInfo($_self).name)";
}

def Qwen_EncodedType : TypeDef<Qwen_Dialect, "Encoded"> {
  let mnemonic = "encoded";
  let summary = "the element type of a quantised weight";
  let description = [{
    A tensor of this element type holds groups of 32 elements along its last
    dimension, which is a multiple of 32: codes of a few bits, a scale and in
    some encodings a minimum. runtime/base/Encodings.inc lists the encodings,
    Encoding.h says what a group means and how groups lie in memory. Only
    weights are of this type.

    Example: `tensor<128x64x!qwen.encoded<"int8">>`.
  }];
  let parameters = (ins Qwen_EncodingParameter:$encoding);
  let assemblyFormat = "`<` $encoding `>`";
}

def Qwen_Int8RowsType : TypeDef<Qwen_Dialect, "Int8Rows"> {
  let mnemonic = "int8_rows";
  let summary = "the element type of a cache of int8 codes";
  let description = [{
    Each row (the last dimension, a multiple of 16) of a tensor of this element
    type holds int8 codes and one f32 scale: value = scale * code.
    runtime/base/Int8Rows.h says how rows are rounded and how they lie in
    memory. Only key and value caches are of this type: their rows are the
    elements of a head at one position.

    Example: `tensor<64x2x16x32x!qwen.int8_rows>`.
  }];
}

defvar Qwen_ComputeTypes = [F32, F16, BF16];

def Qwen_StaticFeaturesPred : CPred<
    "::quern::qwen::detail::hasStaticFeatures($_self)">;

// A tensor with one row per token (dimension 0, static or dynamic) and static
// feature dimensions after it.
class Qwen_TokenTensor<list<Type> elements, int rank, string features>
    : Type<And<[TensorRankOf<elements, [rank]>.predicate,
                Qwen_StaticFeaturesPred]>,
           rank # "D tensor of " #
               !interleave(!foreach(t, elements, t.summary), " or ") #
               " values, tokens x " # features # " with static " # features,
           "::mlir::RankedTensorType">;

def Qwen_Activation : Qwen_TokenTensor<Qwen_ComputeTypes, 2, "features">;
// What qwen.quantize_activations gives.
def Qwen_ActivationCodes : Qwen_TokenTensor<[I32], 2, "words of four codes">;
def Qwen_ActivationFactors : Qwen_TokenTensor<[F32], 3, "groups x 2">;
def Qwen_Residual : Qwen_TokenTensor<[F32], 2, "features">;
def Qwen_Heads : Qwen_TokenTensor<Qwen_ComputeTypes, 3, "heads x head_dim">;
def Qwen_HeadsF32 : Qwen_TokenTensor<[F32], 3, "heads x head_dim">;
def Qwen_HeadScalars : Qwen_TokenTensor<[F32], 2, "heads">;
def Qwen_RopeTable : Qwen_TokenTensor<[F32], 2, "rotary_dim">;
def Qwen_Logits : Qwen_TokenTensor<[F32], 2, "vocabulary">;
def Qwen_Sampling : Qwen_TokenTensor<[F32], 2, "sampling parameters">;
def Qwen_Seen : Qwen_TokenTensor<[I32], 2, "words">;

// One integer per token.
def Qwen_TokenIntegers : TensorRankOf<[I32], [1]>;

def Qwen_PageTable
    : Type<And<[TensorRankOf<[I32], [2]>.predicate,
                CPred<"::llvm::cast<::mlir::ShapedType>($_self)"
                      ".hasStaticShape()">]>,
           "static 2D tensor of 32-bit signless integer values, slots x pages "
           "per slot",
           "::mlir::RankedTensorType">;

// One row per sequence of a step: where its tokens and its states are.
def Qwen_Sequences
    : Type<And<[TensorRankOf<[I32], [2]>.predicate,
                CPred<"::llvm::cast<::mlir::ShapedType>($_self)"
                      ".getDimSize(1) == 8">]>,
           "2D tensor of 32-bit signless integer values, sequences x 8",
           "::mlir::RankedTensorType">;

def Qwen_StaticTensor
    : Type<And<[RankedTensorOf<Qwen_ComputeTypes>.predicate,
                CPred<"::llvm::cast<::mlir::ShapedType>($_self)"
                      ".hasStaticShape()">]>,
           "static ranked tensor of 32-bit float or 16-bit float or bfloat16 "
           "values",
           "::mlir::RankedTensorType">;

def Qwen_StateTensor
    : Type<And<[RankedTensorOf<!listconcat(Qwen_ComputeTypes,
                                           [Qwen_Int8RowsType])>.predicate,
                CPred<"::llvm::cast<::mlir::ShapedType>($_self)"
                      ".hasStaticShape()">]>,
           "static ranked tensor of 32-bit float or 16-bit float or bfloat16 "
           "values or int8 rows",
           "::mlir::RankedTensorType">;

#endif
