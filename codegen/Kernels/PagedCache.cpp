//===- PagedCache.cpp - cache_append, qk_norm_rope_append -----------------===//
#include "codegen/Kernels/PagedCache.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Norm.h"
#include "codegen/Kernels/Rotary.h"

using namespace quern;

PagedCache::PagedCache(KernelBuilder &k)
    : k(k), slots(k.getInput("slots")), positions(k.getInput("positions")),
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

Expression PagedCache::getRow(Expression page, Expression position,
                              Expression head) const {
  double pageSize = k.dim("PAGE_SIZE");
  Expression row = (page * double(k.dim("HK")) + head) * pageSize;
  int64_t octets = k.dim("D") / 8;
  return (row + position % pageSize) * double(octets);
}

Expression PagedCache::getRowOfToken(Expression token, Expression head) const {
  Expression position = getPosition(token);
  return getRow(getPage(getSlot(token), position), position, head);
}

Status quern::buildCacheAppend(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  PagedCache cache(k);
  InputBuffer keys = k.getInput("k"), values = k.getInput("v");
  OutputBuffer keyCache = k.getOutput("k_cache"),
               valueCache = k.getOutput("v_cache");
  int64_t octets = k.dim("D") / 8, heads = k.dim("HK");
  return buildPerOctet(k, k.dim("T"), heads * k.dim("D"),
                       [&](Expression token, Expression item) {
                         Expression from =
                             token * double(heads * octets) + item;
                         Expression to =
                             cache.getRowOfToken(token, item / double(octets)) +
                             item % double(octets);
                         keyCache.writeOctet(to, keys.readOctet(from));
                         valueCache.writeOctet(to, values.readOctet(from));
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
        query(k.getOutput("q")), keyCache(k.getOutput("k_cache")),
        valueCache(k.getOutput("v_cache")) {}

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
    k.forEach(octets, lanes, lane,
              [&](Expression octet) { buildOctet(octet, scale); });
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

  void buildOctet(Expression octet, Expression scale) {
    Octet rotated = buildRotation(k, table, token, octet, [&](Expression at) {
      return readNormalised(at, scale);
    });
    k.when(head < double(queryHeads), [&] {
      query.writeOctet((token * double(queryHeads) + head) * double(octets) +
                           octet,
                       rotated);
    });
    Expression keyHead = head - double(queryHeads);
    k.when(keyHead < double(keyHeads), [&] {
      keyCache.writeOctet(cache.getRowOfToken(token, keyHead) + octet, rotated);
    });
    Expression valueHead = keyHead - double(keyHeads);
    k.when(valueHead < double(keyHeads), [&] {
      valueCache.writeOctet(cache.getRowOfToken(token, valueHead) + octet,
                            readRaw(octet));
    });
  }

  KernelBuilder &k;
  NormConfig config;
  int64_t queryHeads, keyHeads, gateHeads, octets;
  PagedCache cache;
  InputBuffer qkv, table, queryNorm, keyNorm;
  OutputBuffer query, keyCache, valueCache;
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
