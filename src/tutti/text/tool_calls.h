// Tool calls as models write them: from the text between a family's markers to names and arguments.
//
// A family has its markers and a parser of what stands between them (a table in tool_calls.cc); a
// template that mentions a marker expects calls of that form. Parsers take linear time and use no
// regular expressions.
//
// Threads: any. Errors: of schemas; what is no call stays text (answer_parts.h).
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"

namespace tutti::text {

struct ToolCall {
  std::string name;
  std::string arguments;  // a JSON object
  std::string id;         // where the family writes one
};

// A function that may be called.
struct ToolSchema {
  std::string name;
  std::string parameters_json;  // JSON schema of its arguments; empty: any
};

// What the schemas say about arguments that a model writes without quotes.
class ToolTypes {
 public:
  explicit ToolTypes(std::span<const ToolSchema> tools);
  bool Has(std::string_view tool) const { return types_.contains(std::string(tool)); }
  // The text as JSON: quoted where the schema wants a string, or where it is no JSON.
  std::string ValueJson(std::string_view tool, std::string_view parameter,
                        std::string_view text) const;

 private:
  using Parameters = std::map<std::string, std::set<std::string>>;  // JSON types by name
  std::map<std::string, Parameters> types_;
};

using CallParser = bool (*)(std::string_view body, const ToolTypes& types,
                            std::vector<ToolCall>& calls);
// Reads what stands before the `{` of a call's arguments, layout behind the call before included.
using CallHeadParser = bool (*)(std::string_view head, ToolCall& call);

struct CallSyntax {
  std::string_view open;
  std::string_view close;  // empty: the calls last until the answer ends
  CallParser parse;        // appends all calls of a body, or answers false
  // Which bodies tell calls before their end: objects with name and arguments in this order, and
  // calls whose arguments are JSON behind a head.
  bool json = false;
  CallHeadParser head = nullptr;
  // Other markers inside, for Knows.
  std::string_view inner = {};
  // The template's words that announce the form, where `open` is not among them.
  std::string_view announced_by = {};
  // The whole answer must be calls of known tools: `open` only begins it.
  bool bare = false;
};

// How a model writes its calls, where a grammar can follow: behind `syntax->open` one object with
// name and arguments, or, where there is a `mark`, `before`, the name, `behind` (which ends with
// the mark) and the arguments.
struct CallForm {
  const CallSyntax* syntax = nullptr;  // null: in no such way; of gpt-oss: HarmonyCallSyntax()
  std::string_view mark = {};
  std::string_view before = {};
  std::string_view behind = {};  // empty: the model writes more than the name there
};
CallForm CallFormOf(std::string_view template_source);

// The forms that a template expects, by its source.
std::vector<const CallSyntax*> CallSyntaxesOf(std::string_view template_source);

// The form without any markers: {"name": ..., "arguments": {...}}. For answers that a grammar
// forces to be calls.
const CallSyntax& BareCallSyntax();

// gpt-oss, whose answers have channels instead of marks (answer_parts.h).
const CallSyntax& HarmonyCallSyntax();

// The JSON schema of the objects that may be the tool's arguments. kUsage where its parameters say
// that they are none.
Result<std::string> ArgumentsSchema(const ToolSchema& tool);

// A JSON schema of one call of one of the tools, as BareCallSyntax reads it: of `name` where it is
// not empty. Errors as ArgumentsSchema.
Result<std::string> CallSchema(std::span<const ToolSchema> tools, std::string_view name);

}  // namespace tutti::text
