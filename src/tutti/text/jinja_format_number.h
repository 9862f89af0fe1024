// Numbers as text under a format specification, shared by % and str.format.
#pragma once
#include <optional>
#include <string>

#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {

// [[fill]align][sign][#][0][width][,][.precision][type]
struct FormatSpec {
  char32_t fill = ' ';
  char align = '\0';  // < > ^ =
  char sign = '-';    // - + or space
  bool alternate = false;
  char grouping = '\0';  // , or _
  int64_t width = 0;
  int64_t precision = -1;
  char type = '\0';
  bool users = false;  // the field was written by the user, so what it shows counts as the user's
};

// Reads digits at `at`; saturates instead of overflowing.
int64_t ReadCount(std::string_view text, size_t& at);
// False for text that is no specification.
bool ParseFormatSpec(std::string_view text, FormatSpec& spec);

// Digits with sign, prefix and grouping, not padded. nullopt and an error for types that do not fit
// the number.
std::optional<std::string> FormatInteger(Heap& heap, const Value& integer, const FormatSpec& spec);
std::optional<std::string> FormatFloat(Heap& heap, double x, const FormatSpec& spec);

// Adds `shown`, padded to the specification's width. '=' puts the padding behind the sign.
bool AddPadded(Builder& out, const String& shown, const FormatSpec& spec, char default_align);

}  // namespace tutti::text::jinja
