//===- Elementwise.cpp - Kernels without sums -----------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Rows.h"
#include "codegen/Kernels/WeightRows.h"

using namespace quern;

/// Only the rows that are asked for move.
static void countGatheredBytes(KernelBuilder &k, std::string_view table) {
  const KernelArgument &rows = k.getArgument(table),
                       &out = k.getArgument("out");
  k.idealBytes =
      out.getBytes() + rows.getBytes() / rows.shape.front() * out.shape.front();
}

/// out[t] = table[min(ids[t], limit - 1)], f32.
static Status buildGather(KernelBuilder &k, std::string_view table,
                          std::string_view ids, std::string_view limit,
                          std::string_view rows, std::string_view count) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "H", 8));
  int64_t octets = k.dim("H") / 8;
  countGatheredBytes(k, table);
  InputBuffer source = k.getInput(table), index = k.getInput(ids);
  OutputBuffer out = k.getOutput("out");
  return buildPerOctet(
      k, k.dim(rows), k.dim("H"),
      [&](Expression row, Expression octet) {
        Expression from =
            min(toIndex(index.read(row)), k.index(k.dim(limit) - 1));
        WeightRows values(k, table, source, k.dim("H"),
                          {from, 1, k.dim(limit), false});
        out.writeOctet(row * double(octets) + octet,
                       values.readOctets(octet).front());
      },
      count);
}

/// The embedding of an encoded table in panels: an item is a word of codes.
static Status buildEncodedPanelEmbedding(KernelBuilder &k, int64_t panelRows) {
  InputBuffer table = k.getScalarInput("table"), ids = k.getInput("ids");
  countGatheredBytes(k, "table");
  OutputBuffer out = k.getRunOutput("out", 1);
  int64_t features = k.dim("H");
  EncodedMatrix matrix(k.getArgument("table").encoding, k.dim("V"), features);
  const EncodingInfo &info = matrix.getInfo();
  double perGroup = info.wordsPerGroup(), rows = double(panelRows);
  int64_t words = matrix.groupsPerRow() * info.wordsPerGroup();
  return buildPerItem(
      k, k.dim("T"), words,
      [&](Expression token, Expression word) {
        Expression id = min(toIndex(ids.read(token)), k.index(k.dim("V") - 1));
        Expression at = (id / rows * double(words) + word) * rows + id % rows;
        Expression codes = table.read(at), group = word / perGroup;
        Expression factor =
            (id / double(kScaleRows) * double(matrix.groupsPerRow()) + group) *
                double(info.factorsPerGroup() * kScaleRows) +
            (id % double(kScaleRows) + double(matrix.wordBytes() / 2));
        Expression scale = table.readHalf(factor), minimum;
        if (info.hasMinimum)
          minimum = toMinimum(info, table.readHalf(factor + double(kScaleRows)),
                              scale);
        // Code i of word j of four is element 4 * i + j (Encoding.h).
        Expression first = token * double(features) +
                           word / 4 * double(4 * info.codesPerWord()) +
                           word % 4;
        for (unsigned i = 0; i != info.codesPerWord(); ++i) {
          Expression value =
              readCode(info, codes, codes.constant(i * info.bits));
          value = info.hasMinimum ? fma(value, scale, minimum) : value * scale;
          out.writeRun(first + double(4 * i), {value});
        }
      },
      "tokens");
}

/// The embedding of a table in panels: an item is a word.
static Status buildPanelEmbedding(KernelBuilder &k, int64_t panelRows) {
  if (k.getArgument("table").encoding != Encoding::None)
    return buildEncodedPanelEmbedding(k, panelRows);
  InputBuffer table = k.getScalarInput("table"), ids = k.getInput("ids");
  countGatheredBytes(k, "table");
  unsigned perWord = k.getType("table") == DataType::F32 ? 1 : 2;
  OutputBuffer out = k.getRunOutput("out", perWord);
  int64_t features = k.dim("H"), words = features / perWord;
  double rows = double(panelRows);
  return buildPerItem(
      k, k.dim("T"), words,
      [&](Expression token, Expression word) {
        Expression id = min(toIndex(ids.read(token)), k.index(k.dim("V") - 1));
        Expression at = (id / rows * double(words) + word) * rows + id % rows;
        out.writeRun(token * double(features) + word * double(perWord),
                     table.readWord(at));
      },
      "tokens");
}

