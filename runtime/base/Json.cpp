//===- Json.cpp - Strict JSON reader --------------------------------------===//

#include "runtime/base/Json.h"

#include "runtime/base/Allocation.h"
#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/base/JsonSyntax.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>
#include <simdjson.h>
#include <vector>

using namespace quern;

//===----------------------------------------------------------------------===//
// The tree
//===----------------------------------------------------------------------===//

namespace {
struct Node {
  JsonKind kind = JsonKind::Null;
  /// Whether the integer is above the range of int64.
  bool isUnsigned = false;
  uint32_t parent = 0;
  uint32_t firstChild = 0;
  uint32_t childCount = 0;
  std::string_view key;
  union {
    std::string_view text = {};
    int64_t integer;
    uint64_t unsignedInteger;
    double real;
    bool flag;
  };
};
} // namespace

/// Nodes in breadth-first order, so that children lie side by side. `sorted`
/// holds, in the range of each object's children, their indices by key.
struct quern::JsonTree {
  simdjson::dom::document storage;
  std::vector<Node> nodes;
  std::vector<uint32_t> sorted;
};

std::string_view quern::jsonKindName(JsonKind kind) {
  static constexpr std::string_view names[] = {
      "null",     "a boolean", "an integer", "a fractional number",
      "a string", "an array",  "an object"};
  return names[static_cast<size_t>(kind)];
}

JsonDocument::JsonDocument(std::unique_ptr<JsonTree> tree)
    : tree(std::move(tree)) {}
JsonDocument::JsonDocument(JsonDocument &&) noexcept = default;
JsonDocument &JsonDocument::operator=(JsonDocument &&) noexcept = default;
JsonDocument::~JsonDocument() = default;

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

JsonKind JsonValue::kind() const { return tree->nodes[index].kind; }

std::string_view JsonValue::key() const { return tree->nodes[index].key; }

size_t JsonValue::size() const { return tree->nodes[index].childCount; }

JsonValue JsonValue::at(size_t child) const {
  assert(child < size() && "JSON child out of range");
  return JsonValue(tree, tree->nodes[index].firstChild +
                             static_cast<uint32_t>(child));
}

static bool isPlainKey(std::string_view key) {
  return !key.empty() && key.size() <= 64 &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '_' || c == '-';
         });
}

static std::string pathOf(const JsonTree &tree, uint32_t index) {
  std::vector<uint32_t> chain;
  for (uint32_t i = index; i != 0; i = tree.nodes[i].parent)
    chain.push_back(i);
  std::string text = "$";
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    const Node &node = tree.nodes[*it];
    const Node &parent = tree.nodes[node.parent];
    if (parent.kind == JsonKind::Array)
      text += "[" + std::to_string(*it - parent.firstChild) + "]";
    else if (isPlainKey(node.key))
      text += "." + std::string(node.key);
    else
      text += "[" + quoteName(node.key, 80) + "]";
  }
  return text;
}

std::string JsonValue::path() const { return pathOf(*tree, index); }

std::string JsonValue::describe() const {
  const Node &node = tree->nodes[index];
  char buffer[40];
  switch (node.kind) {
  case JsonKind::Null:
  case JsonKind::Array:
  case JsonKind::Object:
    return std::string(jsonKindName(node.kind));
  case JsonKind::Bool:
    return node.flag ? "true" : "false";
  case JsonKind::Integer:
    return node.isUnsigned ? std::to_string(node.unsignedInteger)
                           : std::to_string(node.integer);
  case JsonKind::Double:
    return std::string(
        buffer, std::to_chars(buffer, buffer + sizeof(buffer), node.real).ptr);
  case JsonKind::String:
    return "the string " + quoteName(node.text, 80);
  }
  return "";
}

Status JsonValue::mismatch(std::string_view expected) const {
  return corrupt(path() + ": expected " + std::string(expected) + ", found " +
                 describe());
}

Status JsonValue::expectKind(JsonKind expected) const {
  return kind() == expected ? Status::ok() : mismatch(jsonKindName(expected));
}

Result<int64_t> JsonValue::asInt64() const {
  const Node &node = tree->nodes[index];
  if (node.kind != JsonKind::Integer)
    return mismatch("an integer");
  if (node.isUnsigned)
    return mismatch("an integer of at most 63 bits");
  return node.integer;
}

Result<uint64_t> JsonValue::asUInt64() const {
  const Node &node = tree->nodes[index];
  if (node.kind != JsonKind::Integer)
    return mismatch("an integer");
  if (node.isUnsigned)
    return node.unsignedInteger;
  if (node.integer < 0)
    return mismatch("an integer that is not negative");
  return static_cast<uint64_t>(node.integer);
}

Result<int64_t> JsonValue::asInt64In(int64_t minimum, int64_t maximum) const {
  const Node &node = tree->nodes[index];
  if (node.kind == JsonKind::Integer && !node.isUnsigned &&
      node.integer >= minimum && node.integer <= maximum)
    return node.integer;
  return mismatch("an integer from " + std::to_string(minimum) + " to " +
                  std::to_string(maximum));
}

