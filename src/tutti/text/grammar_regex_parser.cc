#include <algorithm>
#include <utility>

#include "tutti/text/grammar.h"
#include "tutti/text/grammar_regex.h"
#include "tutti/text/grammar_scanner.h"
#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

using Ranges = std::vector<CodePoints>;

// Readers of expressions do not agree on \\d, \\w and \\s beyond ASCII (ECMA-262, Python, RE2).
// What is in all their sets is sure, what is in any of them possible.
struct Shorthand {
  Ranges sure;
  Ranges possible;
};

Ranges WithProperty(uint16_t properties) {
  Ranges ranges;
  for (uint32_t c = 0; c <= kLastCodePoint; ++c) {
    if ((Properties(c) & properties) == 0) continue;
    if (!ranges.empty() && ranges.back().last + 1 == c) {
      ranges.back().last = c;
    } else {
      ranges.push_back({c, c});
    }
  }
  return ranges;
}

Ranges Joined(Ranges a, const Ranges& b) {
  a.insert(a.end(), b.begin(), b.end());
  return Normalized(std::move(a));
}

const Shorthand& ShorthandOf(char letter) {
  static const Shorthand digits = {{{'0', '9'}}, WithProperty(property::kDigit)};
  static const Shorthand words = {
      {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
      Joined(WithProperty(property::kLetter | property::kMark | property::kNumber),
             {{'_', '_'}, {0x200C, 0x200D}, {0x203F, 0x2040}, {0x2054, 0x2054}})};
  static const Shorthand spaces = {
      {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}},
      Joined(WithProperty(property::kSpace), {{0x1C, 0x1F}, {0x180E, 0x180E}, {0xFEFF, 0xFEFF}})};
  return letter == 'd' ? digits : letter == 'w' ? words : spaces;
}

const Ranges& LineEnds() {
  static const Ranges ranges = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
  return ranges;
}

}  // namespace

class RegexParser {
 public:
  explicit RegexParser(std::string_view pattern) : in_(pattern, "expression") {}

  Result<RegexTree> Parse() {
    TUTTI_RETURN_IF_ERROR(in_.CheckSource());
    TUTTI_ASSIGN_OR_RETURN(tree_.root_, Alternatives(0));
    if (!in_.AtEnd()) return in_.Wrong("')' without '('");
    return std::move(tree_);
  }

 private:
  using Op = RegexTree::Op;

  int32_t Add(RegexTree::Node node) {
    tree_.nodes_.push_back(std::move(node));
    return static_cast<int32_t>(tree_.nodes_.size()) - 1;
  }
  Result<int32_t> Alternatives(int depth);
  Result<int32_t> Sequence(int depth);
  Result<int32_t> Group(int depth);
  Result<int32_t> Atom(int depth);
  Result<int32_t> Escape();
  // The set that follows a backslash. `negated`: in a class that takes all others, where more in
  // the set is less in the text.
  Result<Ranges> EscapedSet(bool negated);
  Result<Ranges> Class();
  Result<Ranges> ClassMember(bool negated, bool& is_set);
  // A repetition of the node, if one follows.
  Result<int32_t> Repeated(int32_t node);
  bool Counts(int64_t& min, int64_t& max);

  GrammarScanner in_;
  RegexTree tree_;
};

Result<int32_t> RegexParser::Alternatives(int depth) {
  if (depth > kGrammarNestingMax) return in_.TooDeep();
  std::vector<int32_t> parts;
  do {
    TUTTI_ASSIGN_OR_RETURN(const int32_t part, Sequence(depth));
    parts.push_back(part);
  } while (in_.Take("|"));
  if (parts.size() == 1) return parts.front();
  return Add({.op = Op::kChoice, .parts = std::move(parts)});
}

