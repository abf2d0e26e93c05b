//===- PagedCache.cpp - cache_append, qk_norm_rope_append -----------------===//
#include "codegen/Kernels/PagedCache.h"
#include "codegen/Kernels/Int8Codes.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Norm.h"
#include "codegen/Kernels/Rotary.h"

using namespace quern;

PagedCache::PagedCache(KernelBuilder &k)
    : k(k), int8Rows(k.getArgument("k_cache").int8Rows),
      slots(k.getInput("slots")), positions(k.getInput("positions")),
      pageTable(k.getInput("page_table")) {}

Expression PagedCache::getSlot(Expression token) const {
  return min(toIndex(slots.read(token)), k.index(k.dim("S") - 1));
}

Expression PagedCache::getPosition(Expression token) const {
  return min(toIndex(positions.read(token)),
             k.index(k.dim("P") * k.dim("PAGE_SIZE") - 1));
}

Expression PagedCache::getPage(Expression slot, Expression position) const {
  Expression entry =
      slot * double(k.dim("P")) + position / double(k.dim("PAGE_SIZE"));
  return min(toIndex(pageTable.read(entry)), k.index(k.dim("PAGES") - 1));
}

Expression PagedCache::getMatrix(Expression page, Expression head) const {
  return page * double(k.dim("HK")) + head;
}

/// Of a page and head, in a cache of int8 rows.
static Int8Rows describeMatrix(const KernelBuilder &k) {
  return {1, uint64_t(k.dim("PAGE_SIZE")), uint64_t(k.dim("D"))};
}

Expression PagedCache::getRow(Expression page, Expression position,
                              Expression head, int64_t elements) const {
  Expression matrix = getMatrix(page, head);
  double pageSize = k.dim("PAGE_SIZE"), units = k.dim("D") / elements;
  if (!int8Rows)
    return (matrix * pageSize + position % pageSize) * units;
  // An element is a byte.
  uint64_t blockUnits =
      describeMatrix(k).blockBytes() / static_cast<uint64_t>(elements);
  return matrix * double(blockUnits) + position % pageSize * units;
}

Expression PagedCache::getScale(Expression page, Expression position,
                                Expression head) const {
  Int8Rows matrix = describeMatrix(k);
  return getMatrix(page, head) * double(matrix.blockBytes() / 4) +
         (position % double(k.dim("PAGE_SIZE")) +
          double(matrix.scaleOffset() / 4));
}

CacheOutput::CacheOutput(KernelBuilder &k, std::string_view name)
    : k(k), coded(k.getArgument(name).int8Rows),
      buffer(coded ? k.getWordOutput(name) : k.getOutput(name)) {}

CacheOutput::Row CacheOutput::getRow(const PagedCache &cache, Expression token,
                                     Expression head) const {
  Expression position = cache.getPosition(token);
  Expression page = cache.getPage(cache.getSlot(token), position);
  Row row{cache.getRow(page, position, head, 8), {}};
  if (coded)
    row.scale = cache.getScale(page, position, head);
  return row;
}

void CacheOutput::writeOctet(const Row &row, Expression octet,
                             const Octet &values,
                             Expression inverseScale) const {
  if (!coded)
    return buffer.writeOctet(row.first + octet, values);
  Octet linear = k.reorder(values, OctetOrder::Linear);
  Expressions words;
  for (Expression half : {linear.a, linear.b}) {
    Expression codes = toCode(half, inverseScale);
    words.push_back(packInt8Codes({codes[0], codes[1], codes[2], codes[3]}));
  }
  buffer.writeRun((row.first + octet) * 2, words);
}

void CacheOutput::writeScale(const Row &row, Expression largest) const {
  buffer.writeRun(row.scale, {bitsOf(largest / 127)});
}

