// The language, the sandbox and the origins of text, without any file from outside the repository.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tutti/text/chat_template.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_json.h"

namespace tutti::text {
namespace {

constexpr std::string_view kNow = "2026-01-15T12:34:56";

Result<RenderResult> Render(std::string_view source, std::string_view variables = "{}",
                            const TemplateBudget& budget = {}) {
  TUTTI_ASSIGN_OR_RETURN(const ChatTemplate chat, ChatTemplate::Parse(source, budget));
  return chat.Render(variables, kNow);
}

// The text, or "error: ..." with the message.
std::string Text(std::string_view source, std::string_view variables = "{}") {
  const auto result = Render(source, variables);
  return result.ok() ? result->Text() : "error: " + result.status().message();
}

// The text with what counts as the user's in ‹ ›.
std::string Marked(std::string_view source, std::string_view variables) {
  const auto result = Render(source, variables);
  if (!result.ok()) return "error: " + result.status().message();
  std::string out;
  for (const RenderedSegment& segment : result->segments) {
    out += segment.from_template ? segment.text : "‹" + segment.text + "›";
  }
  return out;
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string Source(const char* file) {
  return std::string(TUTTI_SOURCE_DIR "/tests/golden/templates/") + file;
}

// --- recorded behaviour

TEST(Jinja, RecordedSnippets) {
  std::ifstream in(Source("language.jsonl"));
  size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    jinja::Heap heap({.steps = 1u << 24, .memory_bytes = 1u << 24});
    const jinja::Value row = jinja::ParseJson(heap, line, false);
    const auto find = [&](std::string_view key) {
      const jinja::DictEntry* entry = jinja::DictFind(heap, *row.dict, key);
      return entry == nullptr ? jinja::Value() : entry->value;
    };
    jinja::JsonStyle style;
    style.item_separator = *jinja::MakeString(heap, ",", false).string;
    style.key_separator = *jinja::MakeString(heap, ":", false).string;
    jinja::Builder variables(heap);
    ASSERT_TRUE(jinja::AppendJson(variables, find("vars"), style));
    const std::string_view source = find("template").string->view();
    const auto result = Render(source, variables.view());
    const jinja::Value expected = find("expected");
    ASSERT_EQ(result.ok(), !expected.nothing()) << source << "\n" << result.status().message();
    if (result.ok()) {
      EXPECT_EQ(result->Text(), expected.string->view()) << source;
    }
  }
  EXPECT_EQ(count, 524u);
}

TEST(Jinja, HostileTemplatesEndWithAnError) {
  std::ifstream in(Source("hostile.jsonl"));
  size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    jinja::Heap heap({.steps = 1u << 24, .memory_bytes = 1u << 24});
    const jinja::Value row = jinja::ParseJson(heap, line, false);
    const auto source =
        jinja::DictFind(heap, *row.dict, std::string_view("template"))->value.string->view();
    EXPECT_FALSE(Render(source).ok()) << source;
  }
  EXPECT_EQ(count, 35u);
}

TEST(Jinja, DeepNestingEndsWithAnError) {
  const std::string templates[] = {
      "{{ " + Repeat("(", 10000) + "1" + Repeat(")", 10000) + " }}",
      "{{ " + Repeat("[", 10000),
      Repeat("{% if 1 %}", 10000) + "x" + Repeat("{% endif %}", 10000),
      Repeat("{% for a in [1] %}", 10000),
      "{{ " + Repeat("-", 50000) + "1 }}",
      "{{ " + Repeat("not ", 20000) + "1 }}",
      "{{ " + Repeat("1 if 0 else ", 10000) + "2 }}",
      "{{ 'ab'" + Repeat(" | replace('a', 'aa')", 20000) + " }}",
      "{{ " + Repeat("{'a':", 10000) + "1" + Repeat("}", 10000) + " }}",
      "{{ " + Repeat("x.", 20000) + "y }}",
      "{{ x" + Repeat("[0]", 20000) + " }}",
      "{{ f" + Repeat("()", 20000) + " }}",
      "{{ 1" + Repeat(" + 1", 20000) + " }}",
      "{{ 1" + Repeat(" or 1", 20000) + " }}",
      "{% set " + Repeat("(", 20000) + "a" + Repeat(")", 20000) + " = 1 %}",
      "{% filter upper" + Repeat(" | upper", 20000) + " %}x{% endfilter %}",
  };
  for (const std::string& source : templates) {
    const auto result = Render(source);
    ASSERT_FALSE(result.ok()) << source.substr(0, 60);
  }
  // Nested data, not nested source.
  const auto result = Render(
      "{% set ns = namespace(x=[1]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}"
      "{{ ns.x == ns.x[0] }}");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kResource);
  const std::string json = "{\"x\":" + Repeat("[", 100000) + Repeat("]", 100000) + "}";
  EXPECT_FALSE(Render("{{ x }}", json).ok());
}

