// The tables behind jinja_unicode.h, written by tools/make_jinja_unicode_tables.py.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tutti::text::jinja {

struct CharRange {
  char32_t first, last;
};
struct CaseRun {  // every `step`-th character of [first, last] maps to itself + delta
  char32_t first, last;
  uint32_t step;
  int32_t delta;
};
struct CaseSpecial {
  char32_t from;
  char32_t to[3];
  uint32_t count;
};

extern const CharRange kSpace[], kAlpha[], kDecimal[], kDigit[], kNumeric[], kNotPrintable[],
    kUpper[], kLower[], kTitle[], kCaseIgnorable[];
extern const size_t kSpaceCount, kAlphaCount, kDecimalCount, kDigitCount, kNumericCount,
    kNotPrintableCount, kUpperCount, kLowerCount, kTitleCount, kCaseIgnorableCount;
extern const CaseRun kToUpperRuns[], kToLowerRuns[], kToTitleRuns[], kToFoldedRuns[];
extern const size_t kToUpperRunsCount, kToLowerRunsCount, kToTitleRunsCount, kToFoldedRunsCount;
extern const CaseSpecial kToUpperSpecial[], kToLowerSpecial[], kToTitleSpecial[],
    kToFoldedSpecial[];
extern const size_t kToUpperSpecialCount, kToLowerSpecialCount, kToTitleSpecialCount,
    kToFoldedSpecialCount;

}  // namespace tutti::text::jinja
