#include "tutti/text/nfc.h"

#include <algorithm>
#include <vector>

#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

// Hangul syllables are composed by arithmetic (Unicode, section 3.12).
constexpr char32_t kSyllableBase = 0xAC00, kLeadBase = 0x1100, kVowelBase = 0x1161,
                   kTrailBase = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTrails = 28;
constexpr char32_t kSyllables = kLeads * kVowels * kTrails;

struct Mark {
  char32_t value;
  uint8_t combining_class;
};

uint8_t CombiningClassOf(char32_t c) {
  const auto* end = kCombiningClasses + kCombiningClassCount;
  const auto* it =
      std::lower_bound(kCombiningClasses, end, c,
                       [](const CombiningClass& a, char32_t b) { return a.code_point < b; });
  return it != end && it->code_point == c ? it->value : uint8_t{0};
}

void Decompose(char32_t c, std::vector<Mark>* out) {
  if (c >= kSyllableBase && c < kSyllableBase + kSyllables) {
    const char32_t index = c - kSyllableBase;
    out->push_back({kLeadBase + index / (kVowels * kTrails), 0});
    out->push_back({kVowelBase + index / kTrails % kVowels, 0});
    if (index % kTrails != 0) out->push_back({kTrailBase + index % kTrails, 0});
    return;
  }
  const auto* end = kDecompositions + kDecompositionCount;
  const auto* it = std::lower_bound(
      kDecompositions, end, c, [](const Decomposition& a, char32_t b) { return a.code_point < b; });
  if (it == end || it->code_point != c) {
    out->push_back({c, CombiningClassOf(c)});
    return;
  }
  for (int i = 0; i < it->size; ++i) {
    const char32_t part = kDecompositionPool[it->begin + i];
    out->push_back({part, CombiningClassOf(part)});
  }
}

// 0 where the two do not compose.
char32_t Compose(char32_t first, char32_t second) {
  if (first - kLeadBase < kLeads && second - kVowelBase < kVowels) {
    return kSyllableBase + ((first - kLeadBase) * kVowels + second - kVowelBase) * kTrails;
  }
  if (first - kSyllableBase < kSyllables && (first - kSyllableBase) % kTrails == 0 &&
      second - kTrailBase - 1 < kTrails - 1) {
    return first + (second - kTrailBase);
  }
  const auto* end = kCompositions + kCompositionCount;
  const auto* it = std::lower_bound(
      kCompositions, end, std::pair(first, second),
      [](const Composition& a, const auto& b) { return std::pair(a.first, a.second) < b; });
  return it != end && it->first == first && it->second == second ? it->composed : 0;
}

// Puts marks into canonical order: stretches without a starter by class, stable.
void Reorder(std::vector<Mark>* marks) {
  const auto is_starter = [](const Mark& m) { return m.combining_class == 0; };
  for (auto begin = marks->begin(); begin != marks->end();) {
    begin = std::find_if_not(begin, marks->end(), is_starter);
    const auto end = std::find_if(begin, marks->end(), is_starter);
    std::stable_sort(begin, end, [](const Mark& a, const Mark& b) {
      return a.combining_class < b.combining_class;
    });
    begin = end;
  }
}

// Canonical composition in place.
void ComposeAll(std::vector<Mark>* marks) {
  size_t starter = SIZE_MAX;  // index of the last starter in the output
  size_t out = 0;
  int last_class = -1;  // of what stands between the starter and here; -1: nothing
  for (const Mark mark : *marks) {
    const bool blocked = last_class >= 0 && last_class >= mark.combining_class;
    const char32_t composed =
        starter == SIZE_MAX || blocked ? 0 : Compose((*marks)[starter].value, mark.value);
    if (composed != 0) {
      (*marks)[starter].value = composed;
      continue;
    }
    if (mark.combining_class == 0) {
      starter = out;
      last_class = -1;
    } else {
      last_class = mark.combining_class;
    }
    (*marks)[out++] = mark;
  }
  marks->resize(out);
}

bool NeedsCheck(const Rune& rune) { return Properties(rune.value) & property::kNfcCheck; }

}  // namespace

bool MayChangeInNfc(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    const Rune rune = DecodeRune(text, pos);
    if (NeedsCheck(rune)) return true;
    pos += rune.size;
  }
  return false;
}

std::string ToNfc(std::string_view text, std::string* mask) {
  std::string out, out_mask;
  out.reserve(text.size());
  std::vector<Mark> marks;
  for (size_t pos = 0; pos < text.size();) {
    // One cluster: any character, then all that may join it or move before it. The next character
    // without the check bit is a starter that nothing before it can touch.
    const Rune first = DecodeRune(text, pos);
    size_t end = pos + first.size;
    while (end < text.size()) {
      const Rune next = DecodeRune(text, end);
      if (!NeedsCheck(next)) break;
      end += next.size;
    }
    const bool as_is =
        first.kind != Rune::Kind::kValid || (end == pos + first.size && !NeedsCheck(first));
    if (as_is) end = pos + first.size;
    const size_t out_begin = out.size();
    if (as_is) {
      out.append(text, pos, first.size);
    } else {
      marks.clear();
      for (size_t p = pos; p < end;) {
        const Rune rune = DecodeRune(text, p);
        Decompose(rune.value, &marks);
        p += rune.size;
      }
      Reorder(&marks);
      ComposeAll(&marks);
      for (const Mark& mark : marks) AppendUtf8(mark.value, &out);
    }
    if (mask != nullptr) {
      const bool all =
          std::string_view(*mask).substr(pos, end - pos).find('\0') == std::string_view::npos;
      out_mask.append(out.size() - out_begin, all ? '\1' : '\0');
    }
    pos = end;
  }
  if (mask != nullptr) *mask = std::move(out_mask);
  return out;
}

}  // namespace tutti::text
