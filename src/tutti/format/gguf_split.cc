#include "tutti/format/gguf_split.h"

#include <fmt/format.h>

#include <algorithm>

namespace tutti::format {
namespace {

// Five digits; -1 for anything else.
int FiveDigits(std::string_view text) {
  const auto is_digit = [](char c) { return '0' <= c && c <= '9'; };
  if (text.size() != 5 || !std::all_of(text.begin(), text.end(), is_digit)) return -1;
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

std::string SplitName::ToString() const {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, part, parts);
}

std::optional<SplitName> ParseSplitName(std::string_view filename) {
  constexpr std::string_view kExample = "-00001-of-00004.gguf";
  if (filename.size() < kExample.size()) return std::nullopt;
  const std::string_view tail = filename.substr(filename.size() - kExample.size());
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf") {
    return std::nullopt;
  }
  SplitName name;
  name.prefix = filename.substr(0, filename.size() - kExample.size());
  name.part = FiveDigits(tail.substr(1, 5));
  name.parts = FiveDigits(tail.substr(10, 5));
  if (name.part < 1 || name.part > name.parts) return std::nullopt;
  return name;
}

}  // namespace tutti::format
