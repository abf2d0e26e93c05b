//===- Panels.cpp - Which panels a workgroup computes ---------------------===//
#include "codegen/Kernels/PanelTiles.h"

using namespace quern;

RegisterTile quern::getRegisterTile(const TargetDescription &target,
                                    PanelInputs inputs) {
  if (inputs == PanelInputs::Codes)
    return {target.integerTokens, target.integerWidth};
  return {target.panelTokens, target.panelWidth};
}

void quern::prefetchAhead(const InputBuffer &weight, Expression index,
                          int64_t count, int64_t lanes, int64_t bytesAhead) {
  constexpr int64_t lineWords = 64 / 4;
  int64_t step = count * lanes, ahead = bytesAhead / (step * 4) * step;
  if (ahead == 0)
    return;
  for (int64_t word = 0; word < step; word += lineWords)
    weight.prefetch(index + double(ahead + word));
}

std::unique_ptr<PanelProducts> quern::createPanelProducts(KernelBuilder &k,
                                                          const Linear &linear,
                                                          PanelInputs inputs) {
  return inputs == PanelInputs::Codes ? createIntegerPanelProducts(k, linear)
                                      : createDensePanelProducts(k, linear);
}

Result<bool> quern::hasPanels(const KernelBuilder &k, const Linear &linear,
                              PanelInputs inputs) {
  QUERN_ASSIGN_OR_RETURN(int64_t rows, k.getWeightPanels());
  if (rows == 0)
    return false;
  bool isEncoded = k.getArgument("weight").encoding != Encoding::None;
  if (isEncoded && inputs == PanelInputs::Floats)
    return unsupported("panels of encoded weights are read with int8 inputs");
  if (linear.weightRows % rows != 0)
    return invalidArgument("the weight has " +
                           std::to_string(linear.weightRows) +
                           " rows, which are no panels");
  return true;
}

PanelColumns::PanelColumns(KernelBuilder &k, const Linear &linear,
                           int64_t width)
    : k(k), linear(linear), lanes(k.getSubgroupSize()),
      panels((linear.weightRows + lanes - 1) / lanes) {
  this->width = std::clamp<int64_t>(width, 1, panels);
}

void PanelColumns::place(Expression group, bool apart) {
  areApart = apart;
  for (int64_t p = 0; p != width; ++p) {
    Expression panel = apart ? group + double(p * getGroups())
                             : group * double(width) + double(p);
    wanted.push_back(panel);
    if (panels % width != 0)
      panel = min(panel, k.index(panels - 1));
    numbers.push_back(panel);
  }
}

OutputBuffer PanelColumns::getOutput() {
  return k.getRunOutput("out", k.getType("out") == DataType::F32 ? 1 : 2);
}

void PanelColumns::store(const OutputBuffer &out, Expression row, bool mayEnd,
                         llvm::function_ref<Expression()> isRow,
                         llvm::ArrayRef<Expression> products) {
  if (storesPairs())
    return k.guard(mayEnd, isRow, [&] { storePair(out, row, products); });
  for (int64_t p = 0; p != width; ++p) {
    bool mayLackPanel = panels % width != 0;
    k.guard(
        mayEnd || mayLackPanel,
        [&] {
          if (!mayLackPanel)
            return isRow();
          Expression isPanel = wanted[p] < double(panels);
          return mayEnd ? isPanel & isRow() : isPanel;
        },
        [&] { storePanel(out, row, wanted[p], products[p]); });
  }
}

bool PanelColumns::storesPairs() const {
  bool takesTwo = linear.epilogue != LinearEpilogue::None ||
                  k.getType("out") != DataType::F32;
  return takesTwo && width == 2 && !areApart &&
         linear.weightRows % (2 * lanes) == 0;
}

