#include "tutti/text/tool_call_parsers.h"

#include <array>
#include <boost/json.hpp>
#include <optional>

#include "tutti/base/json.h"
#include "tutti/base/json_string.h"
#include "tutti/base/json_text.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

constexpr std::string_view kSpaces = " \t\r\n";

// Takes `text` from the front of `rest`, which may have white space before it.
bool Take(std::string_view& rest, std::string_view text) {
  const std::string_view found =
      rest.substr(std::min(rest.find_first_not_of(kSpaces), rest.size()));
  if (!found.starts_with(text)) return false;
  rest = found.substr(text.size());
  return true;
}

// Everything before `end`, which is taken too.
std::optional<std::string_view> TakeUntil(std::string_view& rest, std::string_view end) {
  const size_t at = rest.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view found = rest.substr(0, at);
  rest.remove_prefix(at + end.size());
  return found;
}

// The JSON value at the front of `rest`, which is taken; brackets inside strings do not count.
std::optional<std::string_view> TakeJsonObject(std::string_view& rest) {
  if (!rest.starts_with('{')) return std::nullopt;
  int64_t depth = 0;
  QuoteScan quotes;
  for (size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    const bool inside = quotes.inside();
    quotes.Take(c);
    if (inside) continue;
    if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      const std::string_view found = rest.substr(0, i + 1);
      rest.remove_prefix(i + 1);
      return found;
    }
  }
  return std::nullopt;
}

const json::value* FirstOf(const json::object& object,
                           std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (const json::value* value = object.if_contains(name)) return value;
  }
  return nullptr;
}

bool ArgumentsOf(const json::value& value, ToolCall& call) {
  if (value.is_string()) return SetArguments(View(value.get_string()), call);
  if (value.is_null()) {
    call.arguments = "{}";
    return true;
  }
  if (!value.is_object()) return false;
  call.arguments = JsonText(value);
  return true;
}

bool CallOf(const json::value& value, std::vector<ToolCall>& calls) {
  if (!value.is_object()) return false;
  const json::object& object = value.get_object();
  ToolCall call;
  const json::value* name = FirstOf(object, {"name", "tool_name"});
  const json::value* arguments = FirstOf(object, {"arguments", "parameters"});
  if (name == nullptr) {
    const json::value* function = object.if_contains("function");
    if (function != nullptr && function->is_object()) return CallOf(*function, calls);
    // {"NAME": {...}}
    if (object.size() != 1 || !object.begin()->value().is_object()) return false;
    call.name = View(object.begin()->key());
    call.arguments = JsonText(object.begin()->value());
  } else {
    if (!name->is_string()) return false;
    call.name = View(name->get_string());
    if (arguments == nullptr) {
      call.arguments = "{}";
    } else if (!ArgumentsOf(*arguments, call)) {
      return false;
    }
    const json::value* id = FirstOf(object, {"id", "tool_call_id"});
    if (id != nullptr && id->is_string()) call.id = View(id->get_string());
  }
  if (!IsToolName(call.name)) return false;
  calls.push_back(std::move(call));
  return true;
}

// Where `body` writes arguments one by one.
class ArgumentsBuilder {
 public:
  ArgumentsBuilder(const ToolTypes& types, std::string_view tool) : types_(types), tool_(tool) {}
  void AddText(std::string_view key, std::string_view text) {
    AddJson(key, types_.ValueJson(tool_, key, text));
  }
  void AddJson(std::string_view key, std::string_view value) {
    if (out_.size() > 1) out_ += ',';
    AppendJsonString(key, out_);
    out_ += ':';
    out_ += value;
  }
  std::string Finish() { return out_ + "}"; }

 private:
  const ToolTypes& types_;
  std::string_view tool_;
  std::string out_ = "{";
};

