//===- MatrixTiles.cpp - Tiles of a product on matrix units ---------------===//
//
// A stage of workgroup memory holds a step of the tile's inputs and weights:
// rows of 64 bytes, four units of 16 bytes each. Lanes fill units; a subgroup
// loads fragments of 16 tokens or 16 weight rows and multiplies each with each.
//
// Weight rows lie in another order than in memory: of 16, slots 2 t, 2 t + 1,
// 8 + 2 t and 9 + 2 t are the four rows from 4 t on, because a lane gets the
// products of these slots, and so stores four in a row.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/MatrixTiles.h"

#include <algorithm>

using namespace quern;

static constexpr unsigned unitsPerRow = MatrixTile::depth / 8;
static constexpr unsigned fragmentRows = 16, fragmentDepth = 16;
/// Fragments of 8 weight rows, each of which has sums of its own.
static constexpr unsigned rowFragments = MatrixTile::subgroupRows / 8;
static constexpr unsigned rowsPerLane = MatrixTile::rowsPerLane;

MatrixTile quern::chooseMatrixTile(const TargetDescription &target,
                                   const Linear &linear) {
  unsigned tokens = target.mmaTokens, rows = target.mmaRows;
  while (tokens > fragmentRows && tokens / 2 >= linear.tokens)
    tokens /= 2;
  auto countGroups = [&] {
    return (linear.tokens + tokens - 1) / tokens *
           ((linear.weightRows + rows - 1) / rows);
  };
  // Smaller ones would read more than they multiply.
  constexpr unsigned leastProducts = 64 * 64;
  while (tokens * rows > leastProducts &&
         countGroups() < target.multiprocessors)
    (tokens < rows ? rows : tokens) /= 2;
  return {tokens, rows, std::clamp(tokens / 2, fragmentRows, 64U)};
}

std::optional<DataType> quern::chooseMatrixElement(const KernelBuilder &k,
                                                   const Linear &linear) {
  DataType input = k.getType("x"), weight = k.getType("weight");
  if (k.getTarget().mmaTokens == 0 || input == DataType::F32 ||
      linear.weightRows % 8 != 0)
    return std::nullopt;
  // Codes and bf16 weights are halves, but halves are not bf16.
  bool fits = k.getArgument("weight").encoding != Encoding::None ||
              weight == input ||
              (weight == DataType::BF16 && input == DataType::F16);
  return fits ? std::optional(input) : std::nullopt;
}

MatrixProduct::MatrixProduct(KernelBuilder &k, const Linear &linear,
                             const MatrixTile &tile, DataType element)
    : k(k), octets(linear.octets()), inputs(linear.inputs),
      steps((octets + unitsPerRow - 1) / unitsPerRow), tile(tile),
      stages(k.getTarget().mmaStages), element(element),
      weightType(k.getType("weight")) {
  const KernelArgument &weight = k.getArgument("weight");
  if (weight.encoding != Encoding::None)
    encoding = &getEncodingInfo(weight.encoding);
  k.setSubgroups(tile.subgroups());
  memory = k.getWorkgroupVectors(int64_t(stages * getStageUnits()));
  lane = k.getLane();
  Expression subgroup = k.getSubgroup();
  thread = subgroup * double(k.getSubgroupSize()) + lane;
  double across = tile.rows / MatrixTile::subgroupRows;
  subgroupToken = subgroup / across * double(tile.subgroupTokens);
  subgroupRow = subgroup % across * double(MatrixTile::subgroupRows);
}

double MatrixProduct::getStageUnits() const {
  return (tile.tokens + tile.rows) * unitsPerRow;
}

//===----------------------------------------------------------------------===//
// To workgroup memory
//===----------------------------------------------------------------------===//

/// Where a unit of a row lies: that of eight rows in a row is each time in
/// another eighth of the banks.
Expression MatrixProduct::getUnit(Expression slot, Expression chunk) {
  return slot * double(unitsPerRow) +
         (chunk ^ (slot / 2 % double(unitsPerRow)));
}

/// The weight row of a slot.
static Expression getRowOfSlot(Expression slot) {
  return slot / 16 * 16 + slot % 8 / 2 * 4 + slot / 8 % 2 * 2 + slot % 2;
}

