// Cuts text into pre-tokens, inside which byte pairs are merged.
//
// A pre-tokenizer has a name, as GGUF files write it in tokenizer.ggml.pre, and is a list of
// patterns: each cuts the pieces that the one before left into its matches and what lies between
// them. Linear in the text. Immutable and shared by threads.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/text/pretoken_pattern.h"

namespace tutti::text {

class Pretokenizer {
 public:
  // kUnsupported for a name that is not known.
  static Result<Pretokenizer> Named(std::string_view name);

  // The end of every pre-token, ascending; the last is text.size(). Empty for an empty text.
  std::vector<size_t> Split(std::string_view text) const;

 private:
  explicit Pretokenizer(std::span<const Pattern* const> patterns) : patterns_(patterns) {}
  std::span<const Pattern* const> patterns_;
};

// The letters that DeepSeek LLM's expression lists, in ascending ranges that do not touch.
std::span<const CodeRange> DeepSeekLetters();

// Every name that Pretokenizer::Named knows.
std::vector<std::string_view> PretokenizerNames();

}  // namespace tutti::text
