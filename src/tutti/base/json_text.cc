#include "tutti/base/json_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

#include "tutti/base/json.h"
#include "tutti/base/json_string.h"

namespace tutti {
namespace {

namespace json = boost::json;

void AppendJson(const json::value& value, std::string& out) {
  char separator = 0;
  const auto separate = [&](char open) {
    out += separator == 0 ? open : ',';
    separator = ',';
  };
  if (value.is_string()) {
    AppendJsonString(View(value.get_string()), out);
  } else if (value.is_double()) {
    const double number = value.get_double();
    out += std::isfinite(number) ? fmt::format("{}", number) : "null";
  } else if (value.is_array()) {
    for (const json::value& element : value.get_array()) {
      separate('[');
      AppendJson(element, out);
    }
    out += separator == 0 ? "[]" : "]";
  } else if (value.is_object()) {
    for (const auto& member : value.get_object()) {
      separate('{');
      AppendJsonString(View(member.key()), out);
      out += ':';
      AppendJson(member.value(), out);
    }
    out += separator == 0 ? "{}" : "}";
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string JsonText(const json::value& value) {
  std::string out;
  AppendJson(value, out);
  return out;
}

}  // namespace tutti
