//===- PanelTiles.cpp - Panels times tiles of inputs ----------------------===//
//
// Words of four codes or two bf16 numbers of panels lie as tile registers take
// them. Inputs that are codes do as well, and sums of a group are scaled and
// added up in vectors. Codes of a panel are made bytes first, for all tokens of
// a workgroup. Inputs that are floats become bf16 numbers, the sum of which
// they are, in workgroup memory, for all panels of a workgroup.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/PanelTiles.h"

#include "codegen/Kernels/EncodedPanels.h"
#include "codegen/Kernels/MatrixUnit.h"
#include "codegen/Kernels/TileUnit.h"

using namespace quern;

namespace {

/// bf16 numbers that an input becomes: an f32 3 of 8 bits for its 24.
int64_t getInputParts(const KernelBuilder &k) {
  return k.getType("x") == DataType::F32 ? 3 : 1;
}
/// Tiles and panels that are multiplied with each other at a time, whose sums
/// fill half of the tile registers.
constexpr int64_t tilesTogether = 2, panelsTogether = 2;

/// Tokens of a workgroup with float inputs; 0: a tile does not fit its memory.
int64_t getDenseTokens(const KernelBuilder &k, const Linear &linear) {
  int64_t parts = getInputParts(k);
  int64_t rowBytes = parts == 1 ? 0 : linear.inputs * 2 * parts;
  int64_t tokens = tilesTogether * kTileRows;
  while (tokens >= kTileRows &&
         (tokens / 2 >= linear.tokens ||
          tokens * rowBytes > k.getTarget().maxWorkgroupMemory))
    tokens /= 2;
  return tokens >= kTileRows ? tokens : 0;
}

class TileLinear {
public:
  TileLinear(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), columns(k, linear, 1), out(columns.getOutput()) {}

  Status buildDense() {
    int64_t tokens = getDenseTokens(k, linear), words = linear.inputs / 2;
    InputBuffer x = k.getInput("x"), weight = k.getScalarInput("weight");
    PanelColumns pairs(k, linear, panelsTogether);
    int64_t perGroup =
        std::max<int64_t>(1, k.getTarget().tilePanels / panelsTogether);
    QUERN_RETURN_IF_ERROR(
        setGrid(tokens, (pairs.getGroups() + perGroup - 1) / perGroup));
    Expressions wanted, first;
    for (int64_t t = 0; t != tokens; t += kTileRows) {
      wanted.push_back(k.getGroup(0) * double(tokens) + double(t));
      first.push_back(getFirstToken(wanted.back()));
    }
    InputTiles inputs =
        getInputParts(k) == 1 ? takeRows(x, first) : splitRows(x, first);
    Expression begin = k.getGroup(1) * double(perGroup);
    Expression end = min(begin + double(perGroup), k.index(pairs.getGroups()));
    k.loop(begin, end, 1, [&](Expression pair) {
      PanelColumns two(k, linear, panelsTogether);
      two.place(pair, /*apart=*/false);
      Expressions panels;
      for (const Expression &panel : two.numbers)
        panels.push_back(panel * double(words * kTileRows));
      Expressions products = multiplyTiles(TileElement::BF16, inputs,
                                           {weight.getMemory(), panels, words});
      for (size_t tile = 0; tile != first.size(); ++tile)
        for (int64_t t = 0; t != kTileRows; ++t) {
          Expressions row;
          for (size_t p = 0; p != panels.size(); ++p)
            row.push_back(products[(tile * panels.size() + p) * kTileRows + t]);
          Expression token = first[tile] + double(t);
          two.store(
              out, token, linear.tokens % tokens != 0,
              [&] { return token >= wanted[tile]; }, row);
        }
    });
    return Status::ok();
  }

