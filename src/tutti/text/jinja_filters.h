// Jinja's built-in filters and tests, by name.
//
// A filter or test is called with its input as `self`. Tests return a bool.
#pragma once
#include <string_view>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// nullptr for an unknown name.
Native FindFilter(std::string_view name);
Native FindTest(std::string_view name);

// The parts, each in a file of its own: text, sequences, numbers and HTML.
Native FindTextFilter(std::string_view name);
Native FindSequenceFilter(std::string_view name);
Native FindSelectFilter(std::string_view name);
Native FindNumberFilter(std::string_view name);

}  // namespace tutti::text::jinja