Status quern::buildEmbedding(KernelBuilder &k) {
  QUERN_ASSIGN_OR_RETURN(int64_t panelRows, k.getWeightPanels());
  if (panelRows != 0)
    return buildPanelEmbedding(k, panelRows);
  return buildGather(k, "table", "ids", "V", "T", "tokens");
}

Status quern::buildSelectRows(KernelBuilder &k) {
  return buildGather(k, "x", "rows", "T", "R", "rows");
}

/// out[t, i] = function(left[t, i], right[t, i])
template <typename Function>
static Status buildBinary(KernelBuilder &k, std::string_view left,
                          std::string_view right, std::string_view features,
                          Function function) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, features, 8));
  int64_t octets = k.dim(features) / 8;
  InputBuffer x = k.getInput(left), y = k.getInput(right);
  OutputBuffer out = k.getOutput("out");
  return buildPerOctet(
      k, k.dim("T"), k.dim(features), [&](Expression row, Expression octet) {
        Expression at = row * double(octets) + octet;
        Octet a = x.readOctet(at), b = y.readOctet(at);
        out.writeOctet(at, mapOctets(function, a, k.reorder(b, a.order)));
      });
}

Status quern::buildResidualAdd(KernelBuilder &k) {
  return buildBinary(k, "residual", "delta", "H",
                     [](Expression a, Expression b) { return a + b; });
}

Status quern::buildSwiglu(KernelBuilder &k) {
  return buildBinary(k, "gate", "up", "I",
                     [](Expression a, Expression b) { return silu(a) * b; });
}

Status quern::buildSigmoidGate(KernelBuilder &k) {
  return buildBinary(k, "x", "gate", "I", [](Expression a, Expression b) {
    return a / (1 + exp(0 - b));
  });
}

Status quern::buildSliceFeatures(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "F", 8));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "I", 8));
  QUERN_ASSIGN_OR_RETURN(int64_t offset, k.getInteger("offset"));
  if (offset < 0 || offset > k.dim("F") - k.dim("I"))
    return invalidArgument(std::to_string(k.dim("I")) +
                           " features from offset " + std::to_string(offset) +
                           " of " + std::to_string(k.dim("F")));
  if (offset % 8 != 0)
    return unsupported("config member offset " + std::to_string(offset) +
                       " is not a multiple of 8");
  InputBuffer x = k.getInput("x");
  OutputBuffer out = k.getOutput("out");
  k.idealBytes = 2 * k.getArgument("out").getBytes();
  int64_t begin = offset / 8, inOctets = k.dim("F") / 8,
          outOctets = k.dim("I") / 8;
  return buildPerOctet(
      k, k.dim("T"), k.dim("I"), [&](Expression row, Expression octet) {
        Expression from = row * double(inOctets) + octet + double(begin);
        out.writeOctet(row * double(outOctets) + octet, x.readOctet(from));
      });
}

Status quern::buildConcatFeatures(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "A", 8));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "B", 8));
  int64_t first = k.dim("A") / 8, second = k.dim("B") / 8;
  if (k.dim("I") != k.dim("A") + k.dim("B"))
    return invalidArgument(std::to_string(k.dim("A")) + " and " +
                           std::to_string(k.dim("B")) + " features give not " +
                           std::to_string(k.dim("I")));
  InputBuffer a = k.getInput("a"), b = k.getInput("b");
  OutputBuffer out = k.getOutput("out");
  return buildPerOctet(
      k, k.dim("T"), k.dim("I"), [&](Expression row, Expression octet) {
        Expression at = row * double(first + second) + octet;
        Expression isFirst = octet < double(first);
        k.when(isFirst, [&] {
          out.writeOctet(at, a.readOctet(row * double(first) + octet));
        });
        k.when(isFirst == 0, [&] {
          Expression from = row * double(second) + octet - double(first);
          out.writeOctet(at, b.readOctet(from));
        });
      });
}

Status quern::buildScaleBySigmoid(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "H", 8));
  int64_t octets = k.dim("H") / 8;
  InputBuffer x = k.getInput("x"), gate = k.getScalarInput("gate");
  OutputBuffer out = k.getOutput("out");
  return buildPerOctet(
      k, k.dim("T"), k.dim("H"), [&](Expression row, Expression octet) {
        Expression scale = 1 / (1 + exp(0 - gate.read(row)));
        Expression at = row * double(octets) + octet;
        out.writeOctet(at,
                       mapOctet([&](Expression a) { return a * splat(scale); },
                                x.readOctet(at)));
      });
}