// --- budgets

TEST(Jinja, EveryBudgetIsNamed) {
  const auto message = [](std::string_view source, TemplateBudget budget) {
    budget.steps_per_byte = budget.output_per_byte = budget.memory_per_byte = 0;
    const auto result = Render(source, "{}", budget);
    if (result.ok()) return std::string("rendered");
    EXPECT_EQ(result.status().code(), StatusCode::kResource);
    return result.status().message();
  };
  TemplateBudget small;
  small.steps = 1000;
  EXPECT_NE(message("{% for i in range(999) %}{{ i }}{% endfor %}", small).find("1000 steps"),
            std::string::npos);
  small = {};
  small.output_bytes = 10;
  EXPECT_NE(message("{% for i in range(9) %}ab{% endfor %}", small).find("10 bytes"),
            std::string::npos);
  EXPECT_NE(message("{{ 'x' * 11 }}", small).find("10 bytes"), std::string::npos);
  EXPECT_NE(message("{{ [1, 2, 3, 4] }}", small).find("10 bytes"), std::string::npos);
  small = {};
  small.memory_bytes = 100000;
  EXPECT_NE(message("{{ ('x' * 99999) | length }}{{ 'y' * 99999 }}", small).find("100000 bytes"),
            std::string::npos);
  small = {};
  small.depth = 20;
  EXPECT_NE(message("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", small).find("20 levels"),
            std::string::npos);
}

TEST(Jinja, TextOfNoAddressIsEmptyText) {
  jinja::Heap heap({});  // found by the fuzzer: memcpy from nullptr
  const jinja::Value empty = jinja::MakeString(heap, std::string_view(), true);
  ASSERT_TRUE(empty.Is(jinja::Kind::kString));
  EXPECT_EQ(empty.string->view(), "");
}

TEST(Jinja, LongConversationsHaveLargerBudgets) {
  // Looks at all messages for each message.
  const std::string_view source =
      "{% for m in messages %}{% for n in messages %}{% if n.role %}{% endif %}{% endfor %}"
      "{{ m.content }}{% endfor %}";
  std::string json = "{\"messages\":[";
  for (int i = 0; i < 500; ++i) {
    json += i > 0 ? "," : "";
    json += R"({"role":"user","content":"How are you today, and what is the weather like?"})";
  }
  json += "]}";
  const auto result = Render(source, json);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->Text().size(), 500 * 48u);
  TemplateBudget fixed;
  fixed.steps_per_byte = 0;
  EXPECT_EQ(Render(source, json, fixed).status().code(), StatusCode::kResource);
}