void MatrixProduct::forUnits(
    unsigned slots, llvm::function_ref<void(size_t, Expression)> body) {
  unsigned units = slots * unitsPerRow, lanes = k.launch.workgroupSize[0];
  for (unsigned i = 0; i * lanes < units; ++i) {
    Expression unit = thread + double(i * lanes);
    k.guard(
        units < (i + 1) * lanes, [&] { return unit < double(units); },
        [&] { body(i, unit); });
  }
}

MatrixProduct::Copied MatrixProduct::prepareCopies(std::string_view name,
                                                   unsigned slots,
                                                   unsigned firstUnit,
                                                   Place place) {
  Copied copied{k.getInput(name), slots, firstUnit, {}};
  unsigned lanes = k.launch.workgroupSize[0];
  for (unsigned at = 0; at < slots * unitsPerRow; at += lanes) {
    Expression slot = (thread + double(at)) / double(unitsPerRow);
    copied.octets.push_back(place(slot, 1) * double(octets) +
                            thread % double(unitsPerRow));
  }
  return copied;
}

/// Copies a step of the rows; inputs beyond the last are zeros.
void MatrixProduct::copy(const Copied &copied, Expression step,
                         Expression stage) {
  Expression first = step * double(unitsPerRow);
  Expression chunk = thread % double(unitsPerRow), valid;
  if (octets % unitsPerRow != 0)
    valid = first + chunk < double(octets);
  forUnits(copied.slots, [&](size_t i, Expression unit) {
    Expression to = getUnit(unit / double(unitsPerRow), chunk);
    memory.copyFrom(copied.buffer, copied.octets[i] + first,
                    stage + double(copied.firstUnit) + to, valid);
  });
}

void MatrixProduct::copyStep(Expression step, Expression stage) {
  copy(tokens, step, stage);
  if (!encoding)
    copy(rows, step, stage);
}

//===----------------------------------------------------------------------===//
// Encoded weights. A step is a group of columns; a lane decodes two units.
//===----------------------------------------------------------------------===//

void MatrixProduct::prepareCodes(Place rowPlace) {
  InputBuffer buffer = k.getInput("weight");
  auto total = int64_t(k.getArgument("weight").getElements()) / inputs;
  auto getRows = [&](Expression first, unsigned count) {
    return WeightRows(k, "weight", buffer, inputs,
                      {rowPlace(first, count), count, total, false});
  };
  unsigned lanes = k.launch.workgroupSize[0];
  for (unsigned at = 0; at < tile.rows * 2; at += lanes)
    codeRows.push_back(getRows(
        getRowOfSlot((thread + double(at)) / 2 % double(tile.rows)), 1));
  for (unsigned row = 0; row != MatrixTile::subgroupRows; row += fragmentRows)
    factorRows.push_back(
        getRows(subgroupRow + double(row) + lane % 4 * double(rowsPerLane),
                rowsPerLane));
}

/// The words with the codes of this lane's units.
Expressions MatrixProduct::readCodes(Expression group) {
  Expression octet = group * double(unitsPerRow) + thread % 2 * 2;
  Expressions words;
  for (const WeightRows &row : codeRows)
    words.push_back(row.readCodeWords(0, octet));
  return words;
}

void MatrixProduct::writeCodes(llvm::ArrayRef<Expression> words,
                               Expression stage) {
  unsigned lanes = k.launch.workgroupSize[0];
  Expression first = stage + double(tile.tokens * unitsPerRow);
  for (auto [i, vector] : llvm::enumerate(words)) {
    Expression slot = (thread + double(i * lanes)) / 2;
    k.guard(
        tile.rows * 2 < (i + 1) * lanes,
        [&] { return slot < double(tile.rows); },
        [&, vector = vector] {
          for (unsigned unit = 0; unit != 2; ++unit) {
            Expression chunk = thread % 2 * 2 + double(unit);
            Octet codes = codeRows.front().decodeCodes(vector, chunk);
            memory.write(first + getUnit(slot, chunk),
                         packOctet(element, codes));
          }
        });
  }
}

