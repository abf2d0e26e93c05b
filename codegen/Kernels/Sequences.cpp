//===- Sequences.cpp - The sequences of a step ----------------------------===//
#include "codegen/Kernels/Sequences.h"

using namespace quern;

Expression quern::getRingRow(const KernelBuilder &k, Expression slot,
                             Expression position) {
  return slot * double(k.dim("RING")) + position % double(k.dim("RING"));
}

Expression
quern::sumRingDecays(KernelBuilder &k, const SequenceRow &row,
                     llvm::function_ref<Expression(Expression)> readDecay) {
  Expression isEmpty = row.position <= row.folded;
  Expression last = quern::select(isEmpty, row.folded, row.position - 1);
  // What lies there is not defined if the ring is empty.
  return quern::select(isEmpty, k.f32(0), readDecay(last));
}

Sequences::Sequences(KernelBuilder &k)
    : k(k), sequences(k.getInput("sequences")) {}

Expression Sequences::number(Expression row, unsigned column) const {
  return toIndex(sequences.read(row * double(k.dim("ROW")) + double(column)));
}

SequenceRow Sequences::read(Expression row) const {
  SequenceRow s;
  s.slot = min(number(row, 0), k.index(k.dim("S") - 1));
  s.count = min(number(row, 2), k.index(k.dim("T")));
  s.first = min(number(row, 1), double(k.dim("T")) - s.count);
  s.position = number(row, 3);
  s.folded = number(row, 4);
  s.update = number(row, 5);
  return s;
}

void Sequences::find(
    Expression token,
    llvm::function_ref<void(const SequenceRow &, Expression)> body) const {
  // Unsigned: tokens in front of the first one are far behind the last.
  auto isInside = [&](Expression row) {
    return token - number(row, 1) < number(row, 2);
  };
  Expression row = k.index(0), last = k.index(k.dim("N") - 1);
  if (k.dim("N") > 1)
    row = k.loopWhile(
               {row},
               [&](llvm::ArrayRef<Expression> at) {
                 return (at[0] < last) & (isInside(at[0]) == 0);
               },
               [&](llvm::ArrayRef<Expression> at) {
                 return Expressions{at[0] + 1};
               })
              .front();
  k.when(isInside(row), [&] {
    SequenceRow found = read(row);
    body(found, token - found.first);
  });
}
