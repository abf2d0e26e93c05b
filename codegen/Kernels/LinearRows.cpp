//===- LinearRows.cpp - linear for few tokens -----------------------------===//
//
// A subgroup owns `rows` weight rows; lane l reads octets l, l + lanes, ... of
// each of them once and multiplies them with all tokens. One reduction per
// product at the end.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Linear.h"

using namespace quern;

namespace {

class LinearRowsBuilder {
public:
  LinearRowsBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), tokens(linear.tokens),
        rows(chooseRows(k, linear, k.getTarget().gemvRows)) {}

  Status build() {
    k.setSubgroups(k.getTarget().subgroupsPerWorkgroup);
    int64_t perGroup = int64_t(rows) * k.getSubgroups();
    k.setGrid(0, (linear.weightRows + perGroup - 1) / perGroup);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(tokens, tokens));
    x = k.getInput("x");
    weight = k.getInput("weight");
    out = getLinearOutput(k, linear, rows);
    lane = k.getLane();
    firstRow = (k.getGroup(0) * double(k.getSubgroups()) + k.getSubgroup()) *
               double(rows);
    k.guard(
        linear.weightRows % perGroup != 0,
        [&] { return firstRow < double(linear.weightRows); },
        [&] { buildRows(); });
    return Status::ok();
  }

private:
  void buildRows() {
    for (unsigned r = 0; r != rows; ++r) {
      Expression row = firstRow + double(r);
      if (linear.weightRows % rows != 0)
        row = min(row, k.index(linear.weightRows - 1));
      rowBases.push_back(row * double(linear.octets()));
    }
    Expressions zeros(tokens * rows, tokens == 1 ? k.zeroVector() : k.f32(0));
    Expressions products =
        k.accumulate(linear.octets(), k.getSubgroupSize(), lane, zeros,
                     [&](Expression octet, llvm::ArrayRef<Expression> carried) {
                       return multiply(octet, carried);
                     });
    for (Expression &product : products)
      product = k.reduceAdd(product.isVector() ? sum(product) : product,
                            k.getSubgroupSize());
    store(products);
  }

  /// products[t * rows + r] += x[t] . weight[r], for one octet.
  Expressions multiply(Expression octet, llvm::ArrayRef<Expression> carried) {
    Expressions products(carried.begin(), carried.end());
    llvm::SmallVector<Octet, 8> weights;
    for (Expression base : rowBases)
      weights.push_back(weight.readOctet(base + octet));
    for (int64_t t = 0; t != tokens; ++t) {
      Octet input = k.reorder(x.readOctet(octet + double(t * linear.octets())),
                              weight.naturalOrder());
      for (unsigned r = 0; r != rows; ++r) {
        Expression &product = products[t * rows + r];
        if (product.isVector())
          product =
              fma(weights[r].b, input.b, fma(weights[r].a, input.a, product));
        else
          product =
              dot(weights[r].b, input.b, dot(weights[r].a, input.a, product));
      }
    }
    return products;
  }

  /// Lane t stores the rows of token t, all in one go.
  void store(llvm::ArrayRef<Expression> products) {
    llvm::ArrayRef<Expression> mine = products.take_front(rows);
    Expressions selected(mine.begin(), mine.end());
    for (int64_t t = 1; t < tokens; ++t) {
      Expression isMine = lane == double(t);
      for (unsigned r = 0; r != rows; ++r)
        selected[r] =
            quern::select(isMine, products[t * rows + r], selected[r]);
    }
    k.when(lane < double(tokens),
           [&] { storeOutputs(k, linear, out, lane, firstRow, selected); });
  }

  KernelBuilder &k;
  const Linear &linear;
  int64_t tokens;
  unsigned rows;
  InputBuffer x, weight;
  OutputBuffer out;
  Expression lane, firstRow;
  Expressions rowBases;
};

} // namespace

Status quern::buildLinearRows(KernelBuilder &k, const Linear &linear) {
  if (linear.tokens > int64_t(k.getSubgroupSize()))
    return buildLinearTiles(k, linear);
  return LinearRowsBuilder(k, linear).build();
}