MatrixProduct::Factors MatrixProduct::readFactors(Expression group) {
  Factors factors;
  for (const WeightRows &row : factorRows) {
    Expressions scales = row.readScales(group);
    if (encoding->hasMinimum)
      factors.minima.append(row.readMinima(group, scales));
    factors.scales.append(scales);
  }
  return factors;
}

//===----------------------------------------------------------------------===//
// To registers, and the product
//===----------------------------------------------------------------------===//

Expression MatrixProduct::convert(Expression word) {
  if (encoding || weightType == element)
    return word;
  return packHalves(floatOf(word << 16), floatOf(word & 0xffff0000u));
}

void MatrixProduct::multiplyStage(Expression stage, Expressions &sums,
                                  Expressions *totals) {
  Expression rowStage = stage + double(tile.tokens * unitsPerRow);
  Expression ones = k.i32(element == DataType::F16 ? 0x3c003c00 : 0x3f803f80);
  for (unsigned at = 0; at != MatrixTile::depth; at += fragmentDepth) {
    double chunk = at / 8;
    // Matrices of a fragment of tokens: rows 0 to 7 and 8 to 15, then the same
    // of the next eight inputs. Of weight rows: eight inputs and the next, then
    // the same of the next eight rows.
    Expression tokenUnit =
        stage + getUnit(subgroupToken + lane % 16, lane / 16 + chunk);
    Expression rowUnit =
        rowStage +
        getUnit(subgroupRow + lane / 16 * 8 + lane % 8, lane / 8 % 2 + chunk);
    Expressions a, b;
    for (unsigned i = 0; i != tile.subgroupTokens; i += fragmentRows)
      a.push_back(memory.loadMatrices(tokenUnit + double(i * unitsPerRow)));
    for (unsigned i = 0; i != MatrixTile::subgroupRows; i += fragmentRows) {
      Expression words = memory.loadMatrices(rowUnit + double(i * unitsPerRow));
      for (unsigned word = 0; word != 4; ++word)
        b.push_back(convert(words[word]));
    }
    for (size_t t = 0; t != a.size(); ++t) {
      for (unsigned r = 0; r != rowFragments; ++r) {
        Expression &sum = sums[t * rowFragments + r];
        sum = multiplyFragments(element, a[t], {b[2 * r], b[2 * r + 1]}, sum);
      }
      if (totals)
        (*totals)[t] =
            multiplyFragments(element, a[t], {ones, ones}, (*totals)[t]);
    }
  }
}

/// Codes come a turn later than they are read, factors too.
Expressions MatrixProduct::multiplyTurn(const Turn &turn,
                                        llvm::ArrayRef<Expression> carried,
                                        Factors &factors) {
  Expressions sums(carried.begin(), carried.end());
  if (!encoding) {
    multiplyStage(turn.used, sums, nullptr);
    return sums;
  }
  Expression next = min(turn.step + 1, k.index(steps - 1));
  Expressions codes = readCodes(next);
  Factors nextFactors = readFactors(next);
  Expressions products(sums.size(), k.zeroVector());
  Expressions totals(sums.size() / rowFragments, k.zeroVector());
  multiplyStage(turn.used, products, encoding->hasMinimum ? &totals : nullptr);
  for (size_t i = 0; i != sums.size(); ++i) {
    size_t first = i % rowFragments * 2;
    auto pair = [&](const Expressions &values) {
      return vector(
          {values[first], values[first + 1], values[first], values[first + 1]});
    };
    sums[i] = fma(products[i], pair(factors.scales), sums[i]);
    if (encoding->hasMinimum)
      sums[i] = fma(totals[i / rowFragments], pair(factors.minima), sums[i]);
  }
  writeCodes(codes, turn.following);
  factors = nextFactors;
  return sums;
}

