// What templates can use without being given it: range, dict, namespace, cycler, joiner, lipsum,
// raise_exception and strftime_now.
#pragma once
#include <string_view>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// Nothing for other names.
Value FindGlobal(Heap& heap, std::string_view name);

Value CyclerAttribute(Heap& heap, const Value& cycler, std::string_view name, bool& found);
Value FunctionAttribute(Heap& heap, const Value& function, std::string_view name, bool& found);

// Namespaces refuse names that start with an underscore; false and an error for those.
bool CheckNamespaceName(Heap& heap, const Value& name);

}  // namespace tutti::text::jinja
