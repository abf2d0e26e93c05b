//===- InspectHtml.cpp - A bundle as one HTML page ------------------------===//

#include "runtime/bundle/Bundle.h"
#include "tools/quern/Inspect.h"

using namespace quern;
using namespace quern::tool;

static constexpr std::string_view kPage =
#include "tools/quern/InspectPage.inc"
    ;
static constexpr std::string_view kPlaceholder = "__BUNDLE_JSON__";
static_assert(kPage.find(kPlaceholder) != std::string_view::npos);

/// Names in a bundle may contain "</script>": no character of JSON text that
/// means something to HTML is left in it. The page shows them as text only.
static std::string escapeForScript(std::string_view json) {
  std::string text;
  text.reserve(json.size() + json.size() / 16);
  for (char c : json) {
    switch (c) {
    case '<':
      text += "\\u003c";
      break;
    case '>':
      text += "\\u003e";
      break;
    case '&':
      text += "\\u0026";
      break;
    default:
      text += c;
    }
  }
  return text;
}

std::string tool::describeAsHtml(const Bundle &bundle) {
  std::string page(kPage);
  page.replace(page.find(kPlaceholder), kPlaceholder.size(),
               escapeForScript(describeAsJson(bundle)));
  return page;
}
