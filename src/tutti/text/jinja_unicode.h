// Character properties and case mappings as Python's str methods use them (Unicode 15.0).
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace tutti::text::jinja {

bool IsSpace(char32_t c);
bool IsAlpha(char32_t c);
bool IsDecimal(char32_t c);
bool IsDigitChar(char32_t c);  // str.isdigit
bool IsNumeric(char32_t c);
bool IsAlnum(char32_t c);
bool IsPrintable(char32_t c);  // what repr() leaves as it is
bool IsUpper(char32_t c);
bool IsLower(char32_t c);
bool IsTitle(char32_t c);
bool IsCased(char32_t c);
bool IsCaseIgnorable(char32_t c);

// 0..35 for 0-9, a-z, A-Z; 99 for anything else.
int DigitValue(char32_t c);
// The value of a decimal digit of any script; -1 for anything else.
int DecimalValue(char32_t c);

// A full case mapping: one to three characters.
struct CaseMapping {
  std::array<char32_t, 3> chars;
  uint32_t count;
  std::span<const char32_t> view() const { return {chars.data(), count}; }
};
CaseMapping ToUpper(char32_t c);
CaseMapping ToLower(char32_t c);  // without the rule for a final sigma
CaseMapping ToTitle(char32_t c);
CaseMapping ToFolded(char32_t c);

}  // namespace tutti::text::jinja
