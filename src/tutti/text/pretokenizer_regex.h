// The name of a pre-tokenizer from the regular expressions that a tokenizer.json lists.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti::text {

// The expression that ByteLevel with use_regex stands for.
extern const std::string_view kByteLevelRegex;
// What Digits and Punctuation stand for.
extern const std::string_view kNumbersRegex;
extern const std::string_view kOneNumberRegex;
extern const std::string_view kPunctuationRegex;

// `expressions` are applied one after the other. kUnsupported, with the expressions, where the list
// is not a published one.
Result<std::string> PretokenizerOfRegexes(std::span<const std::string> expressions);

}  // namespace tutti::text