/// The form whose caches hold codes: a team of lanes has a row.
static Status buildInt8CacheAppend(KernelBuilder &k, const PagedCache &cache) {
  int64_t octets = k.dim("D") / 8, heads = k.dim("HK");
  InputBuffer inputs[] = {k.getInput("k"), k.getInput("v")};
  CacheOutput outputs[] = {{k, "k_cache"}, {k, "v_cache"}};
  QUERN_ASSIGN_OR_RETURN(RowTeams teams,
                         makeRowTeams(k, k.dim("T"), heads, octets));
  for (unsigned i = 0; i != 2; ++i) {
    auto read = [&](Expression octet) {
      return inputs[i].readOctet(teams.row * double(octets) + octet);
    };
    Expression largest = findLargest(k, octets, teams.lanes, teams.lane, read);
    Expression inverse = invertScale(largest);
    k.guard(
        static_cast<bool>(teams.isInside), [&] { return teams.isInside; },
        [&] {
          CacheOutput::Row row = outputs[i].getRow(cache, k.getGroup(1),
                                                   teams.row % double(heads));
          k.forEach(octets, teams.lanes, teams.lane, [&](Expression octet) {
            outputs[i].writeOctet(row, octet, read(octet), inverse);
          });
          k.when(teams.lane == 0, [&] { outputs[i].writeScale(row, largest); });
        });
  }
  return Status::ok();
}

Status quern::buildCacheAppend(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  PagedCache cache(k);
  if (k.getArgument("k_cache").int8Rows)
    return buildInt8CacheAppend(k, cache);
  InputBuffer keys = k.getInput("k"), values = k.getInput("v");
  CacheOutput keyCache(k, "k_cache"), valueCache(k, "v_cache");
  int64_t octets = k.dim("D") / 8, heads = k.dim("HK");
  return buildPerOctet(
      k, k.dim("T"), heads * k.dim("D"),
      [&](Expression token, Expression item) {
        Expression from = token * double(heads * octets) + item,
                   head = item / double(octets), octet = item % double(octets);
        keyCache.writeOctet(keyCache.getRow(cache, token, head), octet,
                            keys.readOctet(from), {});
        valueCache.writeOctet(valueCache.getRow(cache, token, head), octet,
                              values.readOctet(from), {});
      });
}

namespace {

/// One team of lanes per head of the merged projections.
class QKNormRopeAppendBuilder {
public:
  QKNormRopeAppendBuilder(KernelBuilder &k, NormConfig config,
                          int64_t queryHeads, bool gated)
      : k(k), config(config), queryHeads(queryHeads), keyHeads(k.dim("HK")),
        gateHeads(gated ? queryHeads : 0), octets(k.dim("D") / 8), cache(k),
        qkv(k.getInput("qkv")), table(getRotaryTable(k)),
        queryNorm(k.getInput("q_norm")), keyNorm(k.getInput("k_norm")),
        query(k.getOutput("q")), keyCache(k, "k_cache"),
        valueCache(k, "v_cache") {}

  Status build() {
    int64_t heads = queryHeads + 2 * keyHeads;
    k.setSubgroups(1);
    unsigned lanes = getTeamLanes(k, octets);
    int64_t teams = k.getSubgroupSize() / lanes;
    k.setGrid(0, (heads + teams - 1) / teams);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), 1));
    token = k.getGroup(1);
    // A team past the last head repeats it; it stores the same values.
    head = k.getGroup(0) * double(teams) + k.getLane() / double(lanes);
    if (heads % teams != 0)
      head = min(head, k.index(heads - 1));
    Expression row = head; // Of the token's heads with gates.
    if (gateHeads != 0)
      row = quern::select(head < double(queryHeads), head,
                          head + double(gateHeads));
    base = (token * double(heads + gateHeads) + row) * double(octets);
    Expression lane = k.getLane() % double(lanes);
    Expression scale =
        buildNormScale(k, config, octets, lanes, lane,
                       [&](Expression octet) { return readRaw(octet); });
    Expression largest, inverse;
    if (keyCache.isCoded()) {
      largest = findLargest(k, octets, lanes, lane, [&](Expression octet) {
        return readStored(octet, scale);
      });
      inverse = invertScale(largest);
    }
    k.forEach(octets, lanes, lane,
              [&](Expression octet) { buildOctet(octet, scale, inverse); });
    if (keyCache.isCoded())
      forCaches([&](const CacheOutput &cache, const CacheOutput::Row &row) {
        k.when(lane == 0, [&] { cache.writeScale(row, largest); });
      });
    return Status::ok();
  }