void MatrixProduct::build(Place tokenPlace, Place rowPlace, Store store) {
  tokens = prepareCopies("x", tile.tokens, 0, tokenPlace);
  if (encoding)
    prepareCodes(rowPlace);
  else
    rows = prepareCopies("weight", tile.rows, tile.tokens * unitsPerRow,
                         [&](Expression slot, unsigned count) {
                           return rowPlace(getRowOfSlot(slot), count);
                         });
  double stageUnits = getStageUnits();
  unsigned ahead = stages - 1;
  for (unsigned step = 0; step != ahead; ++step) {
    if (step < steps)
      copyStep(k.index(step), k.index(int64_t(step * stageUnits)));
    commitCopies(k);
  }
  unsigned numSums = tile.subgroupTokens / fragmentRows * rowFragments;
  Expressions carried(numSums, k.zeroVector());
  Factors factors;
  if (encoding) {
    writeCodes(readCodes(k.index(0)), k.index(0));
    factors = readFactors(k.index(0));
    carried.append(factors.scales);
    carried.append(factors.minima);
  }
  carried.push_back(k.index(0));
  carried.push_back(k.index(int64_t(ahead * stageUnits)));
  auto next = [&](Expression stage) {
    Expression after = stage + stageUnits;
    return select(after == stages * stageUnits, k.index(0), after);
  };
  auto body = [&](Expression step, llvm::ArrayRef<Expression> values) {
    Expression used = values[values.size() - 2], filled = values.back();
    waitForCopies(k, stages - 2);
    // Of all lanes; and all have left the stage that is filled next.
    k.barrier();
    k.when(step + double(ahead) < double(steps),
           [&] { copyStep(step + double(ahead), filled); });
    commitCopies(k);
    auto take = [&](Expressions &list, size_t first) {
      for (size_t i = 0; i != list.size(); ++i)
        list[i] = values[first + i];
    };
    Factors own = factors;
    take(own.scales, numSums);
    take(own.minima, numSums + own.scales.size());
    Expressions results =
        multiplyTurn({step, used, next(used)}, values.take_front(numSums), own);
    results.append(own.scales);
    results.append(own.minima);
    results.push_back(next(used));
    results.push_back(next(filled));
    return results;
  };
  carried = k.loop(k.index(0), k.index(steps), 1, carried, body);
  // Rows g and g + 8 of a fragment, and four weight rows of two of them.
  for (unsigned fragment = 0; fragment != numSums; fragment += 2) {
    const Expression &a = carried[fragment], &b = carried[fragment + 1];
    Expression token = subgroupToken + lane / 4 +
                       double(fragment / rowFragments * fragmentRows);
    Expression row = subgroupRow + double(fragment % rowFragments * 8) +
                     lane % 4 * double(rowsPerLane);
    store(token, row, {a[0], a[1], b[0], b[1]});
    store(token + 8, row, {a[2], a[3], b[2], b[3]});
  }
}

//===----------------------------------------------------------------------===//
// linear
//===----------------------------------------------------------------------===//

Status quern::buildLinearMatrix(KernelBuilder &k, const Linear &linear,
                                DataType element) {
  MatrixTile tile = chooseMatrixTile(k.getTarget(), linear);
  MatrixProduct product(k, linear, tile, element);
  k.setGrid(0, (linear.weightRows + tile.rows - 1) / tile.rows);
  QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, tile.tokens));
  // Neighbours read the same weights.
  k.countAlongX();
  OutputBuffer out = getLinearOutput(k, linear, rowsPerLane);
  Expression firstToken = k.getGroup(0) * double(tile.tokens);
  Expression firstRow = k.getGroup(1) * double(tile.rows);
  bool tokensMayEnd = linear.tokens % tile.tokens != 0;
  bool rowsMayEnd = linear.weightRows % tile.rows != 0;
  auto place = [&](Expression at, int64_t last, bool mayEnd) {
    return mayEnd ? min(at, k.index(last)) : at;
  };
  product.build(
      [&](Expression token, unsigned count) {
        return place(firstToken + token, linear.tokens - count, tokensMayEnd);
      },
      [&](Expression row, unsigned count) {
        return place(firstRow + row, linear.weightRows - count, rowsMayEnd);
      },
      [&](Expression tileToken, Expression tileRow,
          const Expressions &products) {
        Expression token = firstToken + tileToken, row = firstRow + tileRow;
        auto isInside = [&] {
          Expression inside = token < double(linear.tokens);
          return rowsMayEnd ? inside & (row < double(linear.weightRows))
                            : inside;
        };
        k.guard(tokensMayEnd || rowsMayEnd, isInside,
                [&] { storeOutputs(k, linear, out, token, row, products); });
      });
  return Status::ok();
}
