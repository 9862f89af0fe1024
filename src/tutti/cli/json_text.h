// JSON for the program's answers, on one line: numbers as short as they round-trip ("23.6042", not
// "2.36042E1"), members in the order in which they were added. NaN and infinities become null.
#pragma once
#include <boost/json/value.hpp>

#include <span>
#include <string>

#include "tutti/base/ids.h"
#include "tutti/base/json_string.h"

namespace tutti::cli {

std::string ToJson(const boost::json::value& value);
std::string JsonIds(std::span<const TokenId> ids);

}  // namespace tutti::cli
