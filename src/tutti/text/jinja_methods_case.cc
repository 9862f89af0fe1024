// Case mappings of strings. A character's origin passes to everything it becomes.
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_methods_string.h"
#include "tutti/text/jinja_string.h"
#include "tutti/text/jinja_unicode.h"

namespace tutti::text::jinja {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;

// A capital sigma becomes a final one at the end of a word: after a cased letter and not before
// one, characters that have no case of their own not counted.
char32_t LowerSigma(Heap& heap, std::string_view text, uint32_t begin, uint32_t end) {
  char32_t c = 0;
  bool before = false;
  uint32_t steps = 0;
  for (uint32_t at = begin; at > 0;) {
    c = DecodeCharBefore(text, at);
    ++steps;
    if (IsCaseIgnorable(c)) continue;
    before = IsCased(c);
    break;
  }
  bool after = false;
  for (uint32_t at = end; before && at < text.size();) {
    c = DecodeChar(text, at);
    ++steps;
    if (IsCaseIgnorable(c)) continue;
    after = IsCased(c);
    break;
  }
  heap.Step(steps);
  return before && !after ? 0x3C2 : 0x3C3;
}

bool AddMapped(Builder& out, const CaseMapping& mapping, bool origin) {
  for (const char32_t c : mapping.view()) {
    if (!out.AddChar(c, origin)) return false;
  }
  return true;
}

enum class Case { kUpper, kLower, kTitle, kFold };

bool AddCased(Builder& out, const String& string, uint32_t begin, uint32_t end, char32_t c,
              Case to) {
  const bool origin = OriginAt(string, begin);
  switch (to) {
    case Case::kUpper:
      return AddMapped(out, ToUpper(c), origin);
    case Case::kTitle:
      return AddMapped(out, ToTitle(c), origin);
    case Case::kFold:
      return AddMapped(out, ToFolded(c), origin);
    case Case::kLower:
      break;
  }
  if (c == kCapitalSigma) {
    return out.AddChar(LowerSigma(out.heap(), string.view(), begin, end), origin);
  }
  return AddMapped(out, ToLower(c), origin);
}

// Maps every character as choose(c) says.
template <typename Choose>
Value MapCase(Heap& heap, const String& string, Choose choose) {
  Builder out(heap);
  std::string run;  // ASCII of one origin, copied in one go
  bool run_origin = false;
  const auto flush = [&] {
    const bool ok = out.Add(run, run_origin);
    run.clear();
    return ok;
  };
  bool ok = heap.Step(string.chars);
  ForEachRun(string, 0, string.bytes, [&](uint32_t begin, uint32_t end, bool origin) {
    run_origin = origin;
    for (uint32_t at = begin; ok && at < end;) {
      const uint32_t start = at;
      const char32_t c = DecodeChar(string.view(), at);
      const Case to = choose(c);
      if (c < 0x80) {
        run += static_cast<char>(
            (to == Case::kUpper || to == Case::kTitle ? ToUpper(c) : ToLower(c)).chars[0]);
      } else {
        ok = flush() && AddCased(out, string, start, at, c, to);
      }
    }
    ok = ok && flush();
  });
  return ok ? out.Finish(string.safe) : Value();
}

}  // namespace

Value Upper(Heap& heap, const String& string) {
  return MapCase(heap, string, [](char32_t) { return Case::kUpper; });
}

Value Lower(Heap& heap, const String& string) {
  return MapCase(heap, string, [](char32_t) { return Case::kLower; });
}

Value Casefold(Heap& heap, const String& string) {
  return MapCase(heap, string, [](char32_t) { return Case::kFold; });
}

Value Capitalize(Heap& heap, const String& string) {
  bool first = true;
  return MapCase(heap, string, [&first](char32_t) {
    const Case to = first ? Case::kTitle : Case::kLower;
    first = false;
    return to;
  });
}

Value Title(Heap& heap, const String& string) {
  bool inside = false;
  return MapCase(heap, string, [&inside](char32_t c) {
    const Case to = inside ? Case::kLower : Case::kTitle;
    inside = IsCased(c);
    return to;
  });
}

Value Swapcase(Heap& heap, const String& string) {
  return MapCase(heap, string, [](char32_t c) { return IsUpper(c) ? Case::kLower : Case::kUpper; });
}

Value TitleWords(Heap& heap, const String& string) {
  // Jinja's own rule: runs of white space and of -({[< split the text; of each part the first
  // character is raised and the rest, taken alone, lowered.
  const auto splits = [](char32_t c) {
    return IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  const std::string_view text = string.view();
  Builder out(heap);
  for (uint32_t at = 0; at < string.bytes;) {
    const uint32_t begin = at;
    const bool separator = splits(DecodeChar(text, at));
    const uint32_t second = at;
    for (uint32_t ahead = at; at < string.bytes && splits(DecodeChar(text, ahead)) == separator;) {
      at = ahead;
    }
    const Value head = Slice(heap, string, begin, second);
    const Value tail = Slice(heap, string, second, at);
    if (head.nothing() || tail.nothing()) return Value();
    const Value upper = Upper(heap, *head.string);
    const Value lower = Lower(heap, *tail.string);
    if (upper.nothing() || lower.nothing() || !out.Add(*upper.string) || !out.Add(*lower.string)) {
      return Value();
    }
  }
  return out.Finish(string.safe);
}

}  // namespace tutti::text::jinja
