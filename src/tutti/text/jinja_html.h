// Filters for HTML and URLs, and word wrapping. Chat templates hardly use them.
#pragma once
#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

Value StripTags(Interpreter& interpreter, const Value& self, const Arguments& arguments);
Value UrlEncode(Interpreter& interpreter, const Value& self, const Arguments& arguments);
Value XmlAttributes(Interpreter& interpreter, const Value& self, const Arguments& arguments);
Value WordWrap(Interpreter& interpreter, const Value& self, const Arguments& arguments);

}  // namespace tutti::text::jinja
