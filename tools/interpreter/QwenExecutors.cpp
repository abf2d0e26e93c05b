//===- QwenExecutors.cpp - qwen ops by runtime/reference ------------------===//
#include "tools/interpreter/Executor.h"

#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace quern;

using Results = Executor::Results;

HostTensor Executor::result(int64_t rows, unsigned number) const {
  auto type = cast<RankedTensorType>(op->getResult(number).getType());
  std::vector<int64_t> shape(type.getShape().begin(), type.getShape().end());
  shape[0] = rows;
  return HostTensor::zeros(std::move(shape));
}

DataType Executor::resultType(unsigned number) const {
  Type element =
      cast<RankedTensorType>(op->getResult(number).getType()).getElementType();
  return element.isF16()    ? DataType::F16
         : element.isBF16() ? DataType::BF16
                            : DataType::F32;
}

Results Executor::take(const Status &status, HostTensor &&value) const {
  if (status.isOk())
    return take(std::move(value));
  op->emitError() << status.getMessage();
  return failure();
}

FailureOr<reference::Norm> Executor::norm(FlatSymbolRefAttr weight,
                                          const APFloat &epsilon,
                                          bool unitOffset) {
  const std::vector<float> *values = interpreter.findWeight(op, weight);
  if (!values)
    return failure();
  return reference::Norm{*values, epsilon.convertToDouble(), unitOffset};
}

FailureOr<reference::Matrix> Executor::matrix(FlatSymbolRefAttr weight,
                                              int64_t inputs) {
  const std::vector<float> *values = interpreter.findWeight(op, weight);
  if (!values)
    return failure();
  return reference::Matrix{*values,
                           static_cast<int64_t>(values->size()) / inputs};
}

Results Executor::reshape() const {
  HostTensor out = result(in(0).shape[0]);
  out.floats = in(0).floats;
  return take(std::move(out));
}

Results Executor::run(qwen::EmbeddingOp embedding) {
  HostTensor out = result(in(0).shape[0]);
  FailureOr<reference::Matrix> table =
      matrix(embedding.getWeightAttr(), out.shape[1]);
  if (failed(table))
    return failure();
  return take(reference::embedding(in(0).integers, table->values, table->rows,
                                   out.shape[1], out.floats),
              std::move(out));
}

