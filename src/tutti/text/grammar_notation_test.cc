// Regular expressions and EBNF: what they accept, what is refused, and that hostile ones end at
// once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tutti/text/grammar.h"
#include "tutti/text/grammar_regex.h"
#include "tutti/text/grammar_testing.h"

namespace tutti::text {
namespace {

using ::testing::HasSubstr;
using testing::Matcher;

struct Case {
  const char* source;
  std::vector<std::string> yes;
  std::vector<std::string> no;
};

void Expect(const Case& c, const Result<std::shared_ptr<const Grammar>>& grammar) {
  ASSERT_TRUE(grammar.ok()) << c.source << ": " << grammar.status().message();
  Matcher matcher(**grammar);
  for (const std::string& text : c.yes)
    EXPECT_TRUE(matcher.Matches(text)) << c.source << ": " << text;
  for (const std::string& text : c.no)
    EXPECT_FALSE(matcher.Matches(text)) << c.source << ": " << text;
}

void ExpectError(const Result<std::shared_ptr<const Grammar>>& grammar, StatusCode code,
                 const std::string& source, const std::string& part) {
  ASSERT_FALSE(grammar.ok()) << source;
  EXPECT_EQ(grammar.status().code(), code) << source << ": " << grammar.status().message();
  EXPECT_THAT(grammar.status().message(), HasSubstr(part)) << source;
}

std::string Times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(GrammarRegexTest, Accepts) {
  const Case kCases[] = {
      {"", {""}, {"a"}},
      {"abc", {"abc"}, {"", "ab", "abcd"}},
      {"a|bc|", {"a", "bc", ""}, {"abc", "b"}},
      {"a*", {"", "a", "aaaa"}, {"b", "ab"}},
      {"a+b?", {"a", "ab", "aab"}, {"", "b", "abb"}},
      {"a{2}", {"aa"}, {"a", "aaa"}},
      {"a{2,}", {"aa", "aaaaa"}, {"a"}},
      {"(ab){1,3}?", {"ab", "ababab"}, {"", "abababab", "aba"}},
      {"a{,3}", {"a{,3}"}, {"aaa", ""}},
      {"x{a}", {"x{a}"}, {"x"}},
      {"^abc$", {"abc"}, {"ab"}},
      {"^(a|b)$|^c", {"a", "b", "c"}, {"ab", "ca"}},
      {"(^a|b$)", {"a", "b"}, {"ab"}},
      {"\\Aab\\z", {"ab"}, {"a"}},
      {"[a-c]", {"a", "b", "c"}, {"d", "ab", ""}},
      {"[^a-c]", {"d", "\n", "\xC3\xA9", "\xF0\x9F\x98\x80"}, {"a", "\xC3", ""}},
      {"[-a]|[a-]|[\\]\\[]", {"-", "a", "]", "["}, {"b", "\\"}},
      {"[\\w.-]+", {"a_9.-"}, {"", "a b", "\xC3\xA9"}},
      {"\\d\\D", {"1a", "1\xC3\xA9"}, {"11", "aa", "1\xD9\xA3", "\xD9\xA3z"}},
      // What some readers take for a word character, a space or a digit and others do not.
      {"\\w|[^\\W\\d]", {"a", "_"}, {"\xC3\xA9"}},
      {"\\W|[^\\w]", {"-", "\xE2\x82\xAC"}, {"a", "\xC3\xA9"}},
      {"[^\\s\\D]", {"7"}, {" ", "a", "\xD9\xA3"}},
      {"\\s\\S", {" a", "\tz"}, {"a ", "  ", "\xC2\xA0z", " \xC2\xA0"}},
      {".",
       {"a", "\xC3\xA9", "\xE4\xBD\xA0", "\xF0\x9F\x98\x80"},
       {"\n", "\r", "\xE2\x80\xA8", "", "ab", "\xC3", "\xED\xA0\x80", "\xC0\x80"}},
      {"\\x41\\u00e9\\u{1F600}\\t\\.", {"A\xC3\xA9\xF0\x9F\x98\x80\t."}, {"A"}},
      {"\\ud83d\\ude00", {"\xF0\x9F\x98\x80"}, {""}},
      {"[\xC3\xA9-\xE4\xBD\xA0]",
       {"\xC3\xA9", "\xE0\xA4\x80", "\xE4\xBD\xA0"},
       {"\xC3\xA8", "\xE4\xBD\xA1", "a"}},
      {"(?:a)(?<n>b)(?P<m>c)", {"abc"}, {"ab"}},
      {"(a?){3}", {"", "a", "aa", "aaa"}, {"aaaa"}},
      {"(a*)*b", {"b", "aab"}, {"a"}},
      {"(a|aa)+$", {"a", "aaaaaaa"}, {""}},
      {"(((a{0,3}){0,3}){0,3})x", {"x", Times(27, "a") + "x"}, {Times(28, "a") + "x"}},
      {"]}", {"]}"}, {"]"}},
  };
  for (const Case& c : kCases) Expect(c, CompileRegex(c.source));
}

TEST(GrammarRegexTest, RefusesWhatItCannotEnforce) {
  for (const char* source :
       {"(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", "(a)\\1",  "\\bword\\b",  "\\p{L}",
        "(?i)a",  "a*+",    "a^b",     "a$b",     "(a$)*",   "[[:alpha:]]", "[]a]",
        "[^]",    "\\01",   "^*",      "\\cA",    "[\\d-z]", "(?P=n)",      "(?>a)"}) {
    ExpectError(CompileRegex(source), StatusCode::kUnsupported, source, "be enforced");
  }
  for (const char* source : {"(", ")", "a)", "[", "[a", "[b-a]", "*a", "a|*", "a**", "a{2,1}", "\\",
                             "\\x4", "\\u{110000}", "\\ud800", "(?<n", "\xC3", "[a-"}) {
    ExpectError(CompileRegex(source), StatusCode::kUsage, source, "");
  }
}

TEST(GrammarRegexTest, HostileExpressionsEndAtOnce) {
  ExpectError(CompileRegex("a{0,1000000000}"), StatusCode::kUsage, "count", "nodes");
  ExpectError(CompileRegex("((a{1000}){1000}){1000}"), StatusCode::kUsage, "counts", "nodes");
  ExpectError(CompileRegex("a{99999999999999999999}"), StatusCode::kUsage, "count", "nodes");
  ExpectError(CompileRegex(std::string(1000000, '(')), StatusCode::kUsage, "nesting", "nested");
  ExpectError(CompileRegex(std::string((1 << 20) + 1, 'a')), StatusCode::kUsage, "size", "bytes");
  ExpectError(CompileRegex(Times(60, "(") + "a?" + Times(60, "){9}")), StatusCode::kUsage, "", "");
  ExpectError(CompileRegex("(a?){100000}"), StatusCode::kUsage, "ambiguous", "ambiguous");
  // Backtracking would take for ever; sets of places do not.
  const auto grammar = CompileRegex("(a+)+(a*)*(a|aa|a?)*b");
  ASSERT_TRUE(grammar.ok());
  Matcher matcher(**grammar);
  EXPECT_TRUE(matcher.Matches(std::string(50000, 'a') + "b"));
  EXPECT_FALSE(matcher.Matches(std::string(50000, 'a') + "c"));
}

TEST(GrammarRegexTest, SearchesAndLengths) {
  struct {
    const char* source;
    bool search;
    int64_t min;
    int64_t max;
  } const kCases[] = {{"abc", false, 3, 3},
                      {"abc", true, 3, -1},
                      {"^abc$", true, 3, 3},
                      {"^a{2,5}(b|cd)?$", true, 2, 7},
                      {"a*", false, 0, -1},
                      {"()*", false, 0, 0},
                      {"(a{1000000}){1000000}", false, 1000000000000, 1000000000000}};
  for (const auto& c : kCases) {
    const auto tree = RegexTree::Parse(c.source);
    ASSERT_TRUE(tree.ok()) << tree.status().message();
    EXPECT_EQ(tree->LengthsOf(c.search).min, c.min) << c.source;
    EXPECT_EQ(tree->LengthsOf(c.search).max, c.max) << c.source;
  }
}

TEST(GrammarEbnfTest, Accepts) {
  const Case kCases[] = {
      {"root ::= \"a\"", {"a"}, {"", "b"}},
      {"root ::= item (\",\" item)*  # list\nitem ::= [0-9]+\n", {"1", "1,22"}, {"", "1,"}},
      {"root ::=\n  \"a\"\n  | b\n\nb ::= \"b\" |\n \"c\"", {"a", "b", "c"}, {"ab"}},
      {"root ::= 'x\\'y' \"\\\"\\n\\x41\\u00e9\\U0001F600\"",
       {"x'y\"\nA\xC3\xA9\xF0\x9F\x98\x80"},
       {"x"}},
      {"root ::= [^\"\\\\\\x00-\\x1f] [a\\]-]? .", {"bax", "\xC3\xA9\n", "b]b"}, {"\"a", "b"}},
      {"root ::= (\"a\" | \"b\"){2,3} \"c\"{2} \"d\"{1,} \"e\"{0} \"f\"{,2}",
       {"abccd", "aaaccddff"},
       {"accd", "abccdeff", "abccdfff"}},
      {"root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"}, {"(", "())", ")("}},
      // Palindromes: ambiguous everywhere.
      {"root ::= \"a\" root \"a\" | \"b\" root \"b\" | \"a\" | \"b\" | \"\"",
       {"", "abba", "aba", "bbabb", "aaaaaaa"},
       {"ab", "abab"}},
      // The same beginning by two rules, whose ends differ.
      {"root ::= x | y\nx ::= \"a\" x \"b\" | \"\"\ny ::= \"a\" y \"c\" | \"\"",
       {"", "aabb", "aacc"},
       {"aabc", "ab c"}},
      {"root ::= a a a\na ::= b?\nb ::= \"x\"", {"", "x", "xxx"}, {"xxxx"}},
      {"root ::= list\nlist ::= \"x\" (\" \" list)?", {"x", "x x x"}, {"x ", ""}},
      {"root ::= a | \"z\"\na ::= \"x\" a", {"z"}, {"x", "xz", ""}},  // a never ends
      {"root ::= (root-2 | \"\") \"q\"\nroot-2 ::= \"r\"+", {"q", "rrq"}, {"r"}},
      {"root ::= [a-z]**", {"", "abc"}, {"A"}},
  };
  for (const Case& c : kCases) Expect(c, CompileEbnf(c.source));
}

TEST(GrammarEbnfTest, AmbiguousCallsDoNotMultiply) {
  // Each level may have been entered from two rules: 2^n stacks, were they kept one by one.
  const auto grammar =
      CompileEbnf("root ::= p | q | \"x\"\np ::= \"a\" root \"b\"\nq ::= \"a\" root \"c\"");
  ASSERT_TRUE(grammar.ok());
  Matcher matcher(**grammar);
  EXPECT_TRUE(matcher.Matches(std::string(3000, 'a') + "x" + Times(1500, "bc")));
  EXPECT_FALSE(matcher.Begins(std::string(3000, 'a') + "x" + Times(1500, "bc") + "b"));
}

TEST(GrammarEbnfTest, Refuses) {
  const struct {
    const char* source;
    const char* part;
  } kCases[] = {{"", "no rule \"root\""},
                {"a ::= \"x\"", "no rule \"root\""},
                {"root ::= a", "does not define"},
                {"root ::= root \"a\" | \"b\"", "left-recursive"},
                {"root ::= a\na ::= b? c\nb ::= \"x\"\nc ::= a \"y\" | \"z\"", "left-recursive"},
                {"root ::= \"a\" root", "no text"},
                {"root ::= \"a\"\nroot ::= \"b\"", "twice"},
                {"root ::= (\"a\"", "without ')'"},
                {"root ::= \"a", "does not end"},
                {"root ::= [a", "without ']'"},
                {"root ::= \"a\" )", "should begin"},
                {"root ::= \"\\q\"", "escape"},
                {"root ::= \"a\"{3,2}", "numbers"},
                {"root ::= []", "no text"},
                {"root = \"a\"", "should begin"},
                {"root ::= *", "missing"},
                {"\xFF", "UTF-8"}};
  for (const auto& c : kCases)
    ExpectError(CompileEbnf(c.source), StatusCode::kUsage, c.source, c.part);
  for (const char* source : {"root ::= (=\"a\") \"b\"", "root ::= /a+/", "root ::= <think>"}) {
    ExpectError(CompileEbnf(source), StatusCode::kUnsupported, source, "cannot be enforced");
  }
}

TEST(GrammarEbnfTest, HostileGrammarsEndAtOnce) {
  ExpectError(CompileEbnf("root ::= " + std::string(1000000, '(')), StatusCode::kUsage, "",
              "nested");
  ExpectError(CompileEbnf("root ::= \"a\"" + Times(1000, "*")), StatusCode::kUsage, "", "nested");
  ExpectError(CompileEbnf("root ::= \"a\"{0,1000000000}"), StatusCode::kUsage, "", "nodes");
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 20000; ++i) chain += fmt::format("r{} ::= r{} r{}\n", i, i + 1, i + 1);
  const auto doubled = CompileEbnf(chain + "r20000 ::= \"x\"?");
  ASSERT_TRUE(doubled.ok()) << doubled.status().message();
  Matcher matcher(**doubled);
  EXPECT_TRUE(matcher.Begins("x"));
  std::string circle = "root ::= r0\n";
  for (int i = 0; i < 20000; ++i)
    circle += fmt::format("r{} ::= r{} | \"x\"\n", i, (i + 1) % 20000);
  ExpectError(CompileEbnf(circle), StatusCode::kUsage, "circle", "left-recursive");
}

}  // namespace
}  // namespace tutti::text
