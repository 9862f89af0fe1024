// Tools in requests: what all APIs' tool lists and tool choices have in common.
//
// Threads: one at a time. Errors: in the reader.
#pragma once
#include <boost/json.hpp>
#include <string_view>

#include "tutti/server/json_fields.h"
#include "tutti/server/request_draft.h"

namespace tutti::server {

// A function of the tool list: {"name", "description", "strict"} and its JSON schema in
// `schema_member`.
void ReadFunction(RequestReader& reader, RequestDraft& draft, const boost::json::object& function,
                  std::string_view schema_member);

// "none", "auto", "required" or "any", the same as {"type": ...}, or one function:
// {"type": "function" | "tool", "name"}, also with the name inside "function"; or some of them:
// {"type": "allowed_tools", "mode", "tools"}, also with the latter two inside "allowed_tools".
void ReadToolChoice(RequestReader& reader, RequestDraft& draft, const boost::json::value& value);

}  // namespace tutti::server
