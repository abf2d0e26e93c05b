//===- PagedCache.h - Addresses in the paged KV cache -----------*- C++ -*-===//
//
// A cache is [PAGES, HK, PAGE_SIZE, D], of floats or of int8 rows
// (runtime/base/Int8Rows.h); page_table [S, P] maps the logical pages of a slot
// to physical ones. Slots, positions and page numbers come from the host at run
// time: they are clamped, so that no value of theirs leads outside of the
// buffers.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_PAGEDCACHE_H
#define QUERN_CODEGEN_KERNELS_PAGEDCACHE_H

#include "codegen/Kernels/Rows.h"

namespace quern {

class PagedCache {
public:
  /// Takes slots, positions and page_table of the request as inputs.
  explicit PagedCache(KernelBuilder &k);

  Expression getSlot(Expression token) const;
  Expression getPosition(Expression token) const;
  /// The physical page of a position of a slot.
  Expression getPage(Expression slot, Expression position) const;
  /// A head's row at `position`, which lies in `page`: the first of its units
  /// of `elements` elements.
  Expression getRow(Expression page, Expression position, Expression head,
                    int64_t elements) const;
  /// The word that is the scale of such a row of int8 codes.
  Expression getScale(Expression page, Expression position,
                      Expression head) const;

private:
  /// Which matrix of PAGE_SIZE rows.
  Expression getMatrix(Expression page, Expression head) const;

  KernelBuilder &k;
  bool int8Rows;
  InputBuffer slots, positions, pageTable;
};

/// A cache that rows are appended to, by teams of lanes.
class CacheOutput {
public:
  /// Where tokens append rows of head `head`.
  struct Row {
    Expression first; ///< Unit of 8 elements.
    Expression scale; ///< Word; null without codes.
  };

  CacheOutput(KernelBuilder &k, std::string_view name);

  bool isCoded() const { return coded; }
  Row getRow(const PagedCache &cache, Expression token, Expression head) const;
  /// Stores octet `octet` of a row; as codes if these are what it holds.
  void writeOctet(const Row &row, Expression octet, const Octet &values,
                  Expression inverseScale) const;
  /// Stores the scale of a row of codes whose largest magnitude is `largest`.
  void writeScale(const Row &row, Expression largest) const;

private:
  KernelBuilder &k;
  bool coded;
  OutputBuffer buffer;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_PAGEDCACHE_H
