// JSON in and out: the variables of a rendering, and Python's json.dumps for the tojson filter.
#pragma once
#include <string>
#include <string_view>

#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool indented = false;
  String indent;          // one level of it
  String item_separator;  // ", "
  String key_separator;   // ": "
};

bool AppendJson(Builder& out, const Value& value, const JsonStyle& style);

// Parses a document whose strings all have the given origin. Keeps the order of keys; a repeated
// key keeps its place and takes the last value, as in Python. Nothing and kData after an error.
Value ParseJson(Heap& heap, std::string_view text, bool from_template);

// A JSON string literal, for building documents.
std::string JsonQuote(std::string_view text);

}  // namespace tutti::text::jinja
