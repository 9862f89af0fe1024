#include "tutti/text/tool_calls.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "tutti/base/json.h"
#include "tutti/base/json_string.h"
#include "tutti/base/json_text.h"
#include "tutti/base/printable.h"
#include "tutti/text/tool_call_parsers.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

constexpr auto kSyntaxes = std::to_array<CallSyntax>({
    // Hermes, Qwen, ERNIE: JSON; Qwen3-Coder, Nemotron, Step: functions; GLM: keys and values.
    {.open = "<tool_call>",
     .close = "</tool_call>",
     .parse = ParseTaggedCall,
     .json = true,
     .inner = "<arg_key></arg_key><arg_value></arg_value>"
              "<function=</function><parameter=</parameter>"},
    {.open = "<seed:tool_call>",
     .close = "</seed:tool_call>",
     .parse = ParseTaggedCall,
     .json = true},
    {.open = "<minimax:tool_call>", .close = "</minimax:tool_call>", .parse = ParseInvokes},
    {.open = "<｜DSML｜function_calls>",
     .close = "</｜DSML｜function_calls>",
     .parse = ParseInvokes,
     .inner = "｜DSML｜",
     .announced_by = "｜DSML｜"},
    {.open = "<｜DSML｜tool_calls>",
     .close = "</｜DSML｜tool_calls>",
     .parse = ParseInvokes,
     .inner = "｜DSML｜",
     .announced_by = "｜DSML｜"},
    {.open = "<｜tool▁calls▁begin｜>",
     .close = "<｜tool▁calls▁end｜>",
     .parse = ParseDeepseekCalls,
     .head = ReadDeepseekHead,
     .inner = "<｜tool▁call▁begin｜><｜tool▁sep｜><｜tool▁call▁end｜>"},
    {.open = "<|tool_calls_section_begin|>",
     .close = "<|tool_calls_section_end|>",
     .parse = ParseKimiCalls,
     .head = ReadKimiHead,
     .inner = "<|tool_call_begin|><|tool_call_argument_begin|><|tool_call_end|>"},
    // A list's objects have their id behind the arguments: they come whole.
    {.open = "[TOOL_CALLS]",
     .close = "",
     .parse = ParseMistralCalls,
     .head = ReadMistralHead,
     .inner = "[ARGS][CALL_ID]"},
    {.open = "<|START_ACTION|>", .close = "<|END_ACTION|>", .parse = ParseJsonCalls, .json = true},
    {.open = "<|tools_prefix|>",
     .close = "<|tools_suffix|>",
     .parse = ParseJsonCalls,
     .json = true},
    {.open = "<tool_calls>",
     .close = "</tool_calls>",
     .parse = ParseCallList,
     .json = true,
     .head = ReadFencedHead,
     .inner = "<tool_call></tool_call>"},
    {.open = "<|tool_call|>", .close = "", .parse = ParseJsonCalls, .json = true},
    {.open = "<|tool_call>", .close = "<tool_call|>", .parse = ParseGemmaCall, .inner = "<|\"|>"},
    {.open = "<|function_call|>", .close = "", .parse = ParseJsonCalls, .json = true},
    {.open = "<|message_sep|>\n\nfunction call<|role_sep|>",
     .close = "",
     .parse = ParseJsonCalls,
     .json = true,
     .announced_by = "'role': 'function call'"},
    {.open = "<|tool_call_start|>",
     .close = "<|tool_call_end|>",
     .parse = ParsePythonCalls,
     .json = true,
     .announced_by = "List of tools: "},
    {.open = "functools", .close = "", .parse = ParseJsonCalls, .json = true},
    {.open = "<function=",
     .close = "</function>",
     .parse = ParseFunctionTag,
     .head = ReadFunctionHead,
     .announced_by = "<function=example_function_name>"},
    {.open = "<|python_tag|>", .close = "", .parse = ParseJsonCalls, .json = true},
    {.open = "{",
     .close = "",
     .parse = ParseJsonCalls,
     .json = true,
     .announced_by = "\"parameters\": dictionary of argument name",
     .bare = true},
});

constexpr CallSyntax kHarmony = {.open = "", .close = "", .parse = nullptr};
bool IsHarmony(std::string_view template_source) {
  return template_source.find("<|channel|>") != std::string_view::npos &&
         template_source.find("<|message|>") != std::string_view::npos;
}

constexpr CallSyntax kBare = {
    .open = "{", .close = "", .parse = ParseJsonCalls, .json = true, .bare = true};

// The types that a schema of a value allows, as far as they are said.
void CollectTypes(const json::value& schema, std::set<std::string>& types, int depth) {
  constexpr int kDepth = 8;
  if (!schema.is_object() || depth > kDepth) return;
  const json::object& object = schema.get_object();
  if (const auto* type = object.if_contains("type")) {
    if (type->is_string()) types.emplace(View(type->get_string()));
    if (type->is_array()) {
      for (const json::value& one : type->get_array()) {
        if (one.is_string()) types.emplace(View(one.get_string()));
      }
    }
  }
  if (const auto* values = object.if_contains("enum"); values != nullptr && values->is_array()) {
    for (const json::value& value : values->get_array()) {
      if (value.is_string()) types.emplace("string");
    }
  }
  for (const char* member : {"anyOf", "oneOf", "allOf"}) {
    const auto* choices = object.if_contains(member);
    if (choices == nullptr || !choices->is_array()) continue;
    for (const json::value& choice : choices->get_array()) CollectTypes(choice, types, depth + 1);
  }
}

// Python's words for JSON's; templates show them to models.
std::string_view AsJsonWord(std::string_view text) {
  if (text == "None") return "null";
  if (text == "True") return "true";
  if (text == "False") return "false";
  return text;
}

