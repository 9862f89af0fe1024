#include "tutti/cli/json_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

#include "tutti/base/utf8.h"

namespace tutti::cli {
namespace {

// The number of a character beyond ASCII that some readers of lines take for the end of a line, or
// some terminals for a command: U+0080 to U+009F, U+2028, U+2029. 0 for any other.
unsigned LineOrControl(std::string_view character) {
  if (character.size() == 2 && character[0] == '\xc2') {
    const unsigned number = static_cast<unsigned char>(character[1]);
    return number < 0xa0 ? number : 0;
  }
  if (character == "\xe2\x80\xa8") return 0x2028;
  if (character == "\xe2\x80\xa9") return 0x2029;
  return 0;
}

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

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const size_t size = Utf8Length(text);
    const char c = text.front();
    if (size == 0) {
      out += "\xef\xbf\xbd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (const unsigned separator = LineOrControl(text.substr(0, size)); separator != 0) {
      out += fmt::format("\\u{:04x}", separator);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out + "\"";
}

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