  Status buildInteger() {
    int64_t tokens = k.getTarget().tileTokens;
    while (tokens / 2 >= linear.tokens && tokens > kTileRows)
      tokens /= 2;
    codes = k.getScalarInput("codes");
    factors = k.getScalarInput("factors");
    EncodedPanels panels(k, linear);
    QUERN_RETURN_IF_ERROR(setGrid(tokens, columns.getGroups()));
    columns.place(k.getGroup(1), /*apart=*/false);
    panels.addPanel(k.index(0), columns.numbers[0]);
    WorkgroupArray bytes = expandCodes(panels);
    Expression first = k.getGroup(0) * double(tokens);
    k.loop(k.index(0), k.index(tokens), kTileRows, [&](Expression t) {
      Expression wanted = first + t;
      k.guard(
          linear.tokens % tokens != 0,
          [&] { return wanted < double(linear.tokens); },
          [&] { multiplyTile(panels, bytes, wanted); });
    });
    return Status::ok();
  }

private:
  static constexpr int64_t wordsPerGroup = kGroupSize / 4;
  static constexpr int64_t mostGroupsTogether = 4;

  Status setGrid(int64_t tokens, int64_t groups) {
    k.setSubgroups(1);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, tokens));
    // Neighbours read the same weights.
    k.countAlongX();
    k.setGrid(1, groups);
    return Status::ok();
  }

  /// The first token of a tile of 16 from `wanted` on, or of the last one:
  /// then products of tokens before `wanted` are not stored.
  Expression getFirstToken(Expression wanted) {
    return min(wanted, k.index(linear.tokens - kTileRows));
  }

  /// Tiles of bf16 inputs as they are.
  InputTiles takeRows(const InputBuffer &x, llvm::ArrayRef<Expression> tokens) {
    InputTiles tiles{x.getMemory(), {}, linear.inputs / 2};
    for (const Expression &token : tokens)
      tiles.starts.push_back(token * double(tiles.rowStride));
    return tiles;
  }

  /// Tiles of the parts of f32 inputs, one behind the other in each row.
  InputTiles splitRows(const InputBuffer &x,
                       llvm::ArrayRef<Expression> tokens) {
    int64_t parts = getInputParts(k), words = linear.inputs / 2;
    int64_t rowWords = parts * words;
    WorkgroupVectors memory = k.getWorkgroupVectors(int64_t(tokens.size()) *
                                                    kTileRows * rowWords / 4);
    InputTiles tiles{memory.getMemory(), {}, rowWords, parts, words};
    for (auto [i, token] : llvm::enumerate(tokens)) {
      int64_t start = int64_t(i) * kTileRows * rowWords;
      tiles.starts.push_back(k.index(start));
      k.loop(k.index(0), k.index(kTileRows), 1,
             [&, token = token](Expression t) {
               splitRow(x, token + t, memory,
                        t * double(rowWords / 4) + double(start / 4));
             });
    }
    return tiles;
  }

  /// Writes the parts of a row from vector `to` on.
  void splitRow(const InputBuffer &x, Expression row,
                const WorkgroupVectors &memory, Expression to) {
    k.forEach(linear.octets(), k.getSubgroupSize(), k.getLane(),
              [&](Expression octet) {
                Octet rest = k.reorder(
                    x.readOctet(row * double(linear.octets()) + octet),
                    OctetOrder::EvenOdd);
                for (int64_t part = 0; part != getInputParts(k); ++part)
                  memory.write(to + octet + double(part * linear.octets()),
                               takeBFloats(rest));
              });
  }

  /// The codes of the panel, less the code of zero, as bytes with a sign. What
  /// are bytes already is read from memory in one go so.
  WorkgroupArray expandCodes(const EncodedPanels &panels) {
    const EncodingInfo &info = panels.getInfo();
    WorkgroupArray bytes =
        k.getWorkgroupArray(panels.getGroups() * wordsPerGroup * kTileRows);
    constexpr uint32_t everyByte = 0x01010101, signs = 0x80808080;
    k.loop(k.index(0), k.index(panels.getGroups()), 1, [&](Expression group) {
      Expression at = group * double(wordsPerGroup * kTileRows) + k.getLane();
      for (auto [w, word] : llvm::enumerate(panels.readCodes(0, group))) {
        // With the sign bit set no byte borrows from the next one.
        if (info.zero != 0)
          word = ((word | double(signs)) - double(info.zero * everyByte)) ^
                 double(signs);
        bytes.write(at + double(int64_t(w) * kTileRows), floatOf(word));
      }
    });
    return bytes;
  }

  /// The products of 16 tokens from `wanted` on, or of the last 16.
  void multiplyTile(const EncodedPanels &panels, const WorkgroupArray &bytes,
                    Expression wanted) {
    bool mayEnd = linear.tokens % kTileRows != 0;
    Expression token = mayEnd ? getFirstToken(wanted) : wanted;
    // Products of several groups are under way before the first are scaled.
    int64_t together = mostGroupsTogether;
    while (panels.getGroups() % together != 0)
      together /= 2;
    Expressions sums = k.loop(
        k.index(0), k.index(panels.getGroups()), together,
        Expressions(kTileRows, k.f32(0)),
        [&](Expression first, llvm::ArrayRef<Expression> carried) {
          std::vector<Expressions> products;
          for (int64_t g = 0; g != together; ++g)
            products.push_back(
                multiplyGroup(panels, bytes, token, first + double(g)));
          Expressions next(carried.begin(), carried.end());
          for (int64_t g = 0; g != together; ++g)
            scaleGroup(panels, token, first + double(g), products[g], next);
          return next;
        });
    for (int64_t t = 0; t != kTileRows; ++t)
      columns.store(
          out, token + double(t), mayEnd,
          [&] { return token + double(t) >= wanted; }, sums[t]);
  }

  /// The products of the codes of 16 tokens and a group.
  Expressions multiplyGroup(const EncodedPanels &panels,
                            const WorkgroupArray &bytes, Expression token,
                            Expression group) {
    int64_t groups = panels.getGroups();
    return multiplyTiles(
        TileElement::Int8,
        {codes.getMemory(),
         {(token * double(groups) + group) * double(wordsPerGroup)},
         groups * wordsPerGroup},
        {bytes.getMemory(),
         {group * double(wordsPerGroup * kTileRows)},
         wordsPerGroup});
  }

  void scaleGroup(const EncodedPanels &panels, Expression token,
                  Expression group, llvm::ArrayRef<Expression> products,
                  Expressions &sums) {
    double groups = double(panels.getGroups());
    WeightFactors weight = panels.readFactors(0, group);
    Expression first = (token * groups + group) * 2.0;
    for (int64_t t = 0; t != kTileRows; ++t) {
      Expression at = first + double(t) * groups * 2.0;
      CodeFactors input{factors.read(at), {}};
      if (weight.minimum)
        input.sum = factors.read(at + 1.0);
      sums[t] = addGroup(sums[t], toF32Signed(products[t]), input, weight);
    }
  }

  KernelBuilder &k;
  Linear linear;
  PanelColumns columns;
  OutputBuffer out;
  InputBuffer codes, factors;
};

} // namespace

bool quern::fitsTiles(const KernelBuilder &k, const Linear &linear,
                      PanelInputs inputs) {
  const TargetDescription &target = k.getTarget();
  if (target.tileTokens == 0 || linear.tokens < kTileRows ||
      !k.hasConfig("weight_panels"))
    return false;
  if (inputs == PanelInputs::Codes)
    return linear.inputs * kTileRows <= target.maxWorkgroupMemory;
  return k.getType("x") != DataType::F16 &&
         k.getType("weight") == DataType::BF16 &&
         linear.inputs % kGroupSize == 0 && getDenseTokens(k, linear) != 0;
}

Status quern::buildTileLinear(KernelBuilder &k, const Linear &linear,
                              PanelInputs inputs) {
  TileLinear tiles(k, linear);
  return inputs == PanelInputs::Codes ? tiles.buildInteger()
                                      : tiles.buildDense();
}