TEST(Jinja, WorkOnLongTextIsCounted) {
  // Each line looks at a megabyte, a hundred thousand times.
  const std::string text = "{\"s\":\"" + Repeat("abcdefgh", 1 << 17) + "\"}";
  for (const std::string_view work : {"'zz' in s",
                                      "s.count('zz')",
                                      "s.find('zz')",
                                      "s.rfind('zz')",
                                      "s.upper()",
                                      "s == s ~ 'a'",
                                      "s.split('z')",
                                      "s.rsplit('z')",
                                      "s.split()",
                                      "s.splitlines()",
                                      "s.replace('zz', '')",
                                      "s | list",
                                      "s | wordcount",
                                      "s | tojson",
                                      "s.isalpha()",
                                      "s[::-1]",
                                      "s.strip('abcdefgh')",
                                      "'%s' % s",
                                      "'{}'.format(s)",
                                      "s | urlencode",
                                      "s | indent",
                                      "s.partition('zz')",
                                      "[s] | string",
                                      "s | e",
                                      "s.title()",
                                      "s | title",
                                      "s | wordwrap",
                                      "s.encode() | string",
                                      "s | striptags",
                                      "s.endswith(s)",
                                      "{s: 1}",
                                      "s < s ~ 'b'",
                                      "s | unique | list",
                                      "s.center(2000000)",
                                      "s | int",
                                      "s | float",
                                      "s | trim('abcdefgh')",
                                      "s | truncate(9)"}) {
    const std::string source =
        "{% for i in range(99999) %}{% set x = " + std::string(work) + " %}{% endfor %}";
    TemplateBudget budget;
    budget.steps_per_byte = 0;
    budget.memory_per_byte = 1;
    const auto result = Render(source, text, budget);
    ASSERT_FALSE(result.ok()) << work;
    EXPECT_EQ(result.status().code(), StatusCode::kResource) << result.status().message();
  }
}

TEST(Jinja, KeysThatCollideAreNoTrap) {
  std::string json = "{\"d\":{";
  for (int i = 0; i < 20000; ++i) {
    json += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":" + std::to_string(i);
  }
  EXPECT_EQ(Text("{{ d.k19999 }} {{ d | length }} {{ d.zz is defined }}", json + "}}"),
            "19999 20000 False");
}

// --- where text comes from

TEST(JinjaOrigin, LiteralsAreTheTemplatesAndVariablesTheUsers) {
  const std::string_view user = R"({"u":"<|im_end|>","m":{"role":"user"},"n":5})";
  EXPECT_EQ(Marked("<|im_start|>{{ m.role }}\n{{ u }}<|im_end|>", user),
            "<|im_start|>‹user›\n‹<|im_end|>›<|im_end|>");
  EXPECT_EQ(Marked("{{ '<|a|>' }}{{ n }}", user), "<|a|>‹5›");
  EXPECT_EQ(Marked("{{ '<|a|>' + u + '<|b|>' }}{{ '<|c|>' ~ u }}", user),
            "<|a|>‹<|im_end|>›<|b|><|c|>‹<|im_end|>›");
}

TEST(JinjaOrigin, TheModelsTokensAreTheTemplates) {
  EXPECT_EQ(Marked("{{ bos_token }}{{ eos_token | trim }}{{ my_token }}",
                   R"({"bos_token":"<s>","eos_token":"</s>","my_token":"<x>"})"),
            "<s></s>‹<x>›");
  // Only as plain text at the top.
  EXPECT_EQ(Marked("{{ bos_token.x }}{{ d.eos_token }}",
                   R"({"bos_token":{"x":"<s>"},"d":{"eos_token":"</s>"}})"),
            "‹<s></s>›");
}

TEST(JinjaOrigin, PassesThroughMacrosAndBlocks) {
  const std::string_view user = R"({"u":"<|im_end|>"})";
  EXPECT_EQ(
      Marked("{% macro f(a, b='<|b|>') %}<|a|>{{ a }}{{ b }}{% endmacro %}{{ f(u) | trim }}", user),
      "<|a|>‹<|im_end|>›<|b|>");
  EXPECT_EQ(Marked("{% set x %}<|a|>{{ u }}{% endset %}{{ x }}{{ x[:5] }}{{ x[5:] }}", user),
            "<|a|>‹<|im_end|>›<|a|>‹<|im_end|>›");
  EXPECT_EQ(Marked("{% set ns = namespace(x='<|a|>') %}{% set ns.x = ns.x + u %}{{ ns.x }}", user),
            "<|a|>‹<|im_end|>›");
  EXPECT_EQ(Marked("{% macro f() %}{{ caller(u) }}{% endmacro %}"
                   "{% call(v) f() %}<|a|>{{ v }}{% endcall %}",
                   user),
            "<|a|>‹<|im_end|>›");
  EXPECT_EQ(Marked("{% filter upper %}<|a|>{{ u }}{% endfilter %}", user), "<|A|>‹<|IM_END|>›");
}

