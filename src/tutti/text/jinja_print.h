// str() and repr() of values.
#pragma once
#include <string>

#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {

// Appends str(value): what {{ value }} prints. False once a budget is spent.
bool AppendStr(Builder& out, const Value& value);
bool AppendRepr(Builder& out, const Value& value);
// str(value) as a string; a string is returned as it is (without its Markup mark if asked).
Value ToStr(Heap& heap, const Value& value);
Value PlainStr(Heap& heap, const Value& value);
Value ToRepr(Heap& heap, const Value& value);
// ascii(value): the repr with everything beyond ASCII escaped.
Value ToAscii(Heap& heap, const Value& value);

// repr for an error message, cut to about 80 bytes; never fails.
std::string ShortRepr(Heap& heap, const Value& value);

}  // namespace tutti::text::jinja
