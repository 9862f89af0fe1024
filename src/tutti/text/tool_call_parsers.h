// The parsers of tool_calls.h, one per form. Only for sources in text/.
#pragma once
#include <string_view>
#include <vector>

#include "tutti/text/tool_calls.h"

namespace tutti::text {

// Objects with a name and arguments, one, several or a list of them; {"NAME": {...}} too.
bool ParseJsonCalls(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);
// What stands in <tool_call>: JSON, <function=NAME><parameter=KEY>VALUE..., or
// NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value>...
bool ParseTaggedCall(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);
// NAME>{...}, what follows <function=.
bool ParseFunctionTag(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);
// <invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>..., with or without DSML.
bool ParseInvokes(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);
// DeepSeek V3 and V3.1.
bool ParseDeepseekCalls(std::string_view body, const ToolTypes& types,
                        std::vector<ToolCall>& calls);
bool ParseKimiCalls(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);
// A list, or NAME[ARGS]{...} with [TOOL_CALLS] between them.
bool ParseMistralCalls(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);
// A list, or <tool_call>NAME ```json {...}``` in Hunyuan's way.
bool ParseCallList(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);
// call:NAME{key:<|"|>text<|"|>,...}.
bool ParseGemmaCall(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);

// [f(a=1, b='x'), g()], or JSON.
bool ParsePythonCalls(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls);

// The heads of calls (CallHeadParser) of the forms whose arguments are JSON behind one.
bool ReadFunctionHead(std::string_view head, ToolCall& call);
bool ReadDeepseekHead(std::string_view head, ToolCall& call);
bool ReadKimiHead(std::string_view head, ToolCall& call);
bool ReadMistralHead(std::string_view head, ToolCall& call);
bool ReadFencedHead(std::string_view head, ToolCall& call);

// Without what may stand behind a call's arguments: white space, brackets, fences and marks.
std::string_view WithoutLayout(std::string_view text);

bool IsToolName(std::string_view name);

// A JSON object, or a text that is one, as arguments; false where it is neither.
bool SetArguments(std::string_view json, ToolCall& call);

std::string_view Trimmed(std::string_view text);

// Tells which bytes of a JSON text stand inside of its strings.
class QuoteScan {
 public:
  void Take(char c) {
    if (!inside_) {
      inside_ = c == '"';
    } else if (escaped_) {
      escaped_ = false;
    } else {
      escaped_ = c == '\\';
      inside_ = c != '"';
    }
  }
  // Whether the next byte does, or is the quote that ends one.
  bool inside() const { return inside_; }

 private:
  bool inside_ = false;
  bool escaped_ = false;
};

}  // namespace tutti::text
