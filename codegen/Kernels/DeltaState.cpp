//===- DeltaState.cpp - The stored state of a gated delta net -------------===//
#include "codegen/Kernels/DeltaState.h"

using namespace quern;

Status DeltaState::check(const KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "DK", 8));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "DV", 8));
  if (k.dim("HV") % k.dim("HK") != 0)
    return invalidArgument(std::to_string(k.dim("HV")) + " value heads for " +
                           std::to_string(k.dim("HK")) + " key heads");
  return Status::ok();
}

DeltaState::DeltaState(KernelBuilder &k)
    : quads(k.dim("DK") / 4), octets(k.dim("DV") / 8),
      group(k.dim("HV") / k.dim("HK")), k(k), query(k.getInput("q")),
      key(k.getInput("k")), value(k.getInput("v")),
      decay(k.getScalarInput("decay")), beta(k.getScalarInput("beta")),
      recurrent(k.getInput("recurrent")), keys(k.getInput("keys")),
      updates(k.getInput("updates")), decays(k.getScalarInput("decays")) {}

void DeltaState::select(const SequenceRow &sequence, Expression valueHead,
                        Expression columnOctet) {
  row = sequence;
  head = valueHead;
  keyHead = head / double(group);
  column = columnOctet;
  pending = min(row.position - row.folded, k.index(k.dim("RING")));
  Expression last = readDecay(getPendingRow(pending - 1));
  // What lies there is not defined if the ring is empty.
  pendingDecay = quern::select(pending == 0, k.f32(0), last);
}

Expression DeltaState::getPendingRow(Expression j) const {
  return getRingRow(k, row.slot, row.folded + j);
}

Expression DeltaState::getStepRow(Expression number) const {
  return getRingRow(k, row.slot, row.position + number);
}

Expression DeltaState::atKeyHead(Expression at) const {
  return at * double(k.dim("HK")) + keyHead;
}
Expression DeltaState::atValueHead(Expression at) const {
  return at * double(k.dim("HV")) + head;
}

//===----------------------------------------------------------------------===//
// The recurrent state
//===----------------------------------------------------------------------===//

/// Octet `column` of row 4 * quad + r of the head's state.
static Expression atRow(Expression slotHead, Expression quad, unsigned r,
                        int64_t quads, int64_t octets, Expression column) {
  Expression at = slotHead * double(quads * 4) + quad * 4 + double(r);
  return at * double(octets) + column;
}

QuadRows DeltaState::readStored(Expression quad) const {
  QuadRows rows;
  for (unsigned r = 0; r != 4; ++r)
    rows[r] = recurrent.readOctet(
        atRow(atValueHead(row.slot), quad, r, quads, octets, column));
  return rows;
}

QuadRows DeltaState::readRows(Expression quad) const {
  QuadRows rows = readStored(quad);
  Expression isNew = row.folded == 0;
  for (Octet &part : rows)
    part = mapOctet(
        [&](Expression s) { return quern::select(isNew, k.zeroVector(), s); },
        part);
  return rows;
}

void DeltaState::writeRows(const OutputBuffer &out, Expression quad,
                           const QuadRows &rows) const {
  for (unsigned r = 0; r != 4; ++r)
    out.writeOctet(atRow(atValueHead(row.slot), quad, r, quads, octets, column),
                   rows[r]);
}

QuadRows DeltaState::fold(Expression quad, const QuadRows &rows,
                          Expression count, Expression scale) const {
  Expressions scaled;
  for (const Octet &part : rows)
    scaled.append({part.a * scale, part.b * scale});
  Expressions sums =
      k.loop(k.index(0), count, 1, scaled,
             [&](Expression j, llvm::ArrayRef<Expression> carried) {
               Expression at = getPendingRow(j);
               Expression features =
                   readKeys(at, quad) * exp(pendingDecay - readDecay(at));
               Octet update = readUpdate(at);
               Expressions next;
               for (unsigned r = 0; r != 4; ++r)
                 next.append({fma(update.a, features[r], carried[2 * r]),
                              fma(update.b, features[r], carried[2 * r + 1])});
               return next;
             });
  QuadRows folded;
  for (unsigned r = 0; r != 4; ++r)
    folded[r] = {sums[2 * r], sums[2 * r + 1]};
  return folded;
}

//===----------------------------------------------------------------------===//
// The rings
//===----------------------------------------------------------------------===//

Expression DeltaState::atUpdate(Expression ringRow) const {
  return atValueHead(ringRow) * double(octets) + column;
}
Expression DeltaState::atDecay(Expression ringRow) const {
  return atValueHead(ringRow);
}
Expression DeltaState::atKeys(Expression ringRow) const {
  int64_t keyOctets = quads / 2;
  return atKeyHead(ringRow) * double(keyOctets);
}

Expression DeltaState::readDecay(Expression ringRow) const {
  return decays.read(atDecay(ringRow));
}
Expression DeltaState::readKeys(Expression ringRow, Expression quad) const {
  return keys.read(atKeyHead(ringRow) * double(quads) + quad);
}
Octet DeltaState::readUpdate(Expression ringRow) const {
  return updates.readOctet(atUpdate(ringRow));
}

//===----------------------------------------------------------------------===//
// The step
//===----------------------------------------------------------------------===//

Expression DeltaState::readStepKeys(Expression token, Expression quad) const {
  return key.read(atKeyHead(token) * double(quads) + quad);
}
Expression DeltaState::readStepQueries(Expression token,
                                       Expression quad) const {
  return query.read(atKeyHead(token) * double(quads) + quad);
}
Octet DeltaState::readStepValue(Expression token) const {
  return k.reorder(value.readOctet(atResult(token)), OctetOrder::Linear);
}
Expression DeltaState::readStepDecay(Expression token) const {
  return decay.read(atValueHead(token));
}
Expression DeltaState::readStepBeta(Expression token) const {
  return beta.read(atValueHead(token));
}
Expression DeltaState::atResult(Expression token) const {
  return atValueHead(token) * double(octets) + column;
}

void quern::reduceAcross(KernelBuilder &k,
                         llvm::MutableArrayRef<Expression> values,
                         unsigned first, unsigned end) {
  for (unsigned distance = first; distance < end; distance *= 2)
    for (Expression &value : values) {
      if (!value.isVector()) {
        value = value + k.shuffleXor(value, distance);
        continue;
      }
      Expressions parts;
      for (unsigned i = 0; i != 4; ++i)
        parts.push_back(value[i] + k.shuffleXor(value[i], distance));
      value = quern::vector(parts);
    }
}