void PanelColumns::storePair(const OutputBuffer &out, Expression row,
                             llvm::ArrayRef<Expression> products) {
  Expression lane = k.getLane(), isFirst = lane < double(lanes / 2);
  auto take = [&](int64_t odd) {
    Expression from = toI32((lane * 2.0 + double(odd)) % double(lanes));
    return quern::select(isFirst, k.shuffleFrom(products[0], from),
                         k.shuffleFrom(products[1], from));
  };
  Expressions values{take(0), take(1)};
  bool isWide = k.getType("out") == DataType::F32;
  int64_t perUnit = isWide ? 1 : 2, rowUnits = linear.outputs() / perUnit;
  if (linear.epilogue == LinearEpilogue::None)
    return out.writeUnits(row * double(rowUnits) +
                              wanted[0] * double(lanes / perUnit) + lane,
                          values);
  values = applyEpilogue(linear.epilogue, values);
  Expression first =
      row * double(rowUnits) + wanted[0] * double(lanes / 2 / perUnit);
  if (isWide)
    return out.writeUnits(first + lane, values);
  values.push_back(k.shuffleXor(values[0], 1));
  k.when(lane % 2.0 == 0, [&] { out.writeUnits(first + lane / 2.0, values); });
}

/// Lanes whose outputs make whole words store them.
void PanelColumns::storePanel(const OutputBuffer &out, Expression row,
                              Expression panel, Expression product) {
  unsigned distance = linear.perOutput();
  Expression lane = k.getLane();
  Expression value = product;
  if (linear.epilogue != LinearEpilogue::None)
    value =
        applyEpilogue(linear.epilogue, {product, k.shuffleXor(product, 1)})[0];
  Expression at = row * double(linear.outputs()) +
                  panel * double(lanes / distance) + lane / double(distance);
  Expressions values{value};
  if (k.getType("out") != DataType::F32) {
    values.push_back(k.shuffleXor(value, distance));
    distance *= 2;
  }
  k.guard(
      distance != 1 || linear.weightRows % lanes != 0,
      [&] {
        Expression weightRow = panel * double(lanes) + lane;
        Expression isWhole = lane % double(distance) == 0;
        if (linear.weightRows % lanes == 0)
          return isWhole;
        Expression isRow = weightRow < double(linear.weightRows);
        return distance == 1 ? isRow : isWhole & isRow;
      },
      [&] { out.writeRun(at, values); });
}

Status quern::buildPanelLinear(KernelBuilder &k, const Linear &linear,
                               PanelInputs inputs) {
  if (fitsTiles(k, linear, inputs))
    return buildTileLinear(k, linear, inputs);
  RegisterTile most = getRegisterTile(k.getTarget(), inputs);
  // Tiles of equal size, so that the last one is not nearly empty.
  bool isFew = linear.tokens <= most.tokens;
  int64_t tiles = (linear.tokens + most.tokens - 1) / most.tokens;
  int64_t tokens = (linear.tokens + tiles - 1) / tiles;
  int64_t width = isFew ? std::min<int64_t>(k.getTarget().panelStreams,
                                            most.tokens * most.width / tokens)
                        : most.width;
  PanelColumns columns(k, linear, width);
  k.setSubgroups(1);
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, tokens));
  if (isFew) {
    k.setGrid(0, columns.getGroups());
  } else {
    k.countAlongX();
    k.setGrid(1, columns.getGroups());
  }
  columns.place(k.getGroup(isFew ? 0 : 1), /*apart=*/isFew);
  bool mayEnd = linear.tokens % tokens != 0;
  Expression first = isFew ? k.index(0) : k.getGroup(0) * double(tokens);
  Expressions wanted, numbers;
  for (int64_t t = 0; t != tokens; ++t) {
    wanted.push_back(first + double(t));
    numbers.push_back(mayEnd ? min(wanted[t], k.index(linear.tokens - 1))
                             : wanted[t]);
  }
  std::unique_ptr<PanelProducts> panels =
      createPanelProducts(k, linear, inputs);
  panels->readsFromMemory = isFew;
  OutputBuffer out = columns.getOutput();
  Expressions products = panels->compute(numbers, k.index(0), columns.numbers);
  for (int64_t t = 0; t != tokens; ++t)
    columns.store(
        out, wanted[t], mayEnd,
        [&] { return wanted[t] < double(linear.tokens); },
        llvm::ArrayRef(products).slice(t * columns.width, columns.width));
  return Status::ok();
}
