// The methods of strings, dictionaries, lists, tuples and numbers, found by name.
#pragma once
#include <string_view>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// nullptr where the type has no such method.
Native FindStringMethod(std::string_view name);
Native FindDictMethod(std::string_view name);
Native FindListMethod(std::string_view name);  // of lists and tuples
Native FindRangeMethod(std::string_view name);
Native FindNumberMethod(std::string_view name, bool is_float);

// Does a method of this name exist in Python only to change its object? The sandbox refuses those.
bool IsMutator(const Value& object, std::string_view name);

// str methods that filters share; strings only.
Value Strip(Heap& heap, const String& string, const Value& chars, bool left, bool right);
Value Replace(Heap& heap, const String& string, const String& old, const String& with,
              int64_t count);
Value Upper(Heap& heap, const String& string);
Value Lower(Heap& heap, const String& string);
Value Capitalize(Heap& heap, const String& string);
Value Center(Heap& heap, const String& string, int64_t width, const String& fill);
Value JoinStrings(Heap& heap, const String& separator, std::span<const Value> items);
// Lines with or without their ends; also splits at \v, \f, \x1c-\x1e, \x85, U+2028 and U+2029.
Value SplitLines(Heap& heap, const String& string, bool keep_ends);
// Words between white space.
Value SplitWords(Heap& heap, const String& string, int64_t limit, bool from_end);

}  // namespace tutti::text::jinja
