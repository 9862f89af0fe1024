// datetime.strftime in the C locale.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace tutti::text::jinja {

// `now` is "2026-01-15T12:34:56" with an optional fraction (".123456"). nullopt where it is not a
// date and time.
std::optional<std::string> FormatTime(std::string_view now, std::string_view format);

}  // namespace tutti::text::jinja
