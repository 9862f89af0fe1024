// The published regular expressions of pre-tokenizers as data, and a scanner for each shape.
//
// A Pattern is one expression; Match says how far it matches at one position, in time linear in
// what it looks at, with no backtracking over more than one character class. The comments in
// pretoken_pattern.cc show the expression that a scanner stands for. Pure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tutti::text {

struct CodeRange {
  char32_t first;
  char32_t last;
};

// A character class: code points with any of the properties or in any of the ranges.
struct CharSet {
  uint16_t properties = 0;
  std::span<const CodeRange> ranges = {};
  bool negated = false;

  bool Has(char32_t c) const;
};

struct Pattern {
  enum class Shape : uint8_t {
    kRun,            // [set]{min,max}, perhaps with a space before it
    kTrailingSpace,  // \s+$
    kGpt2,           // 's|'t|... with words, numbers and others, each with ' ' before it
    kWords,          // GPT-4 and its descendants
    kNumberGroups,   // runs of \p{N} cut into threes from the right
  };
  enum class Before : uint8_t { kNothing, kSpace, kAnySpace };

  // What a kWords expression calls a word.
  enum class Word : uint8_t {
    kLetters,      // \p{L}+
    kMarked,       // [\p{L}\p{M}]+
    kCased,        // upper* lower+ | upper+ lower* (GPT-4o)
    kCasedNotHan,  // the same without Han, which [\p{Han}]+ takes first (Kimi)
  };
  enum class Contraction : uint8_t { kNone, kFirst, kSuffix };

  Shape shape = Shape::kRun;

  // kRun
  CharSet set = {};
  size_t min = 1;
  size_t max = SIZE_MAX;
  Before before = Before::kNothing;

  // kWords
  Word word = Word::kLetters;
  Contraction contraction = Contraction::kFirst;
  CharSet prefix = {};                  // may stand before a word
  size_t numbers_max = 3;               // \p{N}{1,n}; 0: numbers are no alternative
  CharSet others = {};                  // ` ?[others]+` ...
  std::u32string_view tail = U"\r\n";   // ... then [tail]*
  bool ascii_punctuation_word = false;  // first of all: [!-/...][A-Za-z]+ (DeepSeek-V3)

  // The end of the match at `pos` (< text.size()), or `pos` where there is none.
  size_t Match(std::string_view text, size_t pos) const;
};

}  // namespace tutti::text