Result<int32_t> RegexParser::Sequence(int depth) {
  std::vector<int32_t> parts;
  while (!in_.AtEnd() && in_.Peek() != '|' && in_.Peek() != ')') {
    TUTTI_ASSIGN_OR_RETURN(const int32_t atom, Atom(depth));
    TUTTI_ASSIGN_OR_RETURN(const int32_t part, Repeated(atom));
    parts.push_back(part);
  }
  if (parts.empty()) return Add({.op = Op::kEmpty});
  if (parts.size() == 1) return parts.front();
  return Add({.op = Op::kSequence, .parts = std::move(parts)});
}

Result<int32_t> RegexParser::Group(int depth) {
  if (in_.Take("?")) {
    const bool is_named = !in_.Starts("<=") && !in_.Starts("<!") && !in_.Starts("P=") &&
                          (in_.Take("P<") || in_.Take("<"));
    if (is_named) {
      while (!in_.AtEnd() && in_.Peek() != '>') in_.Next();
      if (!in_.Take(">")) return in_.Wrong("a group's name does not end");
    } else if (!in_.Take(":")) {
      return in_.Refused("groups that begin with (? but not (?: or (?<name>");
    }
  }
  TUTTI_ASSIGN_OR_RETURN(const int32_t inner, Alternatives(depth + 1));
  if (!in_.Take(")")) return in_.Wrong("'(' without ')'");
  return inner;
}

Result<int32_t> RegexParser::Atom(int depth) {
  const char c = in_.Peek();
  if (in_.Take("(")) return Group(depth);
  if (in_.Take("[")) {
    TUTTI_ASSIGN_OR_RETURN(Ranges set, Class());
    return Add({.op = Op::kClass, .characters = std::move(set)});
  }
  if (in_.Take(".")) {
    return Add({.op = Op::kClass, .characters = Normalized(LineEnds(), true)});
  }
  if (in_.Take("^")) return Add({.op = Op::kBegin});
  if (in_.Take("$")) return Add({.op = Op::kEnd});
  if (in_.Take("\\")) return Escape();
  if (c == '*' || c == '+' || c == '?') return in_.Wrong("a repetition of nothing");
  const uint32_t character = in_.Character();
  return Add({.op = Op::kClass, .characters = {{character, character}}});
}

Result<int32_t> RegexParser::Escape() {
  if (in_.Take("A")) return Add({.op = Op::kBegin});
  if (in_.Take("z") || in_.Take("Z")) return Add({.op = Op::kEnd});
  TUTTI_ASSIGN_OR_RETURN(Ranges set, EscapedSet(false));
  return Add({.op = Op::kClass, .characters = std::move(set)});
}

Result<Ranges> RegexParser::EscapedSet(bool negated) {
  if (in_.AtEnd()) return in_.Wrong("'\\' at the end");
  const char c = in_.Next();
  if (std::string_view("dws").find(c) != std::string_view::npos) {
    return negated ? ShorthandOf(c).possible : ShorthandOf(c).sure;
  }
  if (std::string_view("DWS").find(c) != std::string_view::npos) {
    const Shorthand& shorthand = ShorthandOf(static_cast<char>(c - 'A' + 'a'));
    return Normalized(negated ? shorthand.sure : shorthand.possible, true);
  }
  constexpr std::string_view kLetters = "tnrfv0";
  constexpr std::string_view kMeanings("\t\n\r\f\v\0", 6);
  uint32_t character = static_cast<uint8_t>(c);
  if (const size_t i = kLetters.find(c); i != std::string_view::npos) {
    const bool octal = c == '0' && !in_.AtEnd() && in_.Peek() >= '0' && in_.Peek() <= '9';
    if (octal) return in_.Refused("octal escapes");
    character = static_cast<uint8_t>(kMeanings[i]);
  } else if (c == 'x' || c == 'u') {
    const bool braces = in_.Take("{");
    TUTTI_ASSIGN_OR_RETURN(character, in_.Hex(braces ? 0 : c == 'x' ? 2 : 4));
    if (braces && !in_.Take("}")) return in_.Wrong("an escape's brace does not close");
    if (character >= 0xD800 && character < 0xDC00 && in_.Take("\\u")) {
      TUTTI_ASSIGN_OR_RETURN(const uint32_t low, in_.Hex(4));
      if (low < 0xDC00 || low > 0xDFFF) return in_.Wrong("half a surrogate pair");
      character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
    }
    if (character > kLastCodePoint || (character >= 0xD800 && character <= 0xDFFF)) {
      return in_.Wrong("an escape that is no character");
    }
  } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             character >= 0x80) {
    return in_.Refused(fmt::format("the escape \\{}", character < 0x80 ? c : '?'));
  }
  return Ranges{{character, character}};
}