// One line end at either side belongs to the layout.
std::string_view WithoutLineEnds(std::string_view text) {
  if (text.starts_with('\n')) text.remove_prefix(1);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

// NAME>(<parameter=KEY>VALUE</parameter>)*</function>, or NAME>{...}.
bool ParseParameters(std::string_view rest, const ToolTypes& types, std::vector<ToolCall>& calls) {
  const auto name = TakeUntil(rest, ">");
  if (!name || !IsToolName(Trimmed(*name))) return false;
  ToolCall call;
  call.name = Trimmed(*name);
  ArgumentsBuilder arguments(types, call.name);
  while (Take(rest, "<parameter=")) {
    const auto key = TakeUntil(rest, ">");
    const auto value = TakeUntil(rest, "</parameter>");
    if (!key || !value) return false;
    arguments.AddText(Trimmed(*key), WithoutLineEnds(*value));
  }
  Take(rest, "</function>");
  if (!Trimmed(rest).empty()) return false;
  call.arguments = arguments.Finish();
  calls.push_back(std::move(call));
  return true;
}

bool ParseArgKeys(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls) {
  const size_t first = std::min(body.find("<arg_key>"), body.size());
  ToolCall call;
  call.name = Trimmed(body.substr(0, first));
  if (!IsToolName(call.name)) return false;
  std::string_view rest = body.substr(first);
  ArgumentsBuilder arguments(types, call.name);
  while (Take(rest, "<arg_key>")) {
    const auto key = TakeUntil(rest, "</arg_key>");
    if (!key || !Take(rest, "<arg_value>")) return false;
    const auto value = TakeUntil(rest, "</arg_value>");
    if (!value) return false;
    arguments.AddText(Trimmed(*key), *value);
  }
  if (!Trimmed(rest).empty()) return false;
  call.arguments = arguments.Finish();
  calls.push_back(std::move(call));
  return true;
}

// functions.NAME:0
bool SetKimiName(std::string_view id, ToolCall& call) {
  call.id = Trimmed(id);
  std::string_view name = call.id;
  if (name.starts_with("functions.")) name.remove_prefix(10);
  call.name = name.substr(0, name.rfind(':'));
  return IsToolName(call.name);
}

// NAME[CALL_ID]ID[ARGS], both marks optional.
bool SetMistralName(std::string_view head, ToolCall& call) {
  if (head.ends_with("[ARGS]")) head.remove_suffix(6);
  if (const size_t id = head.find("[CALL_ID]"); id != std::string_view::npos) {
    call.id = head.substr(id + 9);
    head = head.substr(0, id);
  }
  call.name = Trimmed(head);
  return IsToolName(call.name);
}

// NAME, then an object, perhaps in a fence: ```json ... ```.
bool ParseFenced(std::string_view body, std::vector<ToolCall>& calls) {
  std::string_view rest = body;
  const size_t brace = rest.find('{');
  if (brace == std::string_view::npos) return false;
  std::string_view name = Trimmed(rest.substr(0, brace));
  rest.remove_prefix(brace);
  if (name.ends_with("```json")) name = Trimmed(name.substr(0, name.size() - 7));
  const auto object = TakeJsonObject(rest);
  ToolCall call;
  call.name = name;
  if (!object || !IsToolName(name) || !SetArguments(*object, call)) return false;
  Take(rest, "```");
  if (!Trimmed(rest).empty()) return false;
  calls.push_back(std::move(call));
  return true;
}

}  // namespace

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

bool IsToolName(std::string_view name) {
  return !name.empty() && name.size() <= 256 &&
         name.find_first_of(" \t\r\n<>{}[]\"|") == std::string_view::npos;
}

bool SetArguments(std::string_view text, ToolCall& call) {
  if (Trimmed(text).empty()) {
    call.arguments = "{}";
    return true;
  }
  const auto value = ParseJson(text);
  if (!value.ok() || !value->is_object()) return false;
  call.arguments = JsonText(*value);
  return true;
}

