#include "tutti/text/pretoken_pattern.h"

#include <algorithm>

#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

using property::kLetter;
using property::kMark;
using property::kNumber;
using property::kSpace;

bool Is(const Rune& rune, uint16_t properties) { return Properties(rune.value) & properties; }

// The end of the longest run of characters from `pos` on for which `in` holds, at most `max`.
template <typename In>
size_t RunEnd(std::string_view text, size_t pos, const In& in, size_t max = SIZE_MAX) {
  for (size_t n = 0; n < max && pos < text.size(); ++n) {
    const Rune rune = DecodeRune(text, pos);
    if (!in(rune)) break;
    pos += rune.size;
  }
  return pos;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d) where `ignore_case`, else without (?i:). Under (?i) the long s
// (U+017F) is an s.
size_t MatchContraction(std::string_view text, size_t pos, bool ignore_case) {
  if (pos >= text.size() || text[pos] != '\'' || pos + 1 >= text.size()) return pos;
  const std::string_view rest = text.substr(pos + 1);
  if (ignore_case && rest.starts_with("\u017f")) return pos + 3;
  const auto lower = [&](size_t i) {
    const char c = i < rest.size() ? rest[i] : '\0';
    return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const char a = lower(0), b = lower(1);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return pos + 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return pos + 3;
  return pos;
}

// \s+(?!\S)|\s+ at a whitespace character: a run leaves its last character to what follows it.
size_t MatchSpaces(std::string_view text, size_t pos) {
  size_t end = pos, last = pos;
  while (end < text.size()) {
    const Rune rune = DecodeRune(text, end);
    if (!Is(rune, kSpace)) break;
    last = end;
    end += rune.size;
  }
  return end < text.size() && last > pos ? last : end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ : a run that holds line ends goes up to the last of them.
size_t MatchLinesOrSpaces(std::string_view text, size_t pos) {
  size_t end = pos, last = pos, after_line = pos;
  while (end < text.size()) {
    const Rune rune = DecodeRune(text, end);
    if (!Is(rune, kSpace)) break;
    last = end;
    end += rune.size;
    if (rune.value == '\r' || rune.value == '\n') after_line = end;
  }
  if (after_line > pos) return after_line;
  return end < text.size() && last > pos ? last : end;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t MatchGpt2(std::string_view text, size_t pos) {
  if (const size_t end = MatchContraction(text, pos, false); end > pos) return end;
  const size_t begin = text[pos] == ' ' && pos + 1 < text.size() ? pos + 1 : pos;
  const Rune first = DecodeRune(text, begin);
  const auto run = [&](auto in) { return RunEnd(text, begin, in); };
  if (Is(first, kLetter)) return run([](const Rune& r) { return Is(r, kLetter); });
  if (Is(first, kNumber)) return run([](const Rune& r) { return Is(r, kNumber); });
  if (!Is(first, kSpace)) {
    return run([](const Rune& r) { return !Is(r, kSpace | kLetter | kNumber); });
  }
  return MatchSpaces(text, pos);
}

// [set]{min,max} from `pos` on, or `pos`.
size_t MatchSet(const Pattern& p, std::string_view text, size_t pos) {
  size_t count = 0, end = pos;
  for (; count < p.max && end < text.size(); ++count) {
    const Rune rune = DecodeRune(text, end);
    if (!p.set.Has(rune.value)) break;
    end += rune.size;
  }
  return count >= p.min ? end : pos;
}

size_t MatchRun(const Pattern& p, std::string_view text, size_t pos) {
  if (p.before != Pattern::Before::kNothing) {
    const Rune space = DecodeRune(text, pos);
    const bool is_space =
        p.before == Pattern::Before::kSpace ? space.value == ' ' : Is(space, kSpace);
    const size_t begin = pos + space.size;
    if (is_space && begin < text.size()) {
      if (const size_t end = MatchSet(p, text, begin); end > begin) return end;
    }
  }
  return MatchSet(p, text, pos);
}

// True where the character before `pos` has one of the properties.
bool AfterOne(std::string_view text, size_t pos, uint16_t properties) {
  if (pos == 0) return false;
  size_t before = pos - 1;
  while (before > 0 && (static_cast<unsigned char>(text[before]) & 0xC0) == 0x80) --before;
  return Is(DecodeRune(text, before), properties);
}

// \s+$
size_t MatchTrailingSpace(std::string_view text, size_t pos) {
  // Only the start of a run is tried: where the run reaches the end, its start matched already.
  if (AfterOne(text, pos, kSpace)) return pos;
  const size_t end = RunEnd(text, pos, [](const Rune& r) { return Is(r, kSpace); });
  return end == text.size() ? end : pos;
}

// The first group of a run has what is left over threes; inside a run they are all of three.
size_t MatchNumberGroup(std::string_view text, size_t pos) {
  const auto in = [](const Rune& r) { return Is(r, kNumber); };
  if (AfterOne(text, pos, kNumber)) return RunEnd(text, pos, in, 3);
  size_t count = 0;
  RunEnd(text, pos, [&](const Rune& r) { return in(r) && ++count > 0; });
  return count == 0 ? pos : RunEnd(text, pos, in, (count - 1) % 3 + 1);
}

// The two halves of a GPT-4o word, with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and
// l = [\p{Ll}\p{Lm}\p{Lo}\p{M}]:  U*l+  where it matches, else  U+l*.
struct CasedClasses {
  uint16_t excluded = 0;  // Han, for Kimi

  bool Upper(const Rune& r) const {
    using namespace property;
    const uint16_t p = Properties(r.value);
    return (p & (kUpper | kTitle | kModifier | kOtherLetter | kMark)) && !(p & excluded);
  }
  bool Lower(const Rune& r) const {
    using namespace property;
    const uint16_t p = Properties(r.value);
    return (p & (property::kLower | kModifier | kOtherLetter | kMark)) && !(p & excluded);
  }

  // U*l+: U* takes what it can; where no lower follows, it gives back up to its last character that
  // is also in l, and l+ takes just that one, for the next is upper only.
  size_t MatchLowerWord(std::string_view text, size_t pos) const {
    size_t end = pos, after_both = pos;
    while (end < text.size()) {
      const Rune rune = DecodeRune(text, end);
      if (!Upper(rune)) break;
      end += rune.size;
      if (Lower(rune)) after_both = end;
    }
    const size_t lower_end = RunEnd(text, end, [&](const Rune& r) { return Lower(r); });
    return lower_end > end ? lower_end : after_both;
  }
  size_t MatchUpperWord(std::string_view text, size_t pos) const {
    const size_t end = RunEnd(text, pos, [&](const Rune& r) { return Upper(r); });
    return end == pos ? pos : RunEnd(text, end, [&](const Rune& r) { return Lower(r); });
  }
};

// [prefix]? and a word, the prefix given back where no word follows it. `match` matches the word.
template <typename MatchFn>
size_t MatchPrefixed(const CharSet& prefix, std::string_view text, size_t pos,
                     const MatchFn& match) {
  const Rune first = DecodeRune(text, pos);
  if (prefix.Has(first.value) && pos + first.size < text.size()) {
    const size_t begin = pos + first.size;
    if (const size_t end = match(begin); end > begin) return end;
  }
  return match(pos);
}

size_t MatchWord(const Pattern& p, std::string_view text, size_t pos) {
  if (p.word == Pattern::Word::kLetters || p.word == Pattern::Word::kMarked) {
    const auto properties =
        static_cast<uint16_t>(p.word == Pattern::Word::kLetters ? kLetter : kLetter | kMark);
    return MatchPrefixed(p.prefix, text, pos, [&](size_t begin) {
      return RunEnd(text, begin, [&](const Rune& r) { return Is(r, properties); });
    });
  }
  CasedClasses cased;
  if (p.word == Pattern::Word::kCasedNotHan) {
    const auto is_han = [](const Rune& r) { return Is(r, property::kHan); };
    if (const size_t end = RunEnd(text, pos, is_han); end > pos) return end;
    cased.excluded = property::kHan;
  }
  size_t end = MatchPrefixed(p.prefix, text, pos,
                             [&](size_t begin) { return cased.MatchLowerWord(text, begin); });
  if (end == pos) {
    end = MatchPrefixed(p.prefix, text, pos,
                        [&](size_t begin) { return cased.MatchUpperWord(text, begin); });
  }
  if (end > pos && p.contraction == Pattern::Contraction::kSuffix) {
    return MatchContraction(text, end, true);
  }
  return end;
}

bool IsAsciiPunctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

// GPT-4 and its descendants, in the order of the alternatives:
//   (?i:'s|...)  |  [prefix]?word  |  \p{N}{1,3}  |   ?[others]+[\r\n]*  |  \s*[\r\n]+  |
//   \s+(?!\S)  |  \s+
size_t MatchWords(const Pattern& p, std::string_view text, size_t pos) {
  const Rune first = DecodeRune(text, pos);
  if (p.ascii_punctuation_word && IsAsciiPunctuation(first.value)) {
    const size_t end = RunEnd(text, pos + 1, [](const Rune& r) {
      return (r.value >= 'a' && r.value <= 'z') || (r.value >= 'A' && r.value <= 'Z');
    });
    if (end > pos + 1) return end;
  }
  if (p.contraction == Pattern::Contraction::kFirst) {
    if (const size_t end = MatchContraction(text, pos, true); end > pos) return end;
  }
  if (const size_t end = MatchWord(p, text, pos); end > pos) return end;
  if (p.numbers_max > 0 && Is(first, kNumber)) {
    return RunEnd(
        text, pos, [](const Rune& r) { return Is(r, kNumber); }, p.numbers_max);
  }
  const auto is_other = [&](const Rune& r) { return p.others.Has(r.value); };
  const size_t begin = first.value == ' ' ? pos + 1 : pos;
  if (const size_t end = RunEnd(text, begin, is_other); end > begin) {
    return RunEnd(text, end,
                  [&](const Rune& r) { return p.tail.find(r.value) != std::u32string_view::npos; });
  }
  return Is(first, kSpace) ? MatchLinesOrSpaces(text, pos) : pos;
}

}  // namespace

bool CharSet::Has(char32_t c) const {
  bool found = (Properties(c) & properties) != 0;
  if (!found && !ranges.empty()) {
    const auto it = std::partition_point(ranges.begin(), ranges.end(),
                                         [c](const CodeRange& range) { return range.last < c; });
    found = it != ranges.end() && it->first <= c;
  }
  return found != negated;
}

size_t Pattern::Match(std::string_view text, size_t pos) const {
  switch (shape) {
    case Shape::kRun:
      return MatchRun(*this, text, pos);
    case Shape::kTrailingSpace:
      return MatchTrailingSpace(text, pos);
    case Shape::kGpt2:
      return MatchGpt2(text, pos);
    case Shape::kWords:
      return MatchWords(*this, text, pos);
    case Shape::kNumberGroups:
      return MatchNumberGroup(text, pos);
  }
  return pos;
}

}  // namespace tutti::text
