//===- ExtendTarget.cpp - Target files that extend another one ------------===//
#include "codegen/Targets/ExtendTarget.h"

#include "runtime/base/Escape.h"
#include "runtime/base/Json.h"

using namespace quern;

Result<std::string> quern::extendTarget(std::string_view json,
                                        const TargetLookup &lookup,
                                        unsigned depth) {
  JsonLimits limits;
  limits.maxBytes = maxTargetBytes;
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(json, limits));
  std::optional<JsonValue> extends = document.root().find("extends");
  if (!extends)
    return std::string(json);
  QUERN_ASSIGN_OR_RETURN(std::string_view name, extends->asString());
  std::optional<std::string_view> text = lookup(name);
  if (!text)
    return corrupt("$.extends: no built-in target " + quoteName(name));
  if (depth == 0)
    return corrupt("$.extends: targets extend each other too deeply");
  QUERN_ASSIGN_OR_RETURN(std::string base,
                         extendTarget(*text, lookup, depth - 1));
  QUERN_ASSIGN_OR_RETURN(JsonDocument baseDocument, parseJson(base, limits));

  // In the order of the base, then what only the extension has.
  JsonWriter writer(2);
  writer.beginObject();
  for (JsonValue member : baseDocument.root().members()) {
    std::optional<JsonValue> own = document.root().find(member.key());
    writer.key(member.key()).value(own ? *own : member);
  }
  for (JsonValue member : document.root().members())
    if (member.key() != "extends" && !baseDocument.root().find(member.key()))
      writer.key(member.key()).value(member);
  writer.endObject();
  return writer.take() + "\n";
}
