//===- ChatTemplate.cpp - the Jinja subset of chat templates --------------===//

#include "runtime/tokenizer/chat/ChatTemplate.h"

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/chat/TemplateInterpreter.h"
#include "runtime/tokenizer/chat/TemplateParser.h"

namespace quern {

Result<ChatTemplate> ChatTemplate::parse(std::string_view text) {
  if (text.size() > maxTemplateBytes)
    return corrupt("chat template: " + std::to_string(text.size()) +
                   " bytes, expected at most " +
                   std::to_string(maxTemplateBytes));
  if (!isValidUtf8(text))
    return corrupt("chat template: not valid UTF-8");
  QUERN_ASSIGN_OR_RETURN(std::vector<TemplateToken> tokens, lexTemplate(text));
  TemplateParser parser(std::move(tokens));
  QUERN_ASSIGN_OR_RETURN(TemplateProgram program, parser.parse());
  ChatTemplate result;
  result.program = std::make_shared<const TemplateProgram>(std::move(program));
  return result;
}

Result<std::string_view> ChatTemplate::findInConfig(const JsonValue &config) {
  std::optional<JsonValue> member = config.find("chat_template");
  if (!member || member->isNull())
    return notFound(config.path() + ": no member 'chat_template'");
  if (!member->isArray())
    return member->asString();
  for (JsonValue entry : member->elements()) {
    QUERN_ASSIGN_OR_RETURN(JsonValue nameValue, entry.get("name"));
    QUERN_ASSIGN_OR_RETURN(std::string_view name, nameValue.asString());
    if (name != "default")
      continue;
    QUERN_ASSIGN_OR_RETURN(JsonValue text, entry.get("template"));
    return text.asString();
  }
  return notFound(member->path() + ": no template is named 'default'");
}

Result<std::string> ChatTemplate::render(const TemplateDict &variables,
                                         const TemplateLimits &limits) const {
  return TemplateInterpreter(*program, variables, limits).run();
}

} // namespace quern