TEST(JinjaOrigin, PassesThroughOperations) {
  const std::string_view user = R"({"u":"ab<x>","l":["1","2"]})";
  EXPECT_EQ(Marked("{{ ('T' ~ u ~ 'T').upper() }}", user), "T‹AB<X>›T");
  EXPECT_EQ(Marked("{{ ('T,' ~ u).split(',') | join('|') }}", user), "T|‹ab<x>›");
  EXPECT_EQ(Marked("{{ l | join('<|sep|>') }}", user), "‹1›<|sep|>‹2›");
  EXPECT_EQ(Marked("{{ 'a-b' | replace('-', u) }}", user), "a‹ab<x>›b");
  EXPECT_EQ(Marked("{{ u | replace('b', '<|t|>') }}", user), "‹a›<|t|>‹<x>›");
  EXPECT_EQ(Marked("{{ ('T' ~ u)[::-1] }}", user), "‹>x<ba›T");
  EXPECT_EQ(Marked("{{ '<|a|>%s<|b|>' % u }}", user), "<|a|>‹ab<x>›<|b|>");
  EXPECT_EQ(Marked("{{ '<|a|>{}<|b|>'.format(u) }}", user), "<|a|>‹ab<x>›<|b|>");
}

TEST(JinjaOrigin, PassesThroughFormattingAndPrinting) {
  const std::string_view user = R"({"u":"ab<x>"})";
  // A field the user wrote shows nothing as the template's.
  EXPECT_EQ(Marked("{{ f.format('<|a|>') }}{{ p % '<|a|>' }}", R"({"f":"{}{0}","p":"%s"})"),
            "error: chat template, line 1, column 12: cannot mix automatic and manual field "
            "numbering");
  EXPECT_EQ(Marked("{{ f.format('<|a|>') }}{{ p % '<|a|>' }}", R"({"f":"{0}","p":"%s"})"),
            "‹<|a|><|a|>›");
  EXPECT_EQ(Marked("{{ '<|t|>' | tojson }}{{ u | tojson }}", user), "‹\"›<|t|>‹\"\"ab<x>\"›");
  EXPECT_EQ(Marked("{{ ['<|t|>', u] }}", user), "‹['›<|t|>‹', 'ab<x>']›");
  EXPECT_EQ(Marked("{{ {'<|k|>': u} | tojson }}", user), "‹{\"›<|k|>‹\": \"ab<x>\"}›");
  EXPECT_EQ(Marked("{{ 'T' * 3 }}{{ u * 2 }}", user), "TTT‹ab<x>ab<x>›");
  EXPECT_EQ(Marked("{{ ('T\\n' ~ u) | indent(1, true) }}", user), "‹ ›T‹\n ab<x>›");
  EXPECT_EQ(Marked("{{ u | e }}{{ '<' | e }}", user), "‹ab&lt;x&gt;›&lt;");
  EXPECT_EQ(Marked("{{ u | first }}{{ ('T' ~ u) | list | last }}", user), "‹a>›");
  EXPECT_EQ(Marked("{{ ' T' | trim }}{{ (u ~ 'T').rstrip('T') }}", user), "T‹ab<x>›");
  EXPECT_EQ(Marked("{{ strftime_now('%Y') }}{{ strftime_now(u) }}", user), "2026‹ab<x>›");
  EXPECT_EQ(Marked("{{ ('T' ~ u) | center(9) }}", user), "‹  ›T‹ab<x> ›");
}

TEST(JinjaOrigin, GrowingTextKeepsItsMarks) {
  const std::string long_literal = Repeat("t", 300);
  const std::string user = R"({"u":"U"})";
  const std::string expected = long_literal + "‹U›a‹UU›" + long_literal + "‹U›b";
  EXPECT_EQ(Marked("{% set x = '" + long_literal +
                       "' %}{% set y = x ~ u %}{% set z = y ~ 'a' %}"
                       "{% set a = z ~ u %}{% set b = y ~ 'b' %}{{ a ~ u }}{{ b }}",
                   user),
            expected);
  // The same end is grown twice, and cut in between.
  EXPECT_EQ(Marked("{% set x = '" + long_literal +
                       "' + u %}{% set y = x + 'a' + u %}{{ y[299:] }}|"
                       "{{ (x + 'b')[299:] }}|{{ (y[:-1] + 'c')[299:] }}|{{ x[299:] }}",
                   user),
            "t‹U›a‹U›|t‹U›b|t‹U›ac|t‹U›");
}

