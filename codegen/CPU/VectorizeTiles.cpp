//===- VectorizeTiles.cpp - Products of tiles by Intel AMX ----------------===//
//
// kernel.tile_products becomes a loop over the words of the rows: tiles of rows
// and of panels are loaded, each is multiplied with each, and the sums stay in
// tile registers until they are stored and read as vectors of all lanes. LLVM
// chooses the registers and writes their configuration.
//
//===----------------------------------------------------------------------===//
#include "codegen/CPU/ByteProducts.h"
#include "codegen/CPU/Vectorizer.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace quern;
using namespace quern::cpu;

namespace {

constexpr int64_t wordBytes = 4;

/// Writes the instructions of one op.
class TileBuilder {
public:
  TileBuilder(LaneBuilder &lane, kernel::TileProductsOp op)
      : lane(lane), builder(lane.builder), op(op),
        isInteger(op.getElement().isInteger()),
        chunk(std::min<int64_t>(op.getWords(), op.kRegisterWords)),
        tile(LLVM::LLVMX86AMXType::get(builder.getContext())) {}

  /// Chunks of words that fit a row of a register.
  int64_t getNumChunks() { return int64_t(op.getWords()) / chunk; }
  int64_t getNumSums() {
    return int64_t(op.getRowStarts().size() * op.getPanelStarts().size());
  }

  SmallVector<Value> makeZeros() {
    Value zero = call("llvm.x86.tilezero.internal", tile,
                      {size(op.kRows), size(rowBytes)});
    return SmallVector<Value>(getNumSums(), zero);
  }

  /// The sums with the products of a chunk; addresses are those of the tiles
  /// and panels.
  SmallVector<Value> multiply(ValueRange rows, ValueRange panels, Value number,
                              ValueRange sums) {
    SmallVector<Value> next(sums), panelTiles;
    Value panelBytes = multiplyBy(number, chunk * lane.lanes * wordBytes);
    for (Value panel : panels)
      panelTiles.push_back(
          load(chunk, rowBytes, offset(panel, panelBytes), rowBytes));
    Value chunkBytes = multiplyBy(number, chunk * wordBytes);
    for (int64_t part = 0; part != int64_t(op.getParts()); ++part)
      for (auto [r, row] : llvm::enumerate(rows)) {
        int64_t before = part * op.getPartStride().value_or(0) * wordBytes;
        Value rowTile = load(op.kRows, chunk * wordBytes,
                             offset(offset(row, chunkBytes), constant(before)),
                             int64_t(op.getRowStride()) * wordBytes);
        for (auto [p, panelTile] : llvm::enumerate(panelTiles)) {
          Value &sum = next[r * panelTiles.size() + p];
          sum = call(isInteger ? "llvm.x86.tdpbssd.internal"
                               : "llvm.x86.tdpbf16ps.internal",
                     tile,
                     {size(op.kRows), size(rowBytes), size(chunk * wordBytes),
                      sum, rowTile, panelTile});
        }
      }
    return next;
  }

  void store(Value sum, Value address) {
    LLVM::CallIntrinsicOp::create(
        builder, lane.loc,
        builder.getStringAttr("llvm.x86.tilestored64.internal"),
        ValueRange{size(op.kRows), size(rowBytes), address, constant(rowBytes),
                   sum});
  }

  Value constant(int64_t value) {
    return lane.constant(builder.getI64Type(), value);
  }
  Value offset(Value pointer, Value bytes) {
    return LLVM::GEPOp::create(builder, lane.loc, pointer.getType(),
                               builder.getI8Type(), pointer,
                               ArrayRef<LLVM::GEPArg>{bytes});
  }
  Value multiplyBy(Value number, int64_t factor) {
    return builder.createOrFold<arith::MulIOp>(lane.loc, number,
                                               constant(factor));
  }

  /// Of a row of a register.
  static constexpr int64_t rowBytes =
      kernel::TileProductsOp::kRegisterWords * wordBytes;

private:
  Value size(int64_t value) {
    return lane.constant(builder.getI16Type(), value);
  }
  Value call(StringRef name, Type type, ValueRange operands) {
    return callIntrinsic(builder, lane.loc, name, type, operands);
  }
  Value load(int64_t rows, int64_t bytes, Value address, int64_t stride) {
    return call("llvm.x86.tileloadd64.internal", tile,
                {size(rows), size(bytes), address, constant(stride)});
  }

  LaneBuilder &lane;
  OpBuilder &builder;
  kernel::TileProductsOp op;
  bool isInteger;
  int64_t chunk; ///< Words.
  Type tile;
};

} // namespace

LogicalResult Vectorizer::visitTileProducts(kernel::TileProductsOp op,
                                            const Mask &mask) {
  constexpr int64_t words = kernel::TileProductsOp::kRegisterWords;
  if (int64_t(lanes) != words)
    return op.emitError() << "tiles have panels of " << words
                          << " rows, and a subgroup has " << lanes << " lanes";
  if (!mask.isFull())
    return op.emitError() << "only some lanes take part";
  LaneBuilder lane = at(op);
  TileBuilder tiles(lane, op);
  auto locate = [&](Value memory, ValueRange starts, SmallVector<Value> &out) {
    for (Value start : starts) {
      const LaneValue &value = get(start);
      if (!value.isUniform())
        return failure();
      out.push_back(tiles.offset(pointers.lookup(memory),
                                 tiles.multiplyBy(value.values[0], wordBytes)));
    }
    return success();
  };
  SmallVector<Value> rows, panels;
  if (failed(locate(op.getRows(), op.getRowStarts(), rows)) ||
      failed(locate(op.getPanel(), op.getPanelStarts(), panels)))
    return op.emitError() << "a start differs between lanes";

  SmallVector<Value> sums = tiles.makeZeros();
  if (tiles.getNumChunks() == 1) {
    sums = tiles.multiply(rows, panels, tiles.constant(0), sums);
  } else {
    auto loop = scf::ForOp::create(builder, op.getLoc(), tiles.constant(0),
                                   tiles.constant(tiles.getNumChunks()),
                                   tiles.constant(1), sums);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(builder, op.getLoc(),
                         tiles.multiply(rows, panels, loop.getInductionVar(),
                                        loop.getRegionIterArgs()));
    sums = llvm::to_vector_of<Value>(loop.getResults());
  }

  Type type = op.getResult(0).getType(), vector = lane.vectorOf(type, lanes);
  constexpr int64_t rowBytes = TileBuilder::rowBytes;
  Value memory =
      makeStackMemory(op.getLoc(), type, tiles.getNumSums() * op.kRows * words);
  for (auto [i, sum] : llvm::enumerate(sums))
    tiles.store(sum, tiles.offset(memory, tiles.constant(int64_t(i) * op.kRows *
                                                         rowBytes)));
  for (auto [i, result] : llvm::enumerate(op.getResults()))
    set(result,
        LaneValue::parts(
            type,
            LLVM::LoadOp::create(
                builder, op.getLoc(), vector,
                tiles.offset(memory, tiles.constant(int64_t(i) * rowBytes)),
                rowBytes)
                .getResult()));
  return success();
}