// References inside a schema that moves to `place` of a larger one.
void MoveReferences(json::value& value, const std::string& place) {
  if (value.is_array()) {
    for (json::value& element : value.get_array()) MoveReferences(element, place);
  } else if (value.is_object()) {
    for (auto& member : value.get_object()) {
      json::value& inner = member.value();
      if (member.key() == "$ref" && inner.is_string() && inner.get_string().starts_with('#')) {
        inner = "#" + place + std::string(View(inner.get_string()).substr(1));
      } else {
        MoveReferences(inner, place);
      }
    }
  }
}

// The parameters of a tool, of objects only: they are often described without saying so.
Result<json::object> ObjectSchema(const ToolSchema& tool) {
  json::object schema;
  const auto parsed = ParseJson(tool.parameters_json);
  if (parsed.ok() && parsed->is_object()) schema = parsed->get_object();
  const json::value* type = schema.if_contains("type");
  const json::array* types = type == nullptr ? nullptr : type->if_array();
  const json::value object = "object";
  const bool can_be =
      type == nullptr || *type == object ||
      (types != nullptr && std::find(types->begin(), types->end(), object) != types->end());
  if (!can_be) {
    return UsageError(
        "the parameters of the tool \"{}\" are of the type {}: they must be an object",
        Printable(tool.name), Printable(JsonText(*type)));
  }
  schema["type"] = object;
  schema.erase("nullable");
  return schema;
}

}  // namespace

ToolTypes::ToolTypes(std::span<const ToolSchema> tools) {
  for (const ToolSchema& tool : tools) {
    Parameters& parameters = types_[tool.name];
    const auto schema = ParseJson(tool.parameters_json);
    if (!schema.ok() || !schema->is_object()) continue;
    const auto* properties = schema->get_object().if_contains("properties");
    if (properties == nullptr || !properties->is_object()) continue;
    for (const auto& member : properties->get_object()) {
      CollectTypes(member.value(), parameters[std::string(View(member.key()))], 0);
    }
  }
}

std::string ToolTypes::ValueJson(std::string_view tool, std::string_view parameter,
                                 std::string_view text) const {
  std::set<std::string> types;
  if (const auto found = types_.find(std::string(tool)); found != types_.end()) {
    const auto known = found->second.find(std::string(parameter));
    if (known != found->second.end()) types = known->second;
  }
  const std::string_view word = AsJsonWord(Trimmed(text));
  const bool absent = word == "null" && (types.empty() || types.contains("null"));
  if (types.contains("string") && !absent) return JsonString(text);
  const auto value = ParseJson(word);
  return value.ok() ? JsonText(*value) : JsonString(text);
}

std::vector<const CallSyntax*> CallSyntaxesOf(std::string_view template_source) {
  std::vector<const CallSyntax*> found;
  for (const CallSyntax& syntax : kSyntaxes) {
    const std::string_view sign = syntax.announced_by.empty() ? syntax.open : syntax.announced_by;
    if (template_source.find(sign) != std::string_view::npos) found.push_back(&syntax);
  }
  return found;
}

const CallSyntax& BareCallSyntax() { return kBare; }
const CallSyntax& HarmonyCallSyntax() { return kHarmony; }

CallForm CallFormOf(std::string_view template_source) {
  const auto has = [&](std::string_view text) {
    return template_source.find(text) != std::string_view::npos;
  };
  if (IsHarmony(template_source)) {
    return {&kHarmony, "<|message|>", "<|channel|>commentary to=functions.",
            " <|constrain|>json<|message|>"};
  }
  const std::vector<const CallSyntax*> syntaxes = CallSyntaxesOf(template_source);
  if (syntaxes.empty()) return {};
  const CallSyntax& first = *syntaxes.front();
  if (first.open == "<tool_call>" && !has("<function=") && !has("<arg_key>")) return {&first};
  if (first.parse == ParseDeepseekCalls && has("```json")) {
    return {&first, "```json\n", "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", "\n```json\n"};
  }
  if (first.parse == ParseDeepseekCalls) {
    return {&first, "<｜tool▁sep｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"};
  }
  if (first.parse == ParseKimiCalls) {
    return {&first, "<|tool_call_argument_begin|>", "<|tool_call_begin|>functions.",
            ":0<|tool_call_argument_begin|>"};
  }
  if (first.parse == ParseMistralCalls && has("[ARGS]")) {
    return {&first, "[ARGS]", "", has("[CALL_ID]") ? "" : "[ARGS]"};
  }
  if (first.parse == ParseFunctionTag) return {&first, ">", "", ">"};
  return {};
}

Result<std::string> ArgumentsSchema(const ToolSchema& tool) {
  TUTTI_ASSIGN_OR_RETURN(const json::object schema, ObjectSchema(tool));
  return JsonText(schema);
}

Result<std::string> CallSchema(std::span<const ToolSchema> tools, std::string_view name) {
  json::array choices;
  for (const ToolSchema& tool : tools) {
    if (!name.empty() && tool.name != name) continue;
    TUTTI_ASSIGN_OR_RETURN(json::object schema, ObjectSchema(tool));
    json::value parameters = std::move(schema);
    MoveReferences(parameters, fmt::format("/anyOf/{}/properties/arguments", choices.size()));
    choices.push_back(
        {{"type", "object"},
         {"properties", {{"name", {{"const", tool.name}}}, {"arguments", parameters}}},
         {"required", json::array{"name", "arguments"}},
         {"additionalProperties", false}});
  }
  return JsonText(json::object{{"anyOf", std::move(choices)}});
}

}  // namespace tutti::text