TEST(Jinja, GrowingTextIsLinear) {
  // 100,000 appends to one text of 1 MB would copy 50 GB.
  TemplateBudget budget;
  budget.steps = 3'000'000;
  const auto result = Render(
      "{% set ns = namespace(s='') %}{% for i in range(100000) %}{% set ns.s = ns.s ~ "
      "'0123456789' %}{% endfor %}{{ ns.s | length }}",
      "{}", budget);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->Text(), "1000000");
}

// A user who chooses every variable must never get a byte of his into template text. All template
// literals in these are lower case, all user text is upper case.
constexpr std::string_view kMixingExpressions[] = {"u",
                                                   "u|lower|upper",
                                                   "u.swapcase().swapcase()",
                                                   "v",
                                                   "w",
                                                   "w|tojson",
                                                   "w|tojson(indent=1)",
                                                   "v|join(u)",
                                                   "u.join(['a','b'])",
                                                   "u.replace('U', u)",
                                                   "'abc'.replace('b', u)",
                                                   "w|items|list",
                                                   "w|dictsort",
                                                   "u|list",
                                                   "u[1:]",
                                                   "u|reverse",
                                                   "(u ~ 'x')|truncate(3, true)",
                                                   "u.center(20, 'x')",
                                                   "'x'.center(9, u[0])",
                                                   "u.ljust(9)",
                                                   "'%s %r' % (u, u)",
                                                   "'%-9s|' % u",
                                                   "'{0!r:>20}'.format(u)",
                                                   "'{a:{w}}'.format(a=u, w=9)",
                                                   "u|indent(u)",
                                                   "w.keys()|list",
                                                   "w.values()|list",
                                                   "w.LIST",
                                                   "u.partition('X')",
                                                   "u.split('X')",
                                                   "u.rsplit('X', 1)",
                                                   "u.splitlines()",
                                                   "u|wordwrap(2)",
                                                   "u|striptags",
                                                   "u|urlencode|upper",
                                                   "u|xmlattr if false else u|title|upper",
                                                   "u|forceescape|upper",
                                                   "u.encode()|upper",
                                                   "u.expandtabs()",
                                                   "[u]|string",
                                                   "(u,)|first",
                                                   "u|unique|join",
                                                   "v[:2]|map('replace', 'A', u)|join",
                                                   "u.zfill(20)",
                                                   "u|batch(2)|list",
                                                   "dict(a=u)",
                                                   "namespace(a=u).a",
                                                   "cycler(u).next()",
                                                   "u.removeprefix('U')",
                                                   "u.title()",
                                                   "u.casefold()|upper",
                                                   "w|string",
                                                   "u|map('upper')|list",
                                                   "u|groupby(0)|list",
                                                   "'%(KEY)s' % w",
                                                   "'{KEY}'.format_map(w)",
                                                   "'{KEY}'.format(**w)",
                                                   "u|format",
                                                   "u % ()",
                                                   "raise_exception and u"};

TEST(JinjaOrigin, NoUserByteBecomesTheTemplates) {
  const std::string_view user =
      R"({"u":"UÜ<|X|>","v":["A","B",{"K":"V"}],"w":{"KEY":"VALUE","LIST":["Y"]}})";
  for (const std::string_view expr : kMixingExpressions) {
    const auto result = Render("{{ " + std::string(expr) + " }}", user);
    ASSERT_TRUE(result.ok()) << expr << ": " << result.status().message();
    for (const RenderedSegment& segment : result->segments) {
      if (!segment.from_template) continue;
      for (const char c : segment.text) EXPECT_FALSE(c >= 'A' && c <= 'Z') << expr << segment.text;
    }
  }
}

TEST(JinjaOrigin, NeighboursOfOneOriginAreOneSegment) {
  const auto result =
      Render("a{{ 'b' }}{% if 1 %}c{% endif %}{{ u }}{{ u }}{{ '' }}", R"({"u":"x"})");
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->segments.size(), 2u);
  EXPECT_EQ(result->segments[0].text, "abc");
  EXPECT_EQ(result->segments[1].text, "xx");
}

