#include "tutti/server/request_draft.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "tutti/base/json_text.h"
#include "tutti/base/printable.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

constexpr double kMaxLogitBias = 1024;
constexpr double kMaxChoicesOfText = 1024;  // of guided_choice
constexpr double kMaxVariables = 64;

void ReadLogitBias(RequestReader& reader, RequestDraft& draft, const json::object& biases) {
  if (static_cast<double>(biases.size()) > kMaxLogitBias) {
    return reader.Fail(
        fmt::format("has {} tokens, it must have at most {:.0f}", biases.size(), kMaxLogitBias));
  }
  for (const auto& member : biases) {
    const std::string_view key = View(member.key());
    TokenId id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0) {
      return reader.Fail("must have token ids as its names: \"1734\"");
    }
    const RequestReader::Step step(reader, key);
    const auto bias = reader.AsNumber(member.value(), -100, 100);
    if (!bias) return;
    draft.request.sampling.logit_bias.emplace_back(id, static_cast<float>(*bias));
  }
}

void ReadStopTokens(RequestReader& reader, RequestDraft& draft, const json::array& ids) {
  reader.Each(ids, [&](const json::value& value) {
    if (const auto id = reader.AsInteger(value, 0, kMaxTokens)) {
      draft.request.stop_tokens.push_back(static_cast<TokenId>(*id));
    }
  });
}

constexpr double kAnyPenalty = 100;  // as far as the sampler's arithmetic stays finite

const auto kSamplingFields = std::to_array<Field<RequestDraft>>({
    {"temperature",
     [](RequestDraft& d, double v) { d.request.sampling.temperature = static_cast<float>(v); }, 0,
     100},
    {"top_p", [](RequestDraft& d, double v) { d.request.sampling.top_p = static_cast<float>(v); },
     0, 1},
    {"top_k",  // -1: off, as 0
     [](RequestDraft& d, int64_t v) {
       d.request.sampling.top_k = static_cast<int32_t>(std::max<int64_t>(v, 0));
     },
     -1, kMaxTokens},
    {"min_p", [](RequestDraft& d, double v) { d.request.sampling.min_p = static_cast<float>(v); },
     0, 1},
    {"seed", [](RequestDraft& d, int64_t v) { d.request.sampling.seed = static_cast<uint64_t>(v); },
     -9223372036854775808.0, 9223372036854775808.0},
    {"repetition_penalty",
     [](RequestDraft& d, double v) {
       d.request.sampling.repetition_penalty = static_cast<float>(v);
     },
     0.01, kAnyPenalty},
    {"repeat_penalty",
     [](RequestDraft& d, double v) {
       d.request.sampling.repetition_penalty = static_cast<float>(v);
     },
     0.01, kAnyPenalty},
    {"repeat_last_n",
     [](RequestDraft& d, int64_t v) {
       d.request.sampling.penalty_window = static_cast<int32_t>(v);
     },
     -1, kMaxTokens},
    {"presence_penalty",
     [](RequestDraft& d, double v) { d.request.sampling.presence_penalty = static_cast<float>(v); },
     -2, 2},
    {"frequency_penalty",
     [](RequestDraft& d, double v) {
       d.request.sampling.frequency_penalty = static_cast<float>(v);
     },
     -2, 2},
    {"logit_bias", ReadLogitBias},
    {"ignore_eos", [](RequestDraft& d, bool v) { d.request.ignore_eos = v; }},
    {"stop_token_ids", ReadStopTokens, 0, kMaxStops},
});

// A schema as an object, or as the text of one.
void ReadSchema(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  if (value.is_object() || value.is_bool()) {
    return SetFormat(reader, draft, OutputKind::kJsonSchema, JsonText(value));
  }
  const auto text = reader.AsText(value, 1, kMaxTextBytes);
  if (!text) return;
  const auto schema = ParseJson(*text);
  if (!schema.ok()) return reader.Fail("is a text, but no JSON: " + schema.status().message());
  SetFormat(reader, draft, OutputKind::kJsonSchema, std::string(*text));
}

// One of some texts, as a regular expression.
void ReadTextChoices(RequestReader& reader, RequestDraft& draft, const json::array& choices) {
  std::string expression = "(";
  reader.Each(choices, [&](const json::value& value) {
    const auto text = reader.AsText(value, 1, kMaxStopBytes);
    if (!text) return;
    if (expression.size() > 1) expression += '|';
    for (const char c : *text) {
      if (std::string_view(".^$*+?()[]{}|\\/-").find(c) != std::string_view::npos) {
        expression += '\\';
      }
      expression += c;
    }
  });
  SetFormat(reader, draft, OutputKind::kRegex, expression + ")");
}

void SetRegex(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  const auto text = reader.AsText(value, 1, kMaxTextBytes);
  if (text) SetFormat(reader, draft, OutputKind::kRegex, std::string(*text));
}

