//===- Visit.h - Uses everything that a manifest points to ------*- C++ -*-===//
#ifndef QUERN_TEST_RUNTIME_BUNDLE_VISIT_H
#define QUERN_TEST_RUNTIME_BUNDLE_VISIT_H

#include "runtime/bundle/Verifier.h"

namespace quern::test {

/// Follows every offset of a verified manifest and checks, independently of
/// the verifier, that each index and range is inside of what it refers to;
/// aborts if one is not. For tests and fuzzing.
void visitManifest(const bundle::Manifest &manifest,
                   const BundleSections &sections);

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_BUNDLE_VISIT_H