// --- errors

TEST(JinjaErrors, SayWhere) {
  EXPECT_EQ(Text("a\nbc {{ x.y }}"), "error: chat template, line 2, column 8: 'x' is undefined");
  EXPECT_EQ(Text("{% if 1 %}\n\n{% endfor %}"),
            "error: chat template, line 3, column 4: Encountered unknown tag 'endfor'. Jinja was "
            "looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that "
            "needs to be closed is 'if'.");
  EXPECT_EQ(Text("é{{ 1 + 'a' }}"),
            "error: chat template, line 1, column 7: unsupported operand type(s) for +: 'int' and "
            "'str'");
}

TEST(JinjaErrors, TheTemplatesOwnMessageIsThere) {
  const auto result = Render("{{ raise_exception('no ' ~ r ~ ' here') }}", R"({"r":"system"})");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kData);
  EXPECT_EQ(RaisedMessage(result.status()), "no system here");
  EXPECT_EQ(RaisedMessage(Render("{{ 1/0 }}").status()), std::nullopt);
  EXPECT_EQ(RaisedMessage(Status()), std::nullopt);
}

TEST(JinjaErrors, BadVariables) {
  for (const std::string_view json :
       {"", "[]", "1", "{", "{\"a\":}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":\"\\x\"}", "{} x",
        "{\"a\":\"\x01\"}", "{\"a\":\"\\ud800\"}", "{\"a\":1e}", "{\"a\":-}", "{\"a\" 1}", "{a:1}",
        "{\"a\":nul}", "{\"a\":\"\xff\"}", "{\"a\":\"", "{\"a\":[1,]}"}) {
    const auto result = Render("x", json);
    ASSERT_FALSE(result.ok()) << json;
    EXPECT_EQ(result.status().code(), StatusCode::kData) << json;
  }
  EXPECT_EQ(Text("{{ a }}{{ b }}", R"({"b":"\ud83d\ude00\u00e9\/","a":[1.50,-0,1E2,true]})"),
            "[1.5, 0, 100.0, True]😀é/");
  EXPECT_EQ(Text("{{ d }}", R"({"d":{"a":1,"b":2,"a":3}})"), "{'a': 3, 'b': 2}");
}

TEST(JinjaErrors, BadSource) {
  EXPECT_EQ(ChatTemplate::Parse("\xff").status().code(), StatusCode::kData);
  EXPECT_EQ(ChatTemplate::Parse(std::string(5u << 20, 'x')).status().code(), StatusCode::kResource);
  EXPECT_EQ(ChatTemplate::Parse("{{ '\\ud800' }}").status().code(), StatusCode::kData);
}

// --- the language beyond the recordings

TEST(Jinja, ElseOfALoopRunsUnlessAnIterationEnded) {
  EXPECT_EQ(Text("{% for x in [1, 2] %}{{ x }}{% break %}{% else %}E{% endfor %}"), "1E");
  EXPECT_EQ(Text("{% for x in [1, 2] %}{{ x }}{% continue %}{% else %}E{% endfor %}"), "12E");
  EXPECT_EQ(
      Text("{% for x in [1, 2] %}{% if x > 1 %}{% break %}{% endif %}{% else %}E{% endfor %}"), "");
}

TEST(Jinja, GeneratorsAreWalkedOnceAndLazily) {
  EXPECT_EQ(Text("{% set g = [1, 2] | map('string') %}{{ g | list }}{{ g | list }}"),
            "['1', '2'][]");
  EXPECT_EQ(Text("{% set g = [1, 2, 3] | select %}{{ g | first }}{{ g | join }}"), "123");
  EXPECT_EQ(Text("{{ [1, 'a'] | select('lt', 5) | first }}"), "1");
  EXPECT_EQ(Text("{% for x in [1, 'a'] | select('lt', 5) %}{{ x }}{% break %}{% endfor %}"), "1");
  EXPECT_EQ(Text("{% for x in [5, 6] | map('string') %}{{ loop.length }}{{ x }}{% endfor %}"),
            "2526");
}

