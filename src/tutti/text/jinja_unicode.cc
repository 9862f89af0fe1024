#include "tutti/text/jinja_unicode.h"

#include <algorithm>

#include "tutti/text/jinja_unicode_tables.h"

namespace tutti::text::jinja {
namespace {

bool InRanges(const CharRange* ranges, size_t count, char32_t c) {
  const CharRange* end = ranges + count;
  const CharRange* found =
      std::lower_bound(ranges, end, c, [](const CharRange& r, char32_t x) { return r.last < x; });
  return found != end && found->first <= c;
}

CaseMapping Map(const CaseRun* runs, size_t runs_count, const CaseSpecial* special,
                size_t special_count, char32_t c) {
  const CaseRun* run = std::lower_bound(runs, runs + runs_count, c,
                                        [](const CaseRun& r, char32_t x) { return r.last < x; });
  if (run != runs + runs_count && run->first <= c && (c - run->first) % run->step == 0) {
    return {{static_cast<char32_t>(static_cast<int32_t>(c) + run->delta), 0, 0}, 1};
  }
  const CaseSpecial* one =
      std::lower_bound(special, special + special_count, c,
                       [](const CaseSpecial& s, char32_t x) { return s.from < x; });
  if (one != special + special_count && one->from == c && c != 0) {
    return {{one->to[0], one->to[1], one->to[2]}, one->count};
  }
  return {{c, 0, 0}, 1};
}

bool Between(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

}  // namespace

bool IsSpace(char32_t c) {
  if (c < 0x80) return c == ' ' || Between(c, 9, 13) || Between(c, 0x1C, 0x1F);
  return InRanges(kSpace, kSpaceCount, c);
}
bool IsAlpha(char32_t c) {
  if (c < 0x80) return Between(c | 0x20, 'a', 'z');
  return InRanges(kAlpha, kAlphaCount, c);
}
bool IsDecimal(char32_t c) {
  return c < 0x80 ? Between(c, '0', '9') : InRanges(kDecimal, kDecimalCount, c);
}
bool IsDigitChar(char32_t c) {
  return c < 0x80 ? Between(c, '0', '9') : InRanges(kDigit, kDigitCount, c);
}
bool IsNumeric(char32_t c) {
  return c < 0x80 ? Between(c, '0', '9') : InRanges(kNumeric, kNumericCount, c);
}
bool IsAlnum(char32_t c) { return IsAlpha(c) || IsDecimal(c) || IsDigitChar(c) || IsNumeric(c); }
bool IsPrintable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  return !InRanges(kNotPrintable, kNotPrintableCount, c);
}
bool IsUpper(char32_t c) {
  return c < 0x80 ? Between(c, 'A', 'Z') : InRanges(kUpper, kUpperCount, c);
}
bool IsLower(char32_t c) {
  return c < 0x80 ? Between(c, 'a', 'z') : InRanges(kLower, kLowerCount, c);
}
bool IsTitle(char32_t c) { return InRanges(kTitle, kTitleCount, c); }
bool IsCased(char32_t c) { return IsUpper(c) || IsLower(c) || IsTitle(c); }
bool IsCaseIgnorable(char32_t c) { return InRanges(kCaseIgnorable, kCaseIgnorableCount, c); }

int DigitValue(char32_t c) {
  if (Between(c, '0', '9')) return static_cast<int>(c - '0');
  if (c < 0x80 && Between(c | 0x20, 'a', 'z')) return static_cast<int>((c | 0x20) - 'a') + 10;
  return 99;
}

int DecimalValue(char32_t c) {
  if (Between(c, '0', '9')) return static_cast<int>(c - '0');
  const CharRange* end = kDecimal + kDecimalCount;
  const CharRange* found =
      std::lower_bound(kDecimal, end, c, [](const CharRange& r, char32_t x) { return r.last < x; });
  // Scripts have their ten digits in a row; some rows of several scripts touch.
  return found != end && found->first <= c ? static_cast<int>((c - found->first) % 10) : -1;
}

CaseMapping ToUpper(char32_t c) {
  if (c < 0x80) return {{Between(c, 'a', 'z') ? c - 32 : c, 0, 0}, 1};
  return Map(kToUpperRuns, kToUpperRunsCount, kToUpperSpecial, kToUpperSpecialCount, c);
}
CaseMapping ToLower(char32_t c) {
  if (c < 0x80) return {{Between(c, 'A', 'Z') ? c + 32 : c, 0, 0}, 1};
  return Map(kToLowerRuns, kToLowerRunsCount, kToLowerSpecial, kToLowerSpecialCount, c);
}
CaseMapping ToTitle(char32_t c) {
  if (c < 0x80) return ToUpper(c);
  return Map(kToTitleRuns, kToTitleRunsCount, kToTitleSpecial, kToTitleSpecialCount, c);
}
CaseMapping ToFolded(char32_t c) {
  if (c < 0x80) return ToLower(c);
  return Map(kToFoldedRuns, kToFoldedRunsCount, kToFoldedSpecial, kToFoldedSpecialCount, c);
}

}  // namespace tutti::text::jinja