Result<Ranges> RegexParser::ClassMember(bool negated, bool& is_set) {
  is_set = false;
  if (in_.Take("\\")) {
    if (in_.Take("b")) return Ranges{{'\b', '\b'}};
    is_set =
        std::string_view("dDwWsS").find(in_.AtEnd() ? '\0' : in_.Peek()) != std::string_view::npos;
    return EscapedSet(negated);
  }
  if (in_.Starts("[:") || in_.Starts("[.") || in_.Starts("[=")) {
    return in_.Refused("classes with names, such as [:alpha:]");
  }
  const uint32_t character = in_.Character();
  return Ranges{{character, character}};
}

Result<Ranges> RegexParser::Class() {
  const bool negated = in_.Take("^");
  // Nothing, anything, or a class that contains "]": readers of expressions do not agree.
  if (in_.Peek() == ']') return in_.Refused("classes that begin with ]");
  Ranges ranges;
  while (!in_.AtEnd() && in_.Peek() != ']') {
    bool is_set = false;
    TUTTI_ASSIGN_OR_RETURN(Ranges member, ClassMember(negated, is_set));
    if (in_.Starts("-") && !in_.Starts("-]")) {
      in_.Take("-");
      bool last_is_set = false;
      if (in_.AtEnd()) break;
      TUTTI_ASSIGN_OR_RETURN(const Ranges last, ClassMember(negated, last_is_set));
      if (is_set || last_is_set) return in_.Refused("ranges from or to a class");
      if (last.front().first < member.front().first) return in_.Wrong("a range is reversed");
      member.front().last = last.front().first;
    }
    ranges.insert(ranges.end(), member.begin(), member.end());
  }
  if (!in_.Take("]")) return in_.Wrong("'[' without ']'");
  return Normalized(std::move(ranges), negated);
}

bool RegexParser::Counts(int64_t& min, int64_t& max) {
  const size_t begin = in_.position();
  const auto number = [&](int64_t& value) {
    value = 0;
    bool any = false;
    while (!in_.AtEnd() && in_.Peek() >= '0' && in_.Peek() <= '9') {
      value = std::min<int64_t>(value * 10 + (in_.Next() - '0'), INT32_MAX);
      any = true;
    }
    return any;
  };
  if (in_.Take("{") && number(min)) {
    max = min;
    if (in_.Take(",") && !number(max)) max = -1;
    if (in_.Take("}")) return true;
  }
  in_.Return(begin);
  return false;
}

Result<int32_t> RegexParser::Repeated(int32_t node) {
  int64_t min = 0;
  int64_t max = -1;
  if (in_.Take("+")) {
    min = 1;
  } else if (in_.Take("?")) {
    max = 1;
  } else if (!in_.Take("*") && !Counts(min, max)) {
    return node;
  }
  if (max != -1 && max < min) return in_.Wrong("a repetition's numbers are reversed");
  const Op op = tree_.at(node).op;
  if (op == Op::kBegin || op == Op::kEnd) return in_.Refused("repetitions of ^ and $");
  in_.Take("?");
  if (in_.Starts("+")) return in_.Refused("possessive repetitions");
  if (in_.Starts("*") || in_.Starts("?")) return in_.Wrong("a repetition of a repetition");
  return Add({.op = Op::kRepeat, .min = min, .max = max, .characters = {}, .parts = {node}});
}

Result<RegexTree> RegexTree::Parse(std::string_view pattern) {
  return RegexParser(pattern).Parse();
}

}  // namespace tutti::text