void SetGrammar(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  const auto text = reader.AsText(value, 0, kMaxTextBytes);
  // Clients of llama.cpp send an empty one where they want none.
  if (text && !text->empty()) {
    SetFormat(reader, draft, OutputKind::kGrammar, std::string(*text));
  }
}

void SetAnyJson(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  if (!value.is_bool()) return reader.Fail("must be true or false", "invalid_type");
  if (value.get_bool()) SetFormat(reader, draft, OutputKind::kJson, {});
}

void RefuseStructuralTag(RequestReader& reader, RequestDraft&, const json::value&) {
  reader.Fail("is not supported: use tools, a schema, a regex or a grammar", "unsupported");
}

const auto kStructuredFields = std::to_array<Field<RequestDraft>>({
    {"json", ReadSchema},
    {"regex", SetRegex},
    {"choice", ReadTextChoices, 1, kMaxChoicesOfText},
    {"grammar", SetGrammar},
    {"json_object", SetAnyJson},
    {"structural_tag", RefuseStructuralTag},
});

const auto kFormatFields = std::to_array<Field<RequestDraft>>({
    {"structured_outputs",
     [](RequestReader& r, RequestDraft& d, const json::object& v) {
       r.Read<RequestDraft>(v, {kStructuredFields}, d);
     }},
    {"guided_json", ReadSchema},
    {"guided_regex", SetRegex},
    {"guided_choice", ReadTextChoices, 1, kMaxChoicesOfText},
    {"guided_grammar", SetGrammar},
    {"grammar", SetGrammar},
    {"json_schema", ReadSchema},
});

// What requests may tell templates; all else in a template is the model author's. Values are
// small: a template may print them.
constexpr std::array<std::string_view, 10> kTemplateVariables = {
    "enable_thinking", "thinking",      "reasoning_effort",  "thinking_budget", "clear_thinking",
    "date_string",     "builtin_tools", "preserve_thinking", "thinking_mode",   "model_identity"};

void ReadTemplateVariables(RequestReader& reader, RequestDraft& draft, const json::object& values) {
  if (static_cast<double>(values.size()) > kMaxVariables) {
    return reader.Fail(
        fmt::format("has {} members, it must have at most {:.0f}", values.size(), kMaxVariables));
  }
  for (const auto& member : values) {
    const std::string_view name = View(member.key());
    const json::value& value = member.value();
    if (std::find(kTemplateVariables.begin(), kTemplateVariables.end(), name) ==
        kTemplateVariables.end()) {
      return reader.Fail(fmt::format("has the member \"{}\", possible are {}", Printable(name),
                                     fmt::join(kTemplateVariables, ", ")),
                         "unsupported");
    }
    const RequestReader::Step step(reader, name);
    if (value.is_structured()) {
      return reader.Fail(
          fmt::format("must be true, false, a number or a text, not {}", KindOf(value)),
          "invalid_type");
    }
    if (value.is_string() && !reader.AsText(value, 0, kMaxIdBytes)) return;
    draft.template_variables[member.key()] = value;
  }
}

const auto kTemplateFields = std::to_array<Field<RequestDraft>>({
    {"chat_template_kwargs", ReadTemplateVariables},
    {"reasoning_effort",
     [](RequestReader& r, RequestDraft& d, const json::value& v) {
       if (const auto text = r.AsText(v, 1, kMaxIdBytes)) SetReasoningEffort(r, d, *text);
     }},
    {"continue_final_message",
     [](RequestDraft& d, bool v) { d.request.continue_last_message = v; }},
});

}  // namespace

Fields<RequestDraft> SamplingFields() { return kSamplingFields; }
Fields<RequestDraft> FormatFields() { return kFormatFields; }
Fields<RequestDraft> TemplateFields() { return kTemplateFields; }

void ReadStops(RequestReader& reader, RequestDraft& draft, const json::value& value) {
  const auto add = [&](const json::value& element) {
    if (const auto text = reader.AsText(element, 1, kMaxStopBytes)) {
      draft.request.stop.emplace_back(*text);
    }
  };
  if (!value.is_array()) return add(value);
  const json::array& list = value.get_array();
  if (static_cast<double>(list.size()) > kMaxStops) {
    return reader.Fail(
        fmt::format("has {} elements, it must have at most {:.0f}", list.size(), kMaxStops));
  }
  reader.Each(list, add);
}

void SetFormat(RequestReader& reader, RequestDraft& draft, OutputKind kind, std::string source) {
  if (!draft.format_field.empty()) {
    return reader.Fail(fmt::format("and {} both say what the answer must look like: choose one",
                                   draft.format_field));
  }
  draft.format_field = reader.path();
  draft.request.format = {.kind = kind, .source = std::move(source)};
}

