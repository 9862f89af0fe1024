#include "tutti/cli/json_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

namespace tutti::cli {
namespace {

void Append(const boost::json::value& value, std::string& out) {
  namespace json = boost::json;
  switch (value.kind()) {
    case json::kind::null:
      out += "null";
      break;
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      break;
    case json::kind::int64:
      out += fmt::format("{}", value.get_int64());
      break;
    case json::kind::uint64:
      out += fmt::format("{}", value.get_uint64());
      break;
    case json::kind::double_:
      out += std::isfinite(value.get_double()) ? fmt::format("{}", value.get_double()) : "null";
      break;
    case json::kind::string:
      out += JsonString(value.get_string());
      break;
    case json::kind::array: {
      out += '[';
      bool first = true;
      for (const json::value& element : value.get_array()) {
        if (!first) out += ", ";
        first = false;
        Append(element, out);
      }
      out += ']';
      break;
    }
    case json::kind::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, member] : value.get_object()) {
        if (!first) out += ", ";
        first = false;
        out += JsonString(key) + ": ";
        Append(member, out);
      }
      out += '}';
      break;
    }
  }
}

}  // namespace

std::string JsonIds(std::span<const TokenId> ids) {
  std::string out = "[";
  for (const TokenId id : ids) {
    if (out.size() > 1) out += ", ";
    out += fmt::format_int(id).c_str();
  }
  return out + "]";
}

std::string ToJson(const boost::json::value& value) {
  std::string out;
  Append(value, out);
  return out;
}

}  // namespace tutti::cli
