// Binding the arguments of built-in functions, filters and tests to their parameters.
#pragma once
#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// Puts arguments[i] where parameter i is; parameters that were not given stay nothing. False and an
// error for too many, unknown, repeated or missing ones.
bool BindArguments(Heap& heap, std::string_view function, const Arguments& arguments,
                   std::initializer_list<std::string_view> names, size_t required,
                   std::span<Value> out);
// The same for functions that take no keywords.
bool BindPositional(Heap& heap, std::string_view function, const Arguments& arguments,
                    size_t required, std::span<Value> out);

// The value as an index or count; `fallback` where it was not given. False and an error for other
// types. Large integers are clamped to 64 bits.
bool AsIndex(Heap& heap, const Value& value, int64_t fallback, int64_t& out);
// The value as a string; nullptr and an error for other types.
const String* AsString(Heap& heap, const Value& value, std::string_view what);

Value MakeMethod(Heap& heap, std::string_view name, Native native, const Value& self);

}  // namespace tutti::text::jinja
