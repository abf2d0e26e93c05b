//===- CheckpointRows.h - Tensors of a checkpoint as rows -------*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_CHECKPOINTROWS_H
#define QUERN_TOOLS_COMPILE_CHECKPOINTROWS_H

#include "codegen/Bundle/RowSource.h"
#include "frontend/HuggingFace/Checkpoint.h"

#include <memory>
#include <string_view>

namespace quern {

/// The rows of a tensor for a weight of this encoding: where they are mapped,
/// or made from the codes of a packed one, as groups if it has the encoding.
/// `checkpoint` must outlive them.
Result<std::unique_ptr<RowSource>> openRows(const Checkpoint &checkpoint,
                                            std::string_view name,
                                            Encoding encoding);

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_CHECKPOINTROWS_H