Results Executor::run(qwen::RmsNormOp rmsNorm) {
  FailureOr<reference::Norm> parameters = norm(
      rmsNorm.getWeightAttr(), rmsNorm.getEpsilon(), rmsNorm.getUnitOffset());
  if (failed(parameters))
    return failure();
  HostTensor out = result(in(0).shape[0]);
  reference::rmsNorm(in(0).floats, *parameters, resultType(), out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::ResidualAddOp) {
  HostTensor out = result(in(0).shape[0]);
  reference::residualAdd(in(0).floats, in(1).floats, out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::AddRmsNormOp add) {
  FailureOr<reference::Norm> parameters =
      norm(add.getWeightAttr(), add.getEpsilon(), add.getUnitOffset());
  if (failed(parameters))
    return failure();
  std::vector<HostTensor> out = {result(in(0).shape[0]),
                                 result(in(0).shape[0], 1)};
  reference::addRmsNorm(in(0).floats, in(1).floats, *parameters, resultType(1),
                        out[0].floats, out[1].floats);
  return out;
}

/// The rows of a matrix in the order that the parts of a qwen.linear say.
static std::vector<float> regroupRows(const reference::Matrix &matrix,
                                      ArrayRef<int64_t> parts) {
  int64_t group = std::accumulate(parts.begin(), parts.end(), int64_t(0));
  int64_t inputs = matrix.values.size() / matrix.rows;
  std::vector<float> rows;
  rows.reserve(matrix.values.size());
  int64_t begin = 0;
  for (int64_t part : parts) {
    for (int64_t row = begin; row < matrix.rows; row += group) {
      auto from = matrix.values.subspan(row * inputs, part * inputs);
      rows.insert(rows.end(), from.begin(), from.end());
    }
    begin += part;
  }
  return rows;
}

Results Executor::multiply(reference::Floats x, int64_t inputs, ArrayAttr names,
                           std::optional<ArrayAttr> parts) {
  std::vector<reference::Matrix> weights;
  std::vector<std::vector<float>> regrouped(names.size());
  for (auto [i, attr] : llvm::enumerate(names)) {
    FailureOr<reference::Matrix> weight =
        matrix(cast<FlatSymbolRefAttr>(attr), inputs);
    if (failed(weight))
      return failure();
    ArrayRef<int64_t> groups;
    if (parts)
      groups = cast<DenseI64ArrayAttr>((*parts)[i]);
    if (!groups.empty()) {
      regrouped[i] = regroupRows(*weight, groups);
      weight->values = regrouped[i];
    }
    weights.push_back(*weight);
  }
  HostTensor out = result(in(0).shape[0]);
  reference::linear(x, inputs, weights, resultType(), out.floats);
  return take(std::move(out));
}

Results Executor::multiplySwiglu(reference::Floats x, int64_t inputs,
                                 FlatSymbolRefAttr gateName,
                                 FlatSymbolRefAttr upName) {
  FailureOr<reference::Matrix> gate = matrix(gateName, inputs);
  FailureOr<reference::Matrix> up = matrix(upName, inputs);
  if (failed(gate) || failed(up))
    return failure();
  HostTensor out = result(in(0).shape[0]);
  reference::linearSwiglu(x, inputs, *gate, *up, resultType(), out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::LinearOp linear) {
  return multiply(in(0).floats, in(0).shape[1], linear.getWeights(),
                  linear.getParts());
}

Results Executor::run(qwen::QuantizeActivationsOp quantize) {
  int64_t tokens = in(0).shape[0], words = in(0).shape[1] / 4;
  std::vector<HostTensor> out = {
      HostTensor::ofIntegers({tokens, words},
                             std::vector<int32_t>(tokens * words)),
      result(tokens, 1)};
  reference::quantizeActivations(in(0).floats, quantize.getWeightBits(),
                                 out[0].integers, out[1].floats);
  return out;
}

Results Executor::run(qwen::IntegerLinearOp linear) {
  auto name = cast<FlatSymbolRefAttr>(linear.getWeights()[0]);
  auto weight = SymbolTable::lookupNearestSymbolFrom<qwen::WeightOp>(op, name);
  unsigned bits =
      getEncodingInfo(qwen::getEncoding(weight.getStoredElementType())).bits;
  int64_t inputs = in(0).shape[1] * 4;
  std::vector<float> x(in(0).shape[0] * inputs);
  reference::dequantizeActivations(in(0).integers, in(1).floats, bits, x);
  if (linear.getSwiglu())
    return multiplySwiglu(x, inputs, name,
                          cast<FlatSymbolRefAttr>(linear.getWeights()[1]));
  return multiply(x, inputs, linear.getWeights(), linear.getParts());
}

Results Executor::run(qwen::SwigluOp) {
  HostTensor out = result(in(0).shape[0]);
  reference::swiglu(in(0).floats, in(1).floats, resultType(), out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::LinearSwigluOp linear) {
  return multiplySwiglu(in(0).floats, in(0).shape[1], linear.getGateAttr(),
                        linear.getUpAttr());
}

Results Executor::run(qwen::RouterOp router) {
  FailureOr<reference::Matrix> gate =
      matrix(router.getGateAttr(), in(0).shape[1]);
  if (failed(gate))
    return failure();
  int64_t tokens = in(0).shape[0];
  int64_t slots = router.getExperts().getType().getDimSize(1);
  std::vector<HostTensor> out = {
      HostTensor::ofIntegers({tokens, slots},
                             std::vector<int32_t>(tokens * slots)),
      result(tokens, 1)};
  reference::router(in(0).floats, in(0).shape[1], *gate, router.getNormalize(),
                    slots, out[0].integers, out[1].floats);
  return out;
}

Results Executor::run(qwen::ExpertsOp experts) {
  const std::vector<float> *gateUp =
      interpreter.findStack(op, experts.getGateUp());
  const std::vector<float> *down =
      gateUp ? interpreter.findStack(op, experts.getDown()) : nullptr;
  if (!down)
    return failure();
  HostTensor out = result(in(0).shape[0]);
  SymbolTableCollection symbols;
  reference::ExpertChoice choice = {in(1).integers, in(2).floats,
                                    in(1).shape[1]};
  reference::Experts parts = {*gateUp, *down,
                              experts.getSizes(symbols).intermediateSize,
                              in(0).shape[1], experts.getInt8Activations()};
  return take(reference::expertSum(in(0).floats, choice, parts, resultType(),
                                   out.floats),
              std::move(out));
}

Results Executor::run(qwen::ScaleBySigmoidOp) {
  HostTensor out = result(in(0).shape[0]);
  reference::scaleBySigmoid(in(0).floats, in(1).floats, resultType(),
                            out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::SliceFeaturesOp slice) {
  HostTensor out = result(in(0).shape[0]);
  int64_t from = in(0).shape[1], to = out.shape[1];
  for (int64_t t = 0; t < out.shape[0]; ++t)
    std::copy_n(in(0).floats.begin() + t * from + slice.getOffset(), to,
                out.floats.begin() + t * to);
  return take(std::move(out));
}

Results Executor::run(qwen::ConcatFeaturesOp) {
  HostTensor out = result(in(0).shape[0]);
  float *to = out.floats.data();
  for (int64_t t = 0; t < out.shape[0]; ++t)
    for (const HostTensor *from : operands)
      to = std::copy_n(from->floats.begin() + t * from->shape[1],
                       from->shape[1], to);
  return take(std::move(out));
}

Results Executor::run(qwen::SelectRowsOp) {
  HostTensor out = result(in(1).shape[0]);
  return take(reference::selectRows(in(0).floats, in(0).shape[1],
                                    in(1).integers, out.floats),
              std::move(out));
}

Results Executor::run(qwen::SampleOp) {
  HostTensor out = HostTensor::ofIntegers({in(0).shape[0]},
                                          std::vector<int32_t>(in(0).shape[0]));
  reference::sample(in(0).floats, in(0).shape[1], in(1).floats, in(2).integers,
                    out.integers);
  return take(std::move(out));
}

Results Executor::execute() {
  return TypeSwitch<Operation *, Results>(op)
      .Case<qwen::EmbeddingOp, qwen::RmsNormOp, qwen::ResidualAddOp,
            qwen::AddRmsNormOp, qwen::LinearOp, qwen::SwigluOp,
            qwen::LinearSwigluOp, qwen::SplitHeadsOp, qwen::MergeHeadsOp,
            qwen::SliceFeaturesOp, qwen::RopeTableOp, qwen::RopeOp,
            qwen::CacheAppendOp, qwen::AttentionOp, qwen::QkNormRopeAppendOp,
            qwen::SelectRowsOp, qwen::SampleOp, qwen::RouterOp, qwen::ExpertsOp,
            qwen::ScaleBySigmoidOp, qwen::ConcatFeaturesOp, qwen::SigmoidGateOp,
            qwen::CausalConv1dOp, qwen::L2NormOp, qwen::DeltaGatesOp,
            qwen::DeltaInputsOp, qwen::GatedDeltaRuleOp, qwen::GatedRmsNormOp,
            qwen::QuantizeActivationsOp, qwen::IntegerLinearOp>(
          [&](auto concrete) { return run(concrete); })
      .Default([](Operation *other) -> Results {
        other->emitError("the interpreter does not know this op");
        return failure();
      });
}

/// Token operands must agree on their number of rows: the types may all be
/// static while the values have fewer rows.
static LogicalResult checkRows(Operation *op,
                               ArrayRef<const HostTensor *> operands) {
  auto tokens = dyn_cast<qwen::TokenDimOpInterface>(op);
  if (!tokens)
    return success();
  OperandRange range = tokens.getTokenOperands();
  unsigned first = range.getBeginOperandIndex();
  for (unsigned i = first; i < first + range.size(); ++i)
    if (operands[i]->shape[0] != operands[first]->shape[0])
      return op->emitError()
             << "operand #" << i << " has " << operands[i]->shape[0]
             << " rows, expected " << operands[first]->shape[0];
  return success();
}

Results quern::executeQwenOp(Interpreter &interpreter, Operation *op,
                             ArrayRef<const HostTensor *> operands) {
  if (failed(checkRows(op, operands)))
    return failure();
  return Executor(interpreter, op, operands).execute();
}
