// Operators between values of any type, as Python defines them.
#pragma once
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// + - * / // % ** ; nothing after an error.
Value Operate(Interpreter& interpreter, Operation operation, const Value& left, const Value& right);
Value Concatenate(Heap& heap, const Value& left, const Value& right);  // two strings
// HTML-escaped str(value), marked as safe; what is safe already stays.
Value Escape(Heap& heap, const Value& value);

// object[key] and object.name with the sandbox's rules: what does not exist is undefined.
Value GetItem(Interpreter& interpreter, const Value& object, const Value& key);
Value GetAttribute(Interpreter& interpreter, const Value& object, const Value& name);
// object[start:stop:step]; parts that are left out are None.
Value GetSlice(Heap& heap, const Value& object, const Value& start, const Value& stop,
               const Value& step);
// An attribute or method the type itself has; `found` is false if there is none.
Value OwnAttribute(Interpreter& interpreter, const Value& object, std::string_view name,
                   bool& found);

}  // namespace tutti::text::jinja
