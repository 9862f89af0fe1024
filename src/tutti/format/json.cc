#include "tutti/format/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <exception>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "tutti/base/printable.h"

namespace tutti::format {
namespace {

namespace json = boost::json;
using json::error_code;

// Builds the value as Boost.JSON's own parser does and looks at the keys on the way.
class Builder {
 public:
  static constexpr size_t max_object_size = json::object::max_size();
  static constexpr size_t max_array_size = json::array::max_size();
  static constexpr size_t max_key_size = json::string::max_size();
  static constexpr size_t max_string_size = json::string::max_size();

  Builder() { stack_.reset(); }

  json::value Release() { return stack_.release(); }
  const std::optional<std::string>& duplicate_key() const { return duplicate_key_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(size_t n, error_code&) {
    keys_.pop_back();
    stack_.push_object(n);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(size_t n, error_code&) {
    stack_.push_array(n);
    return true;
  }
  bool on_key_part(json::string_view s, size_t, error_code&) {
    key_.append(s.data(), s.size());
    stack_.push_chars(s);
    return true;
  }
  bool on_key(json::string_view s, size_t, error_code& ec) {
    key_.append(s.data(), s.size());
    stack_.push_key(s);
    if (!keys_.back().insert(key_).second) {
      duplicate_key_ = key_;
      ec = json::error::syntax;
      return false;
    }
    key_.clear();
    return true;
  }
  bool on_string_part(json::string_view s, size_t, error_code&) {
    stack_.push_chars(s);
    return true;
  }
  bool on_string(json::string_view s, size_t, error_code&) {
    stack_.push_string(s);
    return true;
  }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(int64_t i, json::string_view, error_code&) {
    stack_.push_int64(i);
    return true;
  }
  bool on_uint64(uint64_t u, json::string_view, error_code&) {
    stack_.push_uint64(u);
    return true;
  }
  bool on_double(double d, json::string_view, error_code&) {
    stack_.push_double(d);
    return true;
  }
  bool on_bool(bool b, error_code&) {
    stack_.push_bool(b);
    return true;
  }
  bool on_null(error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  json::value_stack stack_;
  std::vector<std::unordered_set<std::string>> keys_;  // of the objects that are open
  std::string key_;
  std::optional<std::string> duplicate_key_;
};

}  // namespace

Result<json::value> ParseJson(std::string_view text, std::string_view name) {
  try {
    json::parse_options options;
    options.max_depth = kMaxJsonDepth;
    json::basic_parser<Builder> parser(options);
    error_code ec;
    size_t used = parser.write_some(false, text.data(), text.size(), ec);
    // What follows the value may be white space only.
    if (!ec && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
      ec = json::error::extra_data;
    }
    if (const auto& key = parser.handler().duplicate_key()) {
      return DataError("{}: the key \"{}\" appears twice", name, Printable(*key));
    }
    if (ec) return DataError("{}: not valid JSON near byte {}: {}", name, used, ec.message());
    return parser.handler().Release();
  } catch (const std::exception& e) {
    return DataError("{}: cannot be read as JSON: {}", name, e.what());
  }
}

std::string_view KindOf(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "true or false";
    case json::kind::int64:
    case json::kind::uint64:
      return "an integer";
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
  }
  return "unknown";
}

}  // namespace tutti::format
