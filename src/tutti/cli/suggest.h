// "Did you mean": the known word nearest to a mistyped one.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tutti::cli {

// Insertions, deletions, replacements and swaps of neighbours between two words (optimal string
// alignment distance).
size_t EditDistance(std::string_view a, std::string_view b);

// The nearest of `words`, if it is near enough to be meant: at most one edit per three characters,
// or the beginning of exactly one word.
std::optional<std::string> Suggest(std::string_view word, std::span<const std::string> words);

}  // namespace tutti::cli
