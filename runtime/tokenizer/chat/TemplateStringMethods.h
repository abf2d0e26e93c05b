//===- TemplateStringMethods.h - Python's string methods --------*- C++ -*-===//
//
// The functions behind the table of TemplateBuiltins.cpp that work on strings.
// The value is a string, except for replace, which takes any value's text.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATESTRINGMETHODS_H
#define QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATESTRINGMETHODS_H

#include "runtime/tokenizer/chat/TemplateValue.h"

#include <string>
#include <string_view>
#include <vector>

namespace quern {

using TemplateFunction = Result<TemplateValue>(
    const TemplateValue &value, const std::vector<TemplateValue> &arguments,
    TemplateBudget &budget);

TemplateFunction templateStripBoth, templateStripLeft, templateStripRight;
TemplateFunction templateSplit, templateReplace;
TemplateFunction templateStartsWith, templateEndsWith;

/// "`what`, found a value of type ...", or why the value is undefined.
Status templateTypeError(std::string_view what, const TemplateValue &value);

/// An error in the name of `who` unless the value is a string.
Status expectTemplateString(std::string_view who, const TemplateValue &value);

/// A string that the budget has paid for.
Result<TemplateValue> makeTemplateString(std::string text,
                                         TemplateBudget &budget);

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_CHAT_TEMPLATESTRINGMETHODS_H