bool ParseJsonCalls(std::string_view body, const ToolTypes&, std::vector<ToolCall>& calls) {
  const size_t before = calls.size();
  std::string_view rest = Trimmed(body);
  if (rest.starts_with('[')) {
    const auto list = ParseJson(rest);
    if (!list.ok() || !list->is_array()) return false;
    for (const json::value& element : list->get_array()) {
      if (!CallOf(element, calls)) return false;
    }
    return calls.size() > before;
  }
  while (!rest.empty()) {
    const auto object = TakeJsonObject(rest);
    if (!object) return false;
    const auto value = ParseJson(*object);
    if (!value.ok() || !CallOf(*value, calls)) return false;
    while (Take(rest, ";") || Take(rest, ",")) {
    }
    rest = Trimmed(rest);
  }
  return calls.size() > before;
}

bool ParseTaggedCall(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls) {
  std::string_view rest = Trimmed(body);
  if (rest.starts_with('{') || rest.starts_with('[')) return ParseJsonCalls(rest, types, calls);
  if (Take(rest, "<function=")) return ParseParameters(rest, types, calls);
  return ParseArgKeys(rest, types, calls);
}

bool ParseFunctionTag(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls) {
  std::string_view rest = body;
  const auto name = TakeUntil(rest, ">");
  if (!name || !IsToolName(*name)) return false;
  if (!Trimmed(rest).starts_with('{')) return ParseParameters(body, types, calls);
  ToolCall call;
  call.name = *name;
  if (!SetArguments(rest, call)) return false;
  calls.push_back(std::move(call));
  return true;
}

bool ParseInvokes(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls) {
  constexpr std::string_view kDsml = "｜DSML｜";
  const std::string prefix(Trimmed(body).starts_with("<｜DSML｜") ? kDsml : std::string_view());
  const std::string invoke = "<" + prefix + "invoke name=\"";
  const std::string invoke_end = "</" + prefix + "invoke>";
  const std::string parameter = "<" + prefix + "parameter name=\"";
  const std::string parameter_end = "</" + prefix + "parameter>";
  const size_t before = calls.size();
  std::string_view rest = body;
  while (Take(rest, invoke)) {
    const auto name = TakeUntil(rest, "\"");
    if (!name || !IsToolName(*name) || !Take(rest, ">")) return false;
    ToolCall call;
    call.name = *name;
    ArgumentsBuilder arguments(types, call.name);
    while (Take(rest, parameter)) {
      const auto key = TakeUntil(rest, "\"");
      const auto attributes = TakeUntil(rest, ">");
      const auto value = TakeUntil(rest, parameter_end);
      if (!key || !attributes || !value) return false;
      if (attributes->find("string=\"true\"") != std::string_view::npos) {
        arguments.AddJson(*key, JsonString(*value));
      } else {
        arguments.AddText(*key, WithoutLineEnds(*value));
      }
    }
    if (!Take(rest, invoke_end)) return false;
    call.arguments = arguments.Finish();
    calls.push_back(std::move(call));
  }
  return Trimmed(rest).empty() && calls.size() > before;
}

bool ParseDeepseekCalls(std::string_view body, const ToolTypes&, std::vector<ToolCall>& calls) {
  const size_t before = calls.size();
  std::string_view rest = body;
  while (Take(rest, "<｜tool▁call▁begin｜>")) {
    const auto name = TakeUntil(rest, "<｜tool▁sep｜>");
    auto call_body = TakeUntil(rest, "<｜tool▁call▁end｜>");
    if (!name) return false;
    if (!call_body) call_body = std::exchange(rest, {});  // cut off
    if (Trimmed(*name) == "function" && !Trimmed(*call_body).starts_with('{')) {
      if (!ParseFenced(*call_body, calls)) return false;
      continue;
    }
    ToolCall call;
    call.name = Trimmed(*name);
    if (!IsToolName(call.name) || !SetArguments(*call_body, call)) return false;
    calls.push_back(std::move(call));
  }
  return Trimmed(rest).empty() && calls.size() > before;
}

bool ParseKimiCalls(std::string_view body, const ToolTypes&, std::vector<ToolCall>& calls) {
  const size_t before = calls.size();
  std::string_view rest = body;
  while (Take(rest, "<|tool_call_begin|>")) {
    const auto id = TakeUntil(rest, "<|tool_call_argument_begin|>");
    auto arguments = TakeUntil(rest, "<|tool_call_end|>");
    if (!id) return false;
    if (!arguments) arguments = std::exchange(rest, {});  // cut off
    ToolCall call;
    if (!SetKimiName(*id, call) || !SetArguments(*arguments, call)) return false;
    calls.push_back(std::move(call));
  }
  return Trimmed(rest).empty() && calls.size() > before;
}

