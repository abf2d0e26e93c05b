//===- Compare.h - quern compare --------------------------------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_COMPARE_H
#define QUERN_TOOLS_QUERN_COMPARE_H

#include "tools/quern/OpenModel.h"

#include <string>
#include <vector>

namespace quern::tool {

struct CompareOptions {
  OpenOptions reference; ///< Its device options are those of both.
  std::string otherPath;
  std::string textPath;          ///< UTF-8 text, or
  std::vector<int32_t> tokenIds; ///< these.
  uint64_t maxTokens = 4096;     ///< Of the text, from its start.
  std::string htmlPath;          ///< Write the table as a page too.
};

/// Runs both bundles over a text and prints how far their predictions are
/// apart.
Status compare(const CompareOptions &options);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_COMPARE_H