Result<double> JsonValue::asDouble() const {
  const Node &node = tree->nodes[index];
  if (node.kind == JsonKind::Double)
    return node.real;
  if (node.kind != JsonKind::Integer)
    return mismatch("a number");
  return node.isUnsigned ? static_cast<double>(node.unsignedInteger)
                         : static_cast<double>(node.integer);
}

Result<bool> JsonValue::asBool() const {
  QUERN_RETURN_IF_ERROR(expectKind(JsonKind::Bool));
  return tree->nodes[index].flag;
}

Result<std::string_view> JsonValue::asString() const {
  QUERN_RETURN_IF_ERROR(expectKind(JsonKind::String));
  return tree->nodes[index].text;
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  const Node &node = tree->nodes[index];
  if (node.kind != JsonKind::Object)
    return std::nullopt;
  auto first = tree->sorted.begin() + node.firstChild;
  auto last = first + node.childCount;
  auto it = std::lower_bound(first, last, key,
                             [&](uint32_t child, std::string_view wanted) {
                               return tree->nodes[child].key < wanted;
                             });
  if (it == last || tree->nodes[*it].key != key)
    return std::nullopt;
  return JsonValue(tree, *it);
}

Result<JsonValue> JsonValue::get(std::string_view key) const {
  QUERN_RETURN_IF_ERROR(expectKind(JsonKind::Object));
  if (std::optional<JsonValue> value = find(key))
    return *value;
  return corrupt(path() + ": expected a member " + quoteName(key) +
                 ", found none");
}

JsonValue::Range JsonValue::members() const {
  const Node &node = tree->nodes[index];
  uint32_t count = node.kind == JsonKind::Object ? node.childCount : 0;
  return Range(Iterator(tree, node.firstChild),
               Iterator(tree, node.firstChild + count));
}

JsonValue::Range JsonValue::elements() const {
  const Node &node = tree->nodes[index];
  uint32_t count = node.kind == JsonKind::Array ? node.childCount : 0;
  return Range(Iterator(tree, node.firstChild),
               Iterator(tree, node.firstChild + count));
}

//===----------------------------------------------------------------------===//
// Building the tree
//===----------------------------------------------------------------------===//

namespace {

/// Turns a document of simdjson into a JsonTree, checking limits and keys.
class TreeBuilder {
public:
  TreeBuilder(JsonTree &tree, const JsonLimits &limits)
      : tree(tree), limits(limits) {}

  Status build(simdjson::dom::element root);

private:
  Status append(simdjson::dom::element element, uint32_t parent,
                std::string_view key);
  Status expand(uint32_t index);
  Status sortKeys(const Node &object);
  Status tooLong(std::string_view what, uint32_t parent, uint64_t length) const;

  JsonTree &tree;
  const JsonLimits &limits;
  /// The simdjson element of each node, in the same order.
  std::vector<simdjson::dom::element> elements;
};

} // namespace

Status TreeBuilder::tooLong(std::string_view what, uint32_t parent,
                            uint64_t length) const {
  return corrupt(pathOf(tree, parent) + ": " + std::string(what) + " of " +
                 std::to_string(length) + " bytes, expected at most " +
                 std::to_string(limits.maxStringBytes));
}

Status TreeBuilder::append(simdjson::dom::element element, uint32_t parent,
                           std::string_view key) {
  using Type = simdjson::dom::element_type;
  uint64_t most = std::numeric_limits<uint32_t>::max();
  most = std::min<uint64_t>(most, limits.maxValues);
  if (tree.nodes.size() >= most)
    return corrupt(pathOf(tree, parent) + ": more than " +
                   std::to_string(most) + " values in the document");
  Node node;
  node.parent = parent;
  node.key = key;
  switch (element.type()) {
  case Type::NULL_VALUE:
    break;
  case Type::BOOL:
    node.kind = JsonKind::Bool;
    node.flag = element.get_bool().value_unsafe();
    break;
  case Type::INT64:
    node.kind = JsonKind::Integer;
    node.integer = element.get_int64().value_unsafe();
    break;
  case Type::UINT64:
    node.kind = JsonKind::Integer;
    node.unsignedInteger = element.get_uint64().value_unsafe();
    node.isUnsigned = true;
    break;
  case Type::DOUBLE:
    node.kind = JsonKind::Double;
    node.real = element.get_double().value_unsafe();
    break;
  case Type::STRING:
    node.kind = JsonKind::String;
    node.text = element.get_string().value_unsafe();
    if (node.text.size() > limits.maxStringBytes)
      return tooLong("string", parent, node.text.size());
    break;
  case Type::ARRAY:
    node.kind = JsonKind::Array;
    break;
  case Type::OBJECT:
    node.kind = JsonKind::Object;
    break;
  }
  if (key.size() > limits.maxStringBytes)
    return tooLong("key", parent, key.size());
  tree.nodes.push_back(node);
  elements.push_back(element);
  return Status::ok();
}