TEST(Jinja, LoopFiltersSeeWhatTheBodyDid) {
  EXPECT_EQ(Text("{% set ns = namespace(n=0) %}{% for x in [1, 2, 3] if ns.n < 2 %}{{ x }}"
                 "{% set ns.n = ns.n + 1 %}{% endfor %}"),
            "12");
}

TEST(Jinja, BlocksCanBeCalled) {
  EXPECT_EQ(Text("{% block a %}A{{ x }}{% endblock %}{{ self.a() }}", R"({"x":1})"), "A1A1");
  EXPECT_EQ(Text("{% for i in [1] %}{% block a %}[{{ i }}]{% endblock %}{% endfor %}"), "[]");
}

// Found by fuzzing: a width beyond 64 bits overflowed while it was read.
TEST(Jinja, WidthsOfAnyLengthAreRead) {
  for (const char* digits :
       {"99999999999999999", "99999999999999999999", "184467440737095516160"}) {
    EXPECT_FALSE(Render(std::string("{{ '%") + digits + "d' % 1 }}").ok()) << digits;
    EXPECT_FALSE(Render(std::string("{{ '{:") + digits + "}'.format(1) }}").ok()) << digits;
  }
}

// Found by fuzzing: counting down from the smallest number overflowed.
TEST(Jinja, NegativeCountsMeanNoLimit) {
  for (const std::string count :
       {"-1", "-2", "-9223372036854775807 - 1", "-99999999999999999999"}) {
    EXPECT_EQ(Text("{{ 'a-b-c'.split('-', " + count + ") }}"), "['a', 'b', 'c']") << count;
    EXPECT_EQ(Text("{{ 'a-b-c'.rsplit('-', " + count + ") }}"), "['a', 'b', 'c']") << count;
    EXPECT_EQ(Text("{{ 'a b'.split(none, " + count + ") }}"), "['a', 'b']") << count;
    EXPECT_EQ(Text("{{ 'a-b-c'.replace('-', '+', " + count + ") }}"), "a+b+c") << count;
    EXPECT_EQ(Text("{{ 'ab'.replace('', '.', " + count + ") }}"), ".a.b.") << count;
  }
}

TEST(Jinja, TheClock) {
  const std::string_view codes =
      "%a %A %b %B %c %C %d %D %e %F %g %G %h %H %I %j %k %l %m %M %n %p %P %r %R %S %t %T %u %U "
      "%V %w %W %x %X %y %Y %z %Z %% %f %-d %-H";
  // Printed by datetime(2026, 1, 5, 7, 4, 6).strftime of CPython 3.11 with glibc.
  const std::string expected =
      "Mon Monday Jan January Mon Jan  5 07:04:06 2026 20 05 01/05/26  5 2026-01-05 26 2026 Jan 07 "
      "07 005  7  7 01 04 \n AM am 07:04:06 AM 07:04 06 \t 07:04:06 1 01 02 1 01 01/05/26 07:04:06 "
      "26 2026   % 000000 5 7";
  const auto chat = ChatTemplate::Parse("{{ strftime_now('" + std::string(codes) + "') }}");
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->Render("{}", "2026-01-05T07:04:06")->Text(), expected);
  for (const std::string_view now :
       {"", "today", "2026-02-30T00:00:00", "2026-01-05", "2026-13-01T00:00:00"}) {
    EXPECT_FALSE(chat->Render("{}", now).ok()) << now;
  }
}

TEST(Jinja, OneTemplateManyThreads) {
  const auto chat = ChatTemplate::Parse(
      "{% macro f(n) %}{{ n }}{% endmacro %}{% for x in xs %}{{ f(x) | upper }}{{ 'lit' }}{% "
      "endfor %}");
  ASSERT_TRUE(chat.ok());
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string json = R"({"xs":["a)" + std::to_string(t) + "\"]}";
      const std::string expected = "A" + std::to_string(t) + "lit";
      for (int i = 0; i < 200; ++i) {
        const auto result = chat->Render(json, kNow);
        wrong[static_cast<size_t>(t)] += !result.ok() || result->Text() != expected;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace tutti::text
