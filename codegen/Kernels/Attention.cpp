//===- Attention.cpp - attention over the paged KV cache ------------------===//
//
// attention and gated_attention: one subgroup for each key head and token; a
// tile of tokens of one slot is computed by the first of its subgroups.
//
// attention_split and attention_merge share the positions of a token between
// several subgroups, for steps of few tokens. A split leaves its weighted
// values, not yet divided by the sum of its weights, and its maximum and sum;
// merging scales those of all splits to the same maximum.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/AttentionRows.h"
#include "codegen/Kernels/AttentionTiles.h"
#include "codegen/Kernels/KernelFamilies.h"

#include <optional>

using namespace quern;

namespace {

/// The gates of a request that has some: sigmoid(gate) scales the result.
class OutputGate {
public:
  /// `gates` makes the input that the gates are read from.
  static Result<OutputGate> create(KernelBuilder &k,
                                   llvm::function_ref<InputBuffer()> gates) {
    OutputGate gate;
    if (!k.hasArgument("gate"))
      return gate;
    QUERN_RETURN_IF_ERROR(requireMultiple(k, "G", 8));
    QUERN_ASSIGN_OR_RETURN(int64_t offset, k.getInteger("gate_offset"));
    int64_t total = k.dim("G"), needed = k.dim("Q");
    if (offset < 0 || offset % 8 != 0 || offset > total - needed)
      return invalidArgument(
          "config member gate_offset " + std::to_string(offset) +
          " is no multiple of 8 that leaves " + std::to_string(needed) +
          " of " + std::to_string(total) + " gates");
    gate.perToken = total;
    gate.first = offset;
    gate.buffer = gates();
    return gate;
  }

  /// Octet `octet` of a token's result with its gate.
  Octet apply(KernelBuilder &k, Expression token, Expression octet,
              const Octet &result) const {
    if (!buffer)
      return result;
    Octet values =
        k.reorder(buffer->readOctet(locate(token, octet, 8)), result.order);
    return mapOctets(scale, result, values);
  }

  /// The same of the parts of a unit.
  Expressions apply(const HeadUnits &units, Expression token, Expression unit,
                    Expressions result) const {
    if (!buffer)
      return result;
    Expressions gates =
        units.read(*buffer, locate(token, unit, units.getElements()));
    for (size_t i = 0; i != result.size(); ++i)
      result[i] = scale(result[i], gates[i]);
    return result;
  }

private:
  static Expression scale(Expression x, Expression gate) {
    return x * sigmoid(gate);
  }
  Expression locate(Expression token, Expression unit, int64_t elements) const {
    return token * double(perToken / elements) + double(first / elements) +
           unit;
  }

  std::optional<InputBuffer> buffer;
  int64_t perToken = 0, first = 0;
};

} // namespace

/// Query heads for each key head.
static Result<int64_t> getGroup(const KernelBuilder &k, int64_t queries) {
  int64_t keyFeatures = k.dim("HK") * k.dim("D");
  if (queries % keyFeatures == 0)
    return queries / keyFeatures;
  return invalidArgument("queries of " + std::to_string(queries) +
                         " features for " + std::to_string(k.dim("HK")) +
                         " key heads of " + std::to_string(k.dim("D")));
}

namespace {

class AttentionBuilder {
public:
  AttentionBuilder(KernelBuilder &k, double scale, int64_t group)
      : k(k), group(group), rows(k, scale, group),
        out(rows.getUnits().getOutput("out")) {}

