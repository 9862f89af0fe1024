// Texts or token ids, as `prompt` of /v1/completions and `input` of /v1/embeddings take them: one
// text, one list of ids, or a list of either.
//
// Threads: one at a time. Errors: in the reader.
#pragma once
#include <boost/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/server/json_fields.h"

namespace tutti::server {

using Prompt = std::variant<std::string, TokenIds>;

// At least one, unless there is an error.
void ReadPrompts(RequestReader& reader, const boost::json::value& value,
                 std::vector<Prompt>& prompts);

// A list of ids.
TokenIds ReadTokenIds(RequestReader& reader, const boost::json::array& list);

}  // namespace tutti::server
