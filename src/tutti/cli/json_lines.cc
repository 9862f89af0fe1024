#include "tutti/cli/json_lines.h"

#include <boost/json.hpp>
#include <limits>

#include "tutti/base/json.h"
#include "tutti/cli/standard_input.h"

namespace tutti::cli {

Status ForEachLine(Console& console,
                   const std::function<Result<std::string>(const std::string& line)>& answer) {
  LineInput input;
  while (true) {
    if (Interrupted()) return InterruptedError();
    if (!input.has_line()) TUTTI_RETURN_IF_ERROR(console.Flush());
    TUTTI_ASSIGN_OR_RETURN(const auto line, input.Next());
    if (!line) return {};
    if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
    auto text = answer(*line);
    if (!text.ok()) {
      return text.status().WithContext(fmt::format("line {}", input.line_number()));
    }
    console.Write(*text);
    console.Write("\n");
    if (!console.ok()) return console.Flush();
  }
}

Status ForEachJsonLine(
    Console& console,
    const std::function<Result<std::string>(const boost::json::object& line)>& answer) {
  return ForEachLine(console, [&](const std::string& line) -> Result<std::string> {
    TUTTI_ASSIGN_OR_RETURN(const boost::json::value value, ParseJson(line));
    if (!value.is_object()) return DataError("not a JSON object");
    return answer(value.get_object());
  });
}

Result<std::string_view> StringMember(const boost::json::object& line, std::string_view name) {
  const auto* member = line.if_contains(name);
  if (member == nullptr || !member->is_string()) return DataError("\"{}\" is not a string", name);
  return std::string_view(member->get_string());
}

Result<bool> BoolMember(const boost::json::object& line, std::string_view name, bool fallback) {
  const auto* member = line.if_contains(name);
  if (member == nullptr) return fallback;
  if (!member->is_bool()) return DataError("\"{}\" is not true or false", name);
  return member->get_bool();
}

Result<TokenIds> IdsMember(const boost::json::object& line, std::string_view name) {
  const auto* member = line.if_contains(name);
  if (member == nullptr || !member->is_array()) return DataError("\"{}\" is not a list", name);
  TokenIds ids;
  ids.reserve(member->get_array().size());
  for (const boost::json::value& value : member->get_array()) {
    if (!value.is_int64() || value.get_int64() < 0 ||
        value.get_int64() > std::numeric_limits<TokenId>::max()) {
      return DataError("\"{}\" holds something that is not a token id", name);
    }
    ids.push_back(static_cast<TokenId>(value.get_int64()));
  }
  return ids;
}

}  // namespace tutti::cli
