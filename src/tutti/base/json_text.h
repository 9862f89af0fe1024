// A JSON value as text, on one line without spaces.
//
// Numbers are as short as they round-trip ("0.5", not "5E-1"), members keep their order, and the
// text is always valid UTF-8. NaN and infinities become null. Threads: any. Errors: none.
#pragma once
#include <boost/json/value.hpp>
#include <string>

namespace tutti {

std::string JsonText(const boost::json::value& value);

}  // namespace tutti