bool ParseMistralCalls(std::string_view body, const ToolTypes& types,
                       std::vector<ToolCall>& calls) {
  std::string_view rest = Trimmed(body);
  if (rest.starts_with('[') || rest.starts_with('{')) return ParseJsonCalls(rest, types, calls);
  do {
    const size_t brace = rest.find('{');
    if (brace == std::string_view::npos) return false;
    ToolCall call;
    if (!SetMistralName(Trimmed(rest.substr(0, brace)), call)) return false;
    rest.remove_prefix(brace);
    const auto object = TakeJsonObject(rest);
    if (!object || !SetArguments(*object, call)) return false;
    calls.push_back(std::move(call));
  } while (Take(rest, "[TOOL_CALLS]"));
  return Trimmed(rest).empty();
}

bool ParseCallList(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls) {
  std::string_view rest = body;
  const size_t before = calls.size();
  if (!Trimmed(rest).starts_with('<')) return ParseJsonCalls(rest, types, calls);
  while (Take(rest, "<tool_call>")) {
    auto call = TakeUntil(rest, "</tool_call>");
    if (!call) call = std::exchange(rest, {});  // cut off
    const bool fenced = Trimmed(*call).find("```json") != std::string_view::npos;
    if (!(fenced ? ParseFenced(*call, calls) : ParseTaggedCall(*call, types, calls))) return false;
  }
  return Trimmed(rest).empty() && calls.size() > before;
}

std::string_view WithoutLayout(std::string_view text) {
  constexpr auto kLayout = std::to_array<std::string_view>(
      {"```", "}", "]", ",", ";", "<｜tool▁call▁end｜>", "<|tool_call_end|>", "</tool_call>"});
  for (bool more = true; more;) {
    more = false;
    for (const std::string_view layout : kLayout) more = Take(text, layout) || more;
  }
  return text.substr(std::min(text.find_first_not_of(kSpaces), text.size()));
}

bool ReadFunctionHead(std::string_view head, ToolCall& call) {
  const auto name = TakeUntil(head, ">");
  if (!name || !IsToolName(*name) || !Trimmed(head).empty()) return false;
  call.name = *name;
  return true;
}

bool ReadDeepseekHead(std::string_view head, ToolCall& call) {
  head = WithoutLayout(head);
  if (!Take(head, "<｜tool▁call▁begin｜>")) return false;
  const auto name = TakeUntil(head, "<｜tool▁sep｜>");
  if (!name) return false;
  std::string_view rest = Trimmed(head);
  call.name = Trimmed(*name);
  if (rest.empty()) return IsToolName(call.name);
  // function<｜tool▁sep｜>NAME, a line end and a fence.
  if (call.name != "function" || !rest.ends_with("```json")) return false;
  call.name = Trimmed(rest.substr(0, rest.size() - 7));
  return IsToolName(call.name);
}

bool ReadKimiHead(std::string_view head, ToolCall& call) {
  head = WithoutLayout(head);
  if (!Take(head, "<|tool_call_begin|>")) return false;
  const auto id = TakeUntil(head, "<|tool_call_argument_begin|>");
  return id && Trimmed(head).empty() && SetKimiName(*id, call);
}

bool ReadMistralHead(std::string_view head, ToolCall& call) {
  head = Trimmed(head);
  Take(head, "[TOOL_CALLS]");
  return SetMistralName(Trimmed(head), call);
}

bool ReadFencedHead(std::string_view head, ToolCall& call) {
  head = WithoutLayout(head);
  if (!Take(head, "<tool_call>") || !head.ends_with("```json\n")) return false;
  call.name = Trimmed(head.substr(0, head.size() - 8));
  return IsToolName(call.name);
}

}  // namespace tutti::text