void ReadFormat(RequestReader& reader, RequestDraft& draft, const json::object& format,
                std::string_view schema_member) {
  const json::value* type = format.if_contains("type");
  if (type == nullptr) return reader.FailAt("type", "is missing", "missing_required_parameter");
  std::optional<std::string_view> name;
  {
    const RequestReader::Step step(reader, "type");
    name = reader.AsText(*type, 1, kMaxIdBytes);
    if (!name) return;
    if (*name != "text" && *name != "json_object" && *name != "json_schema") {
      return reader.Fail(
          fmt::format("is \"{}\", it must be text, json_object or json_schema", Printable(*name)));
    }
  }
  if (*name == "text") return;
  const json::object* holder = &format;
  std::optional<RequestReader::Step> inside;
  if (*name == "json_schema" && !schema_member.empty()) {
    const json::value* inner = format.if_contains(schema_member);
    if (inner == nullptr) {
      return reader.FailAt(schema_member, "is missing", "missing_required_parameter");
    }
    inside.emplace(reader, schema_member);
    holder = reader.AsObject(*inner);
    if (holder == nullptr) return;
  }
  const json::value* schema = holder->if_contains("schema");
  if (schema != nullptr && !schema->is_null()) {
    const RequestReader::Step step(reader, "schema");
    return ReadSchema(reader, draft, *schema);
  }
  if (*name == "json_schema") {
    return reader.FailAt("schema", "is missing", "missing_required_parameter");
  }
  SetFormat(reader, draft, OutputKind::kJson, {});
}

void SetReasoningEffort(RequestReader& reader, RequestDraft& draft, std::string_view effort) {
  // What clients say, and the nearest that templates know.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kEfforts = {
      {{"none", "low"},
       {"minimal", "low"},
       {"low", "low"},
       {"medium", "medium"},
       {"high", "high"},
       {"xhigh", "high"},
       {"max", "high"}}};
  for (const auto& entry : kEfforts) {
    if (entry.first != effort) continue;
    const bool on = effort != "none";
    draft.template_variables.emplace("reasoning_effort", std::string(entry.second));
    draft.template_variables.emplace("enable_thinking", on);
    draft.template_variables.emplace("thinking", on);
    return;
  }
  reader.Fail(fmt::format("is \"{}\", it must be none, minimal, low, medium, high or xhigh",
                          Printable(effort)));
}

void FinishConversation(RequestReader& reader, RequestDraft& draft) {
  if (!reader.ok()) return;
  GenerationRequest& request = draft.request;
  // The prompt shows all tools, so that it stays the same whichever may be called.
  const std::vector<std::string>& allowed = request.allowed_tools;
  for (const ToolDefinition& definition : draft.tools) {
    if (allowed.empty() ||
        std::find(allowed.begin(), allowed.end(), definition.tool.name) != allowed.end()) {
      request.tools.push_back(definition.tool);
    }
  }
  for (const std::string& name : allowed) {
    const auto is_named = [&](const Tool& tool) { return tool.name == name; };
    if (std::any_of(request.tools.begin(), request.tools.end(), is_named)) continue;
    return reader.FailAt("tool_choice", fmt::format("allows the tool \"{}\", which is not in tools",
                                                    Printable(name)));
  }
  const bool needs_tools =
      request.tool_choice == ToolChoice::kRequired || request.tool_choice == ToolChoice::kNamed;
  if (needs_tools && request.tools.empty()) {
    return reader.FailAt("tool_choice", "wants a tool to be called, but there are no tools");
  }
  const auto is_chosen = [&](const Tool& tool) { return tool.name == request.tool_name; };
  if (request.tool_choice == ToolChoice::kNamed &&
      std::none_of(request.tools.begin(), request.tools.end(), is_chosen)) {
    return reader.FailAt("tool_choice", fmt::format("names the tool \"{}\", which is not in tools",
                                                    Printable(request.tool_name)));
  }
  if (needs_tools) request.format = {};  // of a text, and there is none
  if (request.continue_last_message && draft.messages.back().role != "assistant") {
    return reader.FailAt("continue_final_message",
                         "needs a last message of the assistant to continue");
  }
  text::Conversation conversation;
  conversation.messages_json = MessagesJson(std::move(draft.messages));
  conversation.tools_json = ToolsJson(draft.tools);
  conversation.add_generation_prompt = !request.continue_last_message;
  if (!draft.template_variables.empty()) {
    conversation.extra_json = JsonText(draft.template_variables);
  }
  request.conversation = std::move(conversation);
}

GenerationRequest TakeRequest(RequestReader& reader, RequestDraft& draft) {
  draft.request.format_field = draft.format_field;
  draft.request.warnings = reader.warnings();
  draft.request.unknown_fields = reader.unknown_fields();
  return std::move(draft.request);
}

}  // namespace tutti::server