  Status build() {
    QUERN_ASSIGN_OR_RETURN(gate, OutputGate::create(k, [&] {
                             return rows.getUnits().getInput("gate");
                           }));
    int64_t total = k.dim("T"), tile = 1;
    const TargetDescription &target = k.getTarget();
    while (2 * tile <= std::min<int64_t>(target.attentionTokens, total) &&
           2 * tile * group <= target.attentionRows)
      tile *= 2;
    k.setSubgroups(1);
    k.setGrid(0, k.dim("HK"));
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(total, 1));
    head = k.getGroup(0);
    Expression token = k.getGroup(1);
    if (tile == 1)
      attend({token});
    else
      attendTile(token, tile);
    return Status::ok();
  }

private:
  /// Tokens of a tile that share a slot are attended together, by the first;
  /// if they don't, each is attended by itself.
  void attendTile(Expression token, int64_t tile) {
    Expression inTile = token % double(tile);
    Expressions tokens;
    Expression same;
    for (int64_t t = 0; t != tile; ++t) {
      tokens.push_back(
          min(token - inTile + double(t), k.index(k.dim("T") - 1)));
      if (t == 0)
        continue;
      Expression equal = rows.getCache().getSlot(tokens[t]) ==
                         rows.getCache().getSlot(tokens[0]);
      same = same ? same & equal : equal;
    }
    k.when(same & (inTile == 0), [&] { attend(tokens); });
    k.when(same == 0, [&] { attend({token}); });
  }

  void attend(const Expressions &tokens) {
    Expression slot = rows.getCache().getSlot(tokens[0]);
    AttentionRows::States states =
        rows.attend(tokens, slot, head, k.index(0), {});
    for (size_t row = 0; row != states.size(); ++row)
      store(tokens[row / group], row % group, states[row]);
  }

  void store(Expression token, int64_t h, const AttentionRows::State &state) {
    const HeadUnits &units = rows.getUnits();
    int64_t perHead = k.dim("D") / units.getElements(),
            perToken = k.dim("Q") / units.getElements();
    Expression inverse = 1 / state.total;
    Expression first = (head * double(group) + double(h)) * double(perHead);
    rows.forEachUnit(state, [&](Expression unit, Expressions parts) {
      for (Expression &part : parts)
        part = part * inverse;
      units.write(out, token * double(perToken) + first + unit,
                  gate.apply(units, token, first + unit, parts));
    });
  }

  KernelBuilder &k;
  int64_t group;
  OutputGate gate;
  AttentionRows rows;
  OutputBuffer out;
  Expression head;
};

} // namespace

/// The form whose lanes own rows.
static Status buildTiles(KernelBuilder &k, double scale, int64_t group) {
  AttentionTiles tiles(k, scale, group, k.dim("T"));
  const HeadUnits &units = tiles.getUnits();
  OutputBuffer out = units.getOutput("out");
  QUERN_ASSIGN_OR_RETURN(OutputGate gate, OutputGate::create(k, [&] {
                           return units.getInput("gate");
                         }));
  k.setSubgroups(1);
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), tiles.getTokens()));
  k.countAlongX();
  k.setGrid(1, k.dim("HK"));
  Expression first = k.getGroup(0) * double(tiles.getTokens()),
             head = k.getGroup(1);
  int64_t perHead = k.dim("D") / units.getElements(),
          perToken = k.dim("Q") / units.getElements();
  auto attend = [&](Expression slot) {
    tiles.attend(slot, k.index(0), {});
    tiles.forEachUnit([&](const AttentionTiles::Rows &row, Expression unit,
                          Expressions parts) {
      for (Expression &part : parts)
        part = part / row.total;
      Expression at =
          (head * double(group) + row.head) * double(perHead) + unit;
      units.write(out, row.token * double(perToken) + at,
                  gate.apply(units, row.token, at, parts));
    });
  };
  tiles.begin(first, head);
  auto getSlot = [&](Expression offset) {
    return tiles.getCache().getSlot(tiles.getToken(offset));
  };
  if (tiles.getTokens() == 1) {
    attend(getSlot(k.index(0)));
    return Status::ok();
  }
  // Once for each run of tokens of one slot.
  k.loop(k.index(0), k.index(tiles.getTokens()), 1, [&](Expression offset) {
    Expression slot = getSlot(offset), isFirst = offset == 0;
    Expression previous = getSlot(quern::select(isFirst, offset, offset - 1));
    k.when(isFirst | ((slot == previous) == 0), [&] { attend(slot); });
  });
  return Status::ok();
}

Status quern::buildAttention(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  QUERN_ASSIGN_OR_RETURN(double scale, k.getFloat("scale"));
  QUERN_ASSIGN_OR_RETURN(int64_t group, getGroup(k, k.dim("Q")));
  if (AttentionTiles::fits(k, group, k.dim("T")))
    return buildTiles(k, scale, group);
  return AttentionBuilder(k, scale, group).build();
}

