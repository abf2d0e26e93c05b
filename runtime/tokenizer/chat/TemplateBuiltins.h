//===- TemplateBuiltins.h - filters, tests, methods of templates -*- C++
//-*-===//
//
// The one list of what a template may call, beside its own macros and the
// functions namespace() and raise_exception(). Errors have no line; the
// interpreter adds it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEBUILTINS_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEBUILTINS_H

#include "runtime/tokenizer/chat/TemplateValue.h"

#include <string_view>
#include <vector>

namespace quern {

bool isTemplateFilter(std::string_view name);
bool isTemplateTest(std::string_view name);
bool isTemplateMethod(std::string_view name);

/// Whether values of this type have the method.
bool hasTemplateMethod(const TemplateValue &value, std::string_view name);

/// `value | name(arguments)`.
Result<TemplateValue>
applyTemplateFilter(std::string_view name, const TemplateValue &value,
                    const std::vector<TemplateValue> &arguments,
                    TemplateBudget &budget);

/// `value is name`.
bool applyTemplateTest(std::string_view name, const TemplateValue &value);

/// `value.name(arguments)` for strings and dictionaries.
Result<TemplateValue>
callTemplateMethod(std::string_view name, const TemplateValue &value,
                   const std::vector<TemplateValue> &arguments,
                   TemplateBudget &budget);

/// The elements over which `for` goes: of a list, keys of a dictionary,
/// characters of a string, nothing of an undefined value.
Result<TemplateValue::List> iterateTemplateValue(const TemplateValue &value,
                                                 TemplateBudget &budget);

/// `needle in haystack`.
Result<bool> templateContains(const TemplateValue &haystack,
                              const TemplateValue &needle,
                              TemplateBudget &budget);

/// `left op right` for + - * / // %.
Result<TemplateValue> templateArithmetic(std::string_view op,
                                         const TemplateValue &left,
                                         const TemplateValue &right,
                                         TemplateBudget &budget);

/// -1, 0 or 1 as `left` is less than, equal to or greater than `right`, for
/// numbers and strings.
Result<int> templateOrder(const TemplateValue &left,
                          const TemplateValue &right);

/// `value[index]`; undefined if there is no such element.
Result<TemplateValue> templateSubscript(const TemplateValue &value,
                                        const TemplateValue &index,
                                        TemplateBudget &budget);

/// `value[start:stop:step]` with Python's rules; absent bounds are none.
Result<TemplateValue> templateSlice(const TemplateValue &value,
                                    const TemplateValue &start,
                                    const TemplateValue &stop,
                                    const TemplateValue &step,
                                    TemplateBudget &budget);

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATEBUILTINS_H
