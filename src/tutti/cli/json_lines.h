// JSON lines in, JSON lines out, for commands that other programs drive.
//
// Answers are written in the order of the lines and flushed before the program waits for more
// input, so a driver may ask line by line. Errors name the line: kData for what is not a JSON
// object or has members of the wrong kind.
#pragma once
#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/cli/console.h"

namespace tutti::cli {

// Calls `answer` with each line; what it returns is written as the answer's line.
Status ForEachLine(Console& console,
                   const std::function<Result<std::string>(const std::string& line)>& answer);
Status ForEachJsonLine(
    Console& console,
    const std::function<Result<std::string>(const boost::json::object& line)>& answer);

Result<std::string_view> StringMember(const boost::json::object& line, std::string_view name);
Result<bool> BoolMember(const boost::json::object& line, std::string_view name, bool fallback);
Result<TokenIds> IdsMember(const boost::json::object& line, std::string_view name);

}  // namespace tutti::cli