/// Appends the children of a container.
Status TreeBuilder::expand(uint32_t index) {
  uint64_t first = tree.nodes.size();
  uint64_t count = 0;
  auto add = [&](simdjson::dom::element child, std::string_view key) {
    if (++count > limits.maxMembers)
      return corrupt(pathOf(tree, index) + ": more than " +
                     std::to_string(limits.maxMembers) +
                     " members or elements");
    return append(child, index, key);
  };
  simdjson::dom::element element = elements[index];
  if (tree.nodes[index].kind == JsonKind::Object) {
    simdjson::dom::object object;
    if (element.get(object) != simdjson::SUCCESS)
      return internalError("simdjson contradicts itself");
    for (simdjson::dom::key_value_pair field : object)
      QUERN_RETURN_IF_ERROR(add(field.value, field.key));
  } else {
    simdjson::dom::array array;
    if (element.get(array) != simdjson::SUCCESS)
      return internalError("simdjson contradicts itself");
    for (simdjson::dom::element child : array)
      QUERN_RETURN_IF_ERROR(add(child, {}));
  }
  Node &node = tree.nodes[index];
  node.firstChild = static_cast<uint32_t>(first);
  node.childCount = static_cast<uint32_t>(count);
  tree.sorted.resize(tree.nodes.size());
  return node.kind == JsonKind::Object ? sortKeys(node) : Status::ok();
}

Status TreeBuilder::sortKeys(const Node &object) {
  auto first = tree.sorted.begin() + object.firstChild;
  auto last = first + object.childCount;
  std::iota(first, last, object.firstChild);
  std::sort(first, last, [&](uint32_t a, uint32_t b) {
    return tree.nodes[a].key < tree.nodes[b].key;
  });
  auto twin = std::adjacent_find(first, last, [&](uint32_t a, uint32_t b) {
    return tree.nodes[a].key == tree.nodes[b].key;
  });
  if (twin == last)
    return Status::ok();
  return corrupt(pathOf(tree, *twin) + ": duplicate key");
}

Status TreeBuilder::build(simdjson::dom::element root) {
  QUERN_RETURN_IF_ERROR(append(root, 0, {}));
  tree.sorted.resize(1);
  // Nodes lie level by level. simdjson does not count the innermost container
  // when it is empty, so the limit is checked here.
  unsigned depth = 0;
  size_t levelEnd = 1;
  for (uint32_t index = 0; index < tree.nodes.size(); ++index) {
    if (index == levelEnd) {
      ++depth;
      levelEnd = tree.nodes.size();
    }
    if (tree.nodes[index].kind < JsonKind::Array)
      continue;
    if (depth >= limits.maxDepth)
      return corrupt(pathOf(tree, index) + ": nested deeper than " +
                     std::to_string(limits.maxDepth));
    QUERN_RETURN_IF_ERROR(expand(index));
  }
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

/// What is wrong with text that simdjson refused.
static Status explainSyntaxError(std::string_view bytes,
                                 const JsonLimits &limits,
                                 simdjson::error_code code) {
  if (code == simdjson::MEMALLOC)
    return resourceExhausted("cannot allocate memory to parse " +
                             std::to_string(bytes.size()) + " bytes of JSON");
  if (std::optional<JsonSyntaxError> error =
          findJsonSyntaxError(bytes, limits.maxDepth))
    return corrupt("byte " + std::to_string(error->offset) + ": " +
                   error->message);
  return corrupt("not valid JSON: " +
                 std::string(simdjson::error_message(code)));
}

static Status parseInto(JsonTree &tree, std::string_view bytes,
                        const JsonLimits &limits) {
  simdjson::dom::parser parser;
  // One level more than is allowed: the root counts as one for simdjson.
  simdjson::error_code code =
      parser.allocate(bytes.size(), size_t(limits.maxDepth) + 1);
  simdjson::dom::element root;
  if (code == simdjson::SUCCESS)
    code = parser
               .parse_into_document(tree.storage, bytes.data(), bytes.size(),
                                    /*realloc_if_needed=*/true)
               .get(root);
  if (code != simdjson::SUCCESS)
    return explainSyntaxError(bytes, limits, code);
  return TreeBuilder(tree, limits).build(root);
}

Result<JsonDocument> quern::parseJson(std::string_view bytes,
                                      const JsonLimits &limits) {
  if (bytes.size() > limits.maxBytes)
    return corrupt("JSON text of " + std::to_string(bytes.size()) +
                   " bytes, expected at most " +
                   std::to_string(limits.maxBytes));
  if (bytes.starts_with("\xEF\xBB\xBF"))
    return corrupt("byte 0: byte order mark before the JSON text");
  if (bytes.empty())
    return corrupt("byte 0: expected a value, found the end of the text");
  return guardAllocation("parsing JSON", [&]() -> Result<JsonDocument> {
    auto tree = std::make_unique<JsonTree>();
    QUERN_RETURN_IF_ERROR(parseInto(*tree, bytes, limits));
    return JsonDocument(std::move(tree));
  });
}
