// The parts of the string methods, shared between their files.
#pragma once
#include "tutti/text/jinja_methods.h"

namespace tutti::text::jinja {

Value Casefold(Heap& heap, const String& string);
Value Title(Heap& heap, const String& string);       // str.title
Value TitleWords(Heap& heap, const String& string);  // Jinja's title filter
Value Swapcase(Heap& heap, const String& string);

// Methods that cut, search and test (jinja_methods_search.cc).
Native FindSearchMethod(std::string_view name);
Native FindPredicate(std::string_view name);  // isalpha and others

}  // namespace tutti::text::jinja
