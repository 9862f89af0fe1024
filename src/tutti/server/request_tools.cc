#include "tutti/server/request_tools.h"

#include <algorithm>
#include <array>

#include "tutti/base/json_text.h"
#include "tutti/base/printable.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

// The text of a member, empty where it is none.
std::string_view TextOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? View(value->get_string()) : std::string_view();
}

void ReadMode(RequestReader& reader, RequestDraft& draft, std::string_view mode) {
  if (mode == "auto") {
    draft.request.tool_choice = ToolChoice::kAuto;
  } else if (mode == "none") {
    draft.request.tool_choice = ToolChoice::kNone;
  } else if (mode == "required" || mode == "any") {
    draft.request.tool_choice = ToolChoice::kRequired;
  } else {
    reader.Fail(
        fmt::format("is \"{}\", it must be none, auto, required or a function", Printable(mode)));
  }
}

std::string_view FunctionName(const json::object& choice) {
  const json::value* function = choice.if_contains("function");
  const bool nested = function != nullptr && function->is_object();
  return TextOf(nested ? function->get_object() : choice, "name");
}

// {"mode": "auto" | "required", "tools": [functions]}
void ReadAllowed(RequestReader& reader, RequestDraft& draft, const json::object& allowed) {
  {
    const RequestReader::Step step(reader, "mode");
    const std::string_view mode = TextOf(allowed, "mode");
    if (mode != "auto" && mode != "required") {
      return reader.Fail(fmt::format("is \"{}\", it must be auto or required", Printable(mode)));
    }
    ReadMode(reader, draft, mode);
  }
  const json::value* tools = allowed.if_contains("tools");
  if (tools == nullptr || !tools->is_array() || tools->get_array().empty()) {
    return reader.FailAt("tools", "must be a list of functions, one at least",
                         "missing_required_parameter");
  }
  const RequestReader::Step step(reader, "tools");
  if (static_cast<double>(tools->get_array().size()) > kMaxTools) {
    return reader.Fail(fmt::format("has {} elements, it must have at most {:.0f}",
                                   tools->get_array().size(), kMaxTools));
  }
  reader.Each(tools->get_array(), [&](const json::value& value) {
    const json::object* tool = reader.AsObject(value);
    if (tool == nullptr) return;
    const std::string_view type = TextOf(*tool, "type");
    if (!type.empty() && type != "function") {
      return reader.Warn(fmt::format("{}: tools of type \"{}\" are not supported, it was dropped",
                                     reader.path(), Printable(type)));
    }
    const std::string_view name = FunctionName(*tool);
    if (name.empty()) {
      return reader.FailAt("name", "must be the name of a function", "missing_required_parameter");
    }
    draft.request.allowed_tools.emplace_back(name);
  });
  if (!reader.ok() || !draft.request.allowed_tools.empty()) return;
  // Nothing is left that may be called.
  if (draft.request.tool_choice == ToolChoice::kRequired) {
    return reader.Fail("has no function, but one must be called", "unsupported");
  }
  draft.request.tool_choice = ToolChoice::kNone;
}

}  // namespace

void ReadFunction(RequestReader& reader, RequestDraft& draft, const json::object& function,
                  std::string_view schema_member) {
  constexpr double kMaxNameBytes = 256;
  ToolDefinition definition;
  static const auto kFields = std::to_array<Field<ToolDefinition>>({
      {"name", [](ToolDefinition& d, std::string_view v) { d.tool.name = v; }, 1, kMaxNameBytes,
       true},
      {"description", [](ToolDefinition& d, std::string_view v) { d.description = v; }},
      {"strict", [](ToolDefinition& d, bool v) { d.tool.strict = v; }},
      {"type", Ignored{}},
      {"cache_control", Ignored{}},
  });
  const Field<ToolDefinition> parameters = {
      schema_member, [](RequestReader&, ToolDefinition& d, const json::object& v) {
        d.tool.parameters_json = JsonText(v);
      }};
  reader.Read<ToolDefinition>(function, {kFields, Fields<ToolDefinition>(&parameters, 1)},
                              definition);
  // Names appear in prompts and in what is generated: quotes and line ends would break both.
  for (const char c : definition.tool.name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '_' || c == '-' || c == '.' || c == ':' || c == '/';
    if (!plain) {
      return reader.FailAt("name", "must be made of letters, digits and _ - . : /");
    }
  }
  draft.tools.push_back(std::move(definition));
}

void ReadToolChoice(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  if (value.is_string()) return ReadMode(reader, draft, View(value.get_string()));
  const json::object* choice = reader.AsObject(value);
  if (choice == nullptr) return;
  const std::string_view type = TextOf(*choice, "type");
  if (type == "allowed_tools") {
    const json::value* inner = choice->if_contains("allowed_tools");
    if (inner == nullptr || !inner->is_object()) return ReadAllowed(reader, draft, *choice);
    const RequestReader::Step step(reader, "allowed_tools");
    return ReadAllowed(reader, draft, inner->get_object());
  }
  if (type != "function" && type != "tool") {
    const RequestReader::Step step(reader, "type");
    return ReadMode(reader, draft, type);
  }
  const json::value* function = choice->if_contains("function");
  const bool nested = function != nullptr && function->is_object();
  const std::string_view name = FunctionName(*choice);
  if (name.empty()) {
    return reader.FailAt(nested ? "function.name" : "name", "must be the name of a function",
                         "missing_required_parameter");
  }
  draft.request.tool_choice = ToolChoice::kNamed;
  draft.request.tool_name = name;
}

}  // namespace tutti::server
