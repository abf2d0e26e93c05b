//===- PagedCache.h - Addresses in the paged KV cache -----------*- C++ -*-===//
//
// A cache is [PAGES, HK, PAGE_SIZE, D]; page_table [S, P] maps the logical
// pages of a slot to physical ones. Slots, positions and page numbers come
// from the host at run time: they are clamped, so that no value of theirs
// leads outside of the buffers.
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
  /// First octet of a head's row at `position`, which lies in `page`.
  Expression getRow(Expression page, Expression position,
                    Expression head) const;
  /// The same for the slot and position of a token.
  Expression getRowOfToken(Expression token, Expression head) const;

private:
  KernelBuilder &k;
  InputBuffer slots, positions, pageTable;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_PAGEDCACHE_H