Status quern::buildAttentionSplit(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  QUERN_ASSIGN_OR_RETURN(double scale, k.getFloat("scale"));
  int64_t splits = k.dim("SPLITS"), heads = k.dim("HQ");
  QUERN_ASSIGN_OR_RETURN(int64_t group, getGroup(k, heads * k.dim("D")));
  k.setSubgroups(1);
  k.setGrid(0, k.dim("HK"));
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), 1));
  k.setGrid(2, splits);
  Expression head = k.getGroup(0), token = k.getGroup(1), split = k.getGroup(2);
  HeadUnits units(k);
  int64_t perHead = k.dim("D") / units.getElements();
  OutputBuffer partial = units.getOutput("partial"),
               sums = k.getRunOutput("sums", 2);
  auto locate = [&](Expression h) {
    Expression row = token * double(heads) + head * double(group) + h;
    return row * double(splits) + split;
  };
  // Equal shares of the token's pages.
  auto getLength = [&](const PagedCache &cache) {
    double pageSize = k.dim("PAGE_SIZE");
    Expression pages = cache.getPosition(token) / pageSize + 1;
    return (pages + double(splits - 1)) / double(splits) * pageSize;
  };

  if (AttentionTiles::fits(k, group, 1)) {
    AttentionTiles tiles(k, scale, group, /*mostTokens=*/1);
    Expression length = getLength(tiles.getCache()), begin = split * length;
    tiles.begin(token, head);
    tiles.attend(tiles.getCache().getSlot(token), begin, begin + length);
    tiles.forEachUnit([&](const AttentionTiles::Rows &row, Expression unit,
                          const Expressions &parts) {
      units.write(partial, locate(row.head) * double(perHead) + unit, parts);
    });
    tiles.forEachRow([&](const AttentionTiles::Rows &row) {
      sums.writeRun(locate(row.head) * 2, {row.maximum, row.total});
    });
    return Status::ok();
  }

  AttentionRows rows(k, scale, group);
  Expression length = getLength(rows.getCache()), begin = split * length;
  AttentionRows::States states = rows.attend(
      {token}, rows.getCache().getSlot(token), head, begin, begin + length);
  for (int64_t h = 0; h != group; ++h) {
    Expression at = locate(k.index(h));
    rows.forEachUnit(states[h], [&](Expression unit, const Expressions &parts) {
      units.write(partial, at * double(perHead) + unit, parts);
    });
    rows.inOneLane(
        [&] { sums.writeRun(at * 2, {states[h].maximum, states[h].total}); });
  }
  return Status::ok();
}

Status quern::buildAttentionMerge(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  QUERN_ASSIGN_OR_RETURN(OutputGate gate, OutputGate::create(k, [&] {
                           return k.getInput("gate");
                         }));
  int64_t splits = k.dim("SPLITS"), octets = k.dim("D") / 8,
          perToken = k.dim("HQ") * octets;
  InputBuffer partial = k.getInput("partial"), sums = k.getScalarInput("sums");
  OutputBuffer out = k.getOutput("out");
  return buildPerItem(
      k, k.dim("T"), perToken, [&](Expression token, Expression item) {
        Expression row =
            (token * double(perToken) + item) / double(octets) * double(splits);
        Expressions maxima;
        Expression maximum;
        for (int64_t s = 0; s != splits; ++s) {
          maxima.push_back(sums.read((row + double(s)) * 2));
          maximum = maximum ? max(maximum, maxima[s]) : maxima[s];
        }
        Expression total = k.f32(0);
        Octet values{k.zeroVector(), k.zeroVector()};
        for (int64_t s = 0; s != splits; ++s) {
          Expression at = row + double(s), weight = exp(maxima[s] - maximum);
          total = fma(weight, sums.read(at * 2 + 1), total);
          Octet part =
              partial.readOctet(at * double(octets) + item % double(octets));
          values = mapOctets(
              [&](Expression x, Expression sum) { return fma(x, weight, sum); },
              part, values);
        }
        Octet result =
            mapOctet([&](Expression x) { return x / total; }, values);
        out.writeOctet(token * double(perToken) + item,
                       gate.apply(k, token, item, result));
      });
}
