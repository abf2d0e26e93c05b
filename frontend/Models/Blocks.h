//===- Blocks.h - blocks that the families share ----------------*- C++ -*-===//
//
// `layer` is the place of a decoder layer in the model, "layers.3"; its tensors
// are named prefix + layer + ".…", where prefix is that of the family
// ("model.", "model.language_model."). Residual values are f32 [T, H].
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_MODELS_BLOCKS_H
#define QUERN_FRONTEND_MODELS_BLOCKS_H

#include "frontend/Models/ModelBuilder.h"

namespace quern {

/// What the families do differently in the shared blocks.
struct BlockStyle {
  /// Prefix of the language model's tensor names.
  llvm::StringRef prefix = "model.";
  /// Whether norms multiply by 1 + weight.
  bool unitOffsetNorms = false;
  /// In front of the labels of embedding, output matrix and sampling.
  llvm::StringRef labels = "";
};

class Blocks {
public:
  Blocks(ModelBuilder &model, BlockStyle style);

  /// Token embedding; the residual stream's start.
  mlir::Value embedding();
  /// Norm over the last dimension with the tensor prefix + place + ".weight".
  mlir::Value norm(mlir::Value x, const llvm::Twine &place,
                   const llvm::Twine &label);
  /// A decoder layer: token mixer, then MLP, each on the normed residual stream
  /// and added to it.
  mlir::Value decoderLayer(mlir::Value residual, llvm::StringRef layer,
                           LayerType type, bool isMixtureOfExperts);
  /// Full attention on normed activations, before the residual add:
  /// q, k, v, per-head norms of q and k, rotation, cache, attention, with
  /// attn_output_gate its gate, o_proj.
  mlir::Value selfAttention(mlir::Value normed, llvm::StringRef layer);
  /// Gated delta net on normed activations, before the residual add; the sizes
  /// are those of config.linearAttention, which must be there.
  mlir::Value linearAttention(mlir::Value normed, llvm::StringRef layer);
  /// Dense SwiGLU MLP on normed activations, before the residual add.
  mlir::Value mlp(mlir::Value normed, llvm::StringRef layer);
  /// residual + a mixture of experts on normed activations, with the shared
  /// expert if the config has one. The sizes are those of config.moe, which
  /// must be there.
  mlir::Value addMixtureOfExperts(mlir::Value residual, mlir::Value normed,
                                  llvm::StringRef layer);
  /// The second half of a decoder layer: residual + MLP of the normed residual,
  /// dense or a mixture of experts.
  mlir::Value feedForward(mlir::Value residual, llvm::StringRef layer,
                          bool isMixtureOfExperts);
  mlir::Value residualAdd(mlir::Value residual, mlir::Value delta,
                          const llvm::Twine &label);
  /// Rows of the residual stream whose logits are wanted.
  mlir::Value selectRows(mlir::Value residual);
  /// Logits of normed rows, and the tokens sampled from them.
  std::pair<mlir::Value, mlir::Value> predict(mlir::Value normed);
  /// Chosen rows, final norm, logits, sampled tokens; ends @forward.
  void head(mlir::Value residual);

private:
  /// Queries of gated attention as features and their gate, from one matrix.
  std::pair<mlir::Value, mlir::Value> gatedQueries(mlir::Value normed,
                                                   llvm::StringRef place);
  /// What a delta net takes from its input.
  struct DeltaProjections {
    /// Rows that begin with what is convolved: queries, keys, values.
    mlir::Value qkv;
    /// Rows with the gate of the output from zOffset on.
    mlir::Value z;
    int64_t zOffset;
    /// [T, 2 Hv] f32.
    mlir::Value ba;
  };
  DeltaProjections deltaProjections(mlir::Value normed, llvm::StringRef place);
  /// Convolution and SiLU of the projections' first features.
  mlir::Value convolve(mlir::Value qkv, llvm::StringRef place);
  /// Convolution, norms, gates and recurrence; heads of values.
  mlir::Value deltaRule(const DeltaProjections &in, llvm::StringRef place);
  /// A projection to heads: prefix + layer + ".self_attn." + name + "_proj".
  mlir::Value heads(mlir::Value normed, llvm::StringRef layer,
                    llvm::StringRef name, int64_t count);
  mlir::Value splitHeads(mlir::Value features, int64_t count,
                         const llvm::Twine &label);
  /// Norm and rotation of queries or keys.
  mlir::Value normAndRotate(mlir::Value heads, llvm::StringRef layer,
                            llvm::StringRef name);
  /// gate, up, SwiGLU and down of prefix + place, "layers.3.mlp".
  mlir::Value swigluMlp(mlir::Value normed, llvm::StringRef place,
                        int64_t intermediateSize);
  /// Router and experts of prefix + place, "layers.3.mlp".
  mlir::Value routedExperts(mlir::Value normed, llvm::StringRef place);
  /// The shared expert of prefix + place, scaled by its gate.
  mlir::Value sharedExpert(mlir::Value normed, llvm::StringRef place);
  /// The step's table of cosines and sines, made once.
  mlir::Value ropeTable();

  ModelBuilder &model;
  BlockStyle style;
  mlir::Value table;
};

} // namespace quern

#endif // QUERN_FRONTEND_MODELS_BLOCKS_H
