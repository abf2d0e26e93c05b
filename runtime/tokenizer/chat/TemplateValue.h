//===- TemplateValue.h - values of chat templates ---------------*- C++ -*-===//
//
// What a chat template computes with: JSON's values, Jinja's undefined, and
// the interpreter's own objects (namespace, loop, macro). Strings, lists and
// dictionaries are shared and immutable, so that copies are cheap; a namespace
// is shared and mutable. Lists and dictionaries hold plain data only, which is
// why no cycle can arise. Not thread-safe while one thread changes a namespace.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEVALUE_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEVALUE_H

#include "runtime/base/Json.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace quern {

class TemplateValue;
struct TemplateLoop;
struct TemplateMacro;

/// A dictionary that keeps the order of insertion, as Python's.
class TemplateDict {
public:
  using Entry = std::pair<std::string, TemplateValue>;

  /// The value of `key`, or null.
  const TemplateValue *find(std::string_view key) const;
  /// Sets or replaces.
  void set(std::string key, TemplateValue value);
  /// Adds a key that is known to be new, without a search.
  void append(std::string key, TemplateValue value);
  const std::vector<Entry> &getEntries() const { return entries; }
  size_t size() const;

private:
  std::vector<Entry> entries;
};

class TemplateValue {
public:
  enum class Kind : uint8_t {
    Undefined,
    None,
    Bool,
    Int,
    Float,
    String,
    List, ///< or tuple
    Dict,
    Namespace,
    Loop,
    Macro,
  };
  using List = std::vector<TemplateValue>;

  TemplateValue() : data(nullptr) {}
  TemplateValue(std::nullptr_t) : data(nullptr) {}
  TemplateValue(bool value) : data(value) {}
  TemplateValue(int value) : data(int64_t(value)) {}
  TemplateValue(int64_t value) : data(value) {}
  TemplateValue(double value) : data(value) {}
  TemplateValue(std::string value)
      : data(std::make_shared<const std::string>(std::move(value))) {}
  TemplateValue(std::string_view value) : TemplateValue(std::string(value)) {}
  TemplateValue(const char *value) : TemplateValue(std::string(value)) {}
  TemplateValue(List items, bool isTuple = false);
  TemplateValue(TemplateDict dict);

  /// `why` is the error of using it, e.g. "'x' is undefined".
  static TemplateValue undefined(std::string why);
  static TemplateValue newNamespace();
  static TemplateValue loop(std::shared_ptr<TemplateLoop> state);
  static TemplateValue macro(const TemplateMacro *macro);

  /// Integers beyond 64 bits become floats; the rest converts one to one.
  static TemplateValue fromJson(const JsonValue &json);

  Kind kind() const { return static_cast<Kind>(data.index()); }
  bool is(Kind other) const { return kind() == other; }
  bool isUndefined() const { return is(Kind::Undefined); }
  bool isString() const { return is(Kind::String); }
  bool isList() const { return is(Kind::List); }
  bool isDict() const { return is(Kind::Dict); }
  /// Bool, Int or Float: Python takes True as 1.
  bool isNumber() const {
    return kind() >= Kind::Bool && kind() <= Kind::Float;
  }
  /// Everything that a list may hold.
  bool isPlain() const { return kind() <= Kind::Dict; }

  // The value of a kind that was checked before.
  bool asBool() const { return std::get<bool>(data); }
  /// Bool or Int.
  int64_t asInt() const;
  /// Any number.
  double asFloat() const;
  const std::string &asString() const;
  const List &asList() const;
  bool isTuple() const;
  const TemplateDict &asDict() const;
  TemplateDict &asNamespace() const;
  const TemplateLoop &asLoop() const;
  const TemplateMacro &asMacro() const;
  const std::string &whyUndefined() const;

  /// Levels of lists and dictionaries; 0 for anything else.
  unsigned getDepth() const;

  /// Python's truth: empty and zero are false, undefined too.
  bool isTrue() const;
  /// Python's name of the type: "str", "NoneType", ...
  std::string_view typeName() const;

private:
  struct Undefined {
    std::shared_ptr<const std::string> why;
  };
  struct ListData {
    List items;
    unsigned depth;
    bool isTuple;
  };
  struct DictData {
    TemplateDict dict;
    unsigned depth;
  };
  std::variant<Undefined, std::nullptr_t, bool, int64_t, double,
               std::shared_ptr<const std::string>,
               std::shared_ptr<const ListData>, std::shared_ptr<const DictData>,
               std::shared_ptr<TemplateDict>, std::shared_ptr<TemplateLoop>,
               const TemplateMacro *>
      data;
};

/// The state of a running loop, seen by templates as `loop`.
struct TemplateLoop {
  TemplateLoop(std::vector<TemplateValue> items) : items(std::move(items)) {}
  std::vector<TemplateValue> items;
  size_t index = 0;
};

inline size_t TemplateDict::size() const { return entries.size(); }

/// What limits the work of a rendering. Every step and every byte made is
/// charged here.
struct TemplateBudget {
  uint64_t steps;       ///< left
  uint64_t stringBytes; ///< the longest string that may be made

  /// Takes `count` steps.
  Status charge(uint64_t count);
  /// Takes the steps of making a string, or fails if it is too long.
  Status chargeString(uint64_t bytes);
};

/// Python's ==.
Result<bool> templateEquals(const TemplateValue &a, const TemplateValue &b,
                            TemplateBudget &budget);

/// Python's str(): what {{ value }} prints.
Result<std::string> templateToString(const TemplateValue &value,
                                     TemplateBudget &budget);

/// Python's json.dumps(value, ensure_ascii=False): the filter tojson as
/// Hugging Face defines it (no HTML escaping, no sorting).
Result<std::string> templateToJson(const TemplateValue &value,
                                   TemplateBudget &budget);

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEVALUE_H