private:
  Octet readRaw(Expression octet) const { return qkv.readOctet(base + octet); }

  Octet readNormalised(Expression octet, Expression scale) {
    Octet ofQuery = queryNorm.readOctet(octet),
          ofKey = k.reorder(keyNorm.readOctet(octet), ofQuery.order);
    Octet weight = mapOctets(
        [&](Expression a, Expression b) {
          return quern::select(head < double(queryHeads), a, b);
        },
        ofQuery, ofKey);
    return applyNorm(k, config, readRaw(octet), scale, weight);
  }

  Octet readRotated(Expression octet, Expression scale) {
    return buildRotation(k, table, token, octet, [&](Expression at) {
      return readNormalised(at, scale);
    });
  }

  /// What a cache gets of the head; of queries, which none gets, as of keys.
  Octet readStored(Expression octet, Expression scale) {
    Octet rotated = readRotated(octet, scale);
    return mapOctets(
        [&](Expression key, Expression value) {
          return quern::select(head < double(queryHeads + keyHeads), key,
                               value);
        },
        rotated, k.reorder(readRaw(octet), rotated.order));
  }

  /// Calls body under the condition that the head is one of a cache's, with the
  /// row that it gets there.
  void forCaches(
      llvm::function_ref<void(const CacheOutput &, const CacheOutput::Row &)>
          body) {
    Expression cacheHead = head - double(queryHeads);
    for (const CacheOutput *output : {&keyCache, &valueCache}) {
      k.when(cacheHead < double(keyHeads),
             [&] { body(*output, output->getRow(cache, token, cacheHead)); });
      cacheHead = cacheHead - double(keyHeads);
    }
  }

  void buildOctet(Expression octet, Expression scale, Expression inverse) {
    Octet rotated = readRotated(octet, scale);
    k.when(head < double(queryHeads), [&] {
      query.writeOctet((token * double(queryHeads) + head) * double(octets) +
                           octet,
                       rotated);
    });
    forCaches([&](const CacheOutput &output, const CacheOutput::Row &row) {
      output.writeOctet(
          row, octet, &output == &keyCache ? rotated : readRaw(octet), inverse);
    });
  }

  KernelBuilder &k;
  NormConfig config;
  int64_t queryHeads, keyHeads, gateHeads, octets;
  PagedCache cache;
  InputBuffer qkv, table, queryNorm, keyNorm;
  OutputBuffer query;
  CacheOutput keyCache, valueCache;
  Expression token, head, base;
};

} // namespace

Status quern::buildQKNormRopeAppend(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(checkRotary(k));
  QUERN_ASSIGN_OR_RETURN(NormConfig config, readNormConfig(k));
  QUERN_ASSIGN_OR_RETURN(int64_t queryHeads, k.getInteger("num_heads"));
  QUERN_ASSIGN_OR_RETURN(int64_t keyHeads, k.getInteger("num_kv_heads"));
  QUERN_ASSIGN_OR_RETURN(bool gated, k.getBool("gated", false));
  int64_t heads = (gated ? 2 : 1) * queryHeads + 2 * keyHeads;
  if (queryHeads < 1 || keyHeads != k.dim("HK") ||
      k.dim("C") != heads * k.dim("D") || k.dim("Q") != queryHeads * k.dim("D"))
    return invalidArgument("config members num_heads " +
                           std::to_string(queryHeads) + " and num_kv_heads " +
                           std::to_string(keyHeads) +
                           " do not fit the shapes of qkv, q and the caches");
  return QKNormRopeAppendBuilder(k, config, queryHeads, gated).build();
}
