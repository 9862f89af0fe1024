// Python's two ways of formatting: "%05d" % x and "{:>5}".format(x).
#pragma once
#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// format % arguments; a tuple gives several, a dict named ones.
Value FormatPercent(Heap& heap, const String& format, const Value& arguments);
// str.format; fields may reach into attributes and items as far as the sandbox lets them.
Value FormatBraces(Interpreter& interpreter, const String& format, const Arguments& arguments);
// str.format_map
Value FormatMap(Interpreter& interpreter, const String& format, const Value& mapping);

}  // namespace tutti::text::jinja
