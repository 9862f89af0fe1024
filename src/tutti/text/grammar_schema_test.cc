// JSON schemas construct by construct: texts that must be and must not be written, what is refused,
// and that hostile schemas end at once. tests/interop/check_grammars.py asks another validator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tutti/text/grammar.h"
#include "tutti/text/grammar_testing.h"

namespace tutti::text {
namespace {

using ::testing::HasSubstr;
using testing::Matcher;

struct Case {
  const char* schema;
  std::vector<std::string> yes;
  std::vector<std::string> no;
};

void Expect(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    const auto grammar = CompileJsonSchema(c.schema);
    ASSERT_TRUE(grammar.ok()) << c.schema << ": " << grammar.status().message();
    Matcher matcher(**grammar);
    for (const std::string& text : c.yes) {
      EXPECT_TRUE(matcher.Matches(text)) << c.schema << ": " << text;
    }
    for (const std::string& text : c.no) {
      EXPECT_FALSE(matcher.Matches(text)) << c.schema << ": " << text;
    }
  }
}

void ExpectError(const std::string& schema, StatusCode code, const std::string& part) {
  const auto grammar = CompileJsonSchema(schema);
  const std::string shown = schema.substr(0, 200);
  ASSERT_FALSE(grammar.ok()) << shown;
  EXPECT_EQ(grammar.status().code(), code) << shown << ": " << grammar.status().message();
  EXPECT_THAT(grammar.status().message(), HasSubstr(part)) << shown;
}

std::string Times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(GrammarSchemaTest, Types) {
  Expect({
      {"{}", {"1", "{}", "[null]"}, {"", "x"}},
      {"true", {"1", "\"a\""}, {}},
      {R"({"type":"null"})", {"null"}, {"0", "\"null\""}},
      {R"({"type":"boolean"})", {"true", "false"}, {"null", "True"}},
      {R"({"type":"integer"})", {"0", "-7", "12345678901234567890"}, {"1.5", "01", "1e3", "true"}},
      {R"({"type":"number"})", {"0", "1.5", "-2e-3"}, {"\"1\"", "1.", "NaN"}},
      {R"({"type":"string"})", {"\"\"", "\"a\\n\\u00e9\""}, {"a", "\"\n\""}},
      {R"({"type":["string","null"]})", {"\"x\"", "null"}, {"1"}},
      {R"({"type":"string","nullable":true})", {"\"x\"", "null"}, {"1"}},
      {R"({"type":"integer","title":"t","description":"d","default":"x","x-own":[]})",
       {"1"},
       {"\"x\""}},
  });
}

TEST(GrammarSchemaTest, ListedValues) {
  Expect({
      {R"({"enum":["a",1,null,true,{"k":[1,"é"]},2.5]})",
       {"\"a\"", "1", "null", "true", "{\"k\": [1, \"\xC3\xA9\"]}", "{\"k\":[1,\"\xC3\xA9\"]}",
        "2.5"},
       {"\"b\"", "11", "{}", "false"}},
      {R"({"const":"a\"\\\n"})", {"\"a\\\"\\\\\\n\""}, {"\"a\""}},
      {R"({"type":"string","enum":["a",1]})", {"\"a\""}, {"1"}},
      {R"({"allOf":[{"enum":[1,2,3]},{"enum":[2,3,4]}]})", {"2", "3"}, {"1", "4"}},
      {R"({"const":{}})", {"{}"}, {"{ }x", "[]"}},
  });
  ExpectError(R"({"enum":[1,20],"maximum":5})", StatusCode::kUnsupported, "beside other keywords");
  ExpectError(R"({"const":1e300})", StatusCode::kUnsupported, "digits");
  ExpectError(R"({"type":"string","enum":[1]})", StatusCode::kUsage, "no text");
}

TEST(GrammarSchemaTest, Numbers) {
  Expect({
      {R"({"type":"integer","minimum":3,"maximum":12})",
       {"3", "9", "10", "12"},
       {"2", "13", "03", "-3", "3.0", "120"}},
      {R"({"type":"integer","exclusiveMinimum":-3,"exclusiveMaximum":3})",
       {"-2", "-1", "0", "2"},
       {"-3", "3", "-0"}},
      {R"({"type":"integer","minimum":100})",
       {"100", "101", "999", "1000", "123456789"},
       {"99", "9", "-100", "0"}},
      {R"({"type":"integer","maximum":-5})",
       {"-5", "-6", "-10", "-99999"},
       {"-4", "0", "5", "-05"}},
      {R"({"type":"integer","minimum":1.5,"maximum":3.5})", {"2", "3"}, {"1", "4"}},
      {R"({"type":"integer","minimum":-5,"maximum":-5})", {"-5"}, {"-4", "5", "-50"}},
      {R"({"type":"integer","minimum":1,"maximum":1e300})", {"1", "999999999999999999"}, {"0"}},
      {R"({"type":"number","minimum":0,"maximum":1})",
       {"0", "0.5", "1", "1.0", "0.999999"},
       {"1.1", "-0.1", "1.000001", "2", "1e-1"}},
      {R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1})",
       {"0.5", "0.000001"},
       {"0", "0.0", "1", "1.0", "0.000000"}},
      {R"({"type":"number","minimum":-2.25,"maximum":12.5})",
       {"-2.25", "-2.2", "-0.5", "0", "12.5", "12.50", "9.99"},
       {"-2.26", "-3", "12.51", "13", "-2.250001"}},
      {R"({"type":"number","exclusiveMinimum":2.5})",
       {"2.51", "2.500001", "3", "1000"},
       {"2.5", "2.50", "2", "-3"}},
      {R"({"type":"number","minimum":1e-7})", {"0.0000001", "1"}, {"0", "0.00000009"}},
      {R"({"minimum":5})", {"5", "\"x\"", "null", "[]"}, {"4", "-1"}},
  });
  ExpectError(R"({"type":"integer","minimum":5,"maximum":4})", StatusCode::kUsage, "no text");
  ExpectError(R"({"type":"integer","minimum":1e300})", StatusCode::kUsage, "no text");
  ExpectError(R"({"type":"integer","minimum":"5"})", StatusCode::kUsage, "must be a number");
  ExpectError(R"({"type":"integer","exclusiveMinimum":true})", StatusCode::kUsage, "number");
  ExpectError(R"({"type":"number","multipleOf":0.5})", StatusCode::kUnsupported, "multipleOf");
  Expect({{R"({"type":"integer","multipleOf":1})", {"3"}, {}},
          {R"({"type":"string","multipleOf":3})", {"\"x\""}, {}}});
}

TEST(GrammarSchemaTest, Strings) {
  Expect({
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {"\"ab\"", "\"abc\"", "\"\\n\\\"\"", "\"\xF0\x9F\x98\x80x\"", "\"\\ud83d\\ude00x\""},
       {"\"a\"", "\"abcd\"", "\"\\u00e9\"", "\"\""}},
      {R"({"type":"string","maxLength":0})", {"\"\""}, {"\"a\""}},
      {R"({"type":"string","pattern":"^[a-z]+$"})", {"\"abc\""}, {"\"\"", "\"aB\"", "\"\\u0061\""}},
      {R"({"type":"string","pattern":"b"})", {"\"abc\"", "\"b\""}, {"\"ac\""}},
      {R"({"type":"string","pattern":"^\\S+\"\\\\\n$"})", {"\"x\\\"\\\\\\n\""}, {"\"x\""}},
      {R"({"type":"string","pattern":"^[a-z]+$","minLength":2,"maxLength":4})",
       {"\"ab\"", "\"abcd\""},
       {"\"a\"", "\"abcde\""}},
      {R"({"type":"string","pattern":"^ab.*$","maxLength":4})",
       {"\"ab\"", "\"abcd\""},
       {"\"abcde\""}},
      {R"({"type":"string","pattern":"^ab","maxLength":4})", {"\"ab\"", "\"abcd\""}, {"\"abcde\""}},
      {R"({"type":"string","format":"date"})",
       {"\"2024-02-29\"", "\"1999-12-31\""},
       {"\"2023-02-29\"", "\"2024-13-01\"", "\"1900-02-29\"", "\"2024-1-1\""}},
      {R"({"type":"string","format":"date-time"})",
       {"\"2024-02-29T12:30:00Z\"", "\"2024-02-29T12:30:00.125+02:00\""},
       {"\"2024-02-29\""}},
      {R"({"type":"string","format":"uuid"})",
       {"\"123e4567-e89b-12d3-a456-426614174000\""},
       {"\"123e4567e89b12d3a456426614174000\""}},
      {R"({"type":"string","format":"ipv4"})",
       {"\"127.0.0.1\""},
       {"\"256.0.0.1\"", "\"01.1.1.1\""}},
      {R"({"type":"string","format":"email"})", {"\"a.b@example.org\""}, {"\"a\"", "\"@b.c\""}},
  });
  ExpectError(R"({"type":"string","format":"regex"})", StatusCode::kUnsupported, "\"regex\"");
  ExpectError(R"x({"type":"string","pattern":"(?=x)"})x", StatusCode::kUnsupported, "(?");
  ExpectError(R"x({"type":"string","pattern":"("})x", StatusCode::kUsage, "malformed");
  ExpectError(R"({"type":"string","pattern":"^a+b+$","maxLength":3})", StatusCode::kUnsupported,
              "maxLength");
  ExpectError(R"({"type":"string","pattern":"^abcd+$","maxLength":2})", StatusCode::kUnsupported,
              "maxLength");
  ExpectError(R"({"type":"string","pattern":"^abc{5,}$","maxLength":6})", StatusCode::kUnsupported,
              "maxLength");
  ExpectError(R"({"type":"string","pattern":"^a","format":"date"})", StatusCode::kUnsupported,
              "several");
  ExpectError(R"({"type":"string","minLength":-1})", StatusCode::kUsage, "whole number");
  ExpectError(R"({"type":"string","minLength":2,"maxLength":1})", StatusCode::kUsage, "no text");
}

TEST(GrammarSchemaTest, Arrays) {
  Expect({
      {R"({"type":"array","items":{"type":"integer"}})",
       {"[]", "[1]", "[1, 2,3]", "[\n  1\n]"},
       {"[1,]", "[\"a\"]", "[1 2]"}},
      {R"({"type":"array","items":{"type":"null"},"minItems":2,"maxItems":3})",
       {"[null,null]", "[null,null,null]"},
       {"[]", "[null]", "[null,null,null,null]"}},
      {R"({"type":"array","maxItems":0})", {"[]", "[ ]"}, {"[1]"}},
      {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false})",
       {"[]", "[\"a\"]", "[\"a\",1]"},
       {"[1]", "[\"a\",1,2]"}},
      {R"({"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"null"},"minItems":2})",
       {"[\"a\",null]", "[\"a\",null,null]"},
       {"[\"a\"]", "[null,null]", "[\"a\",1]"}},
      {R"({"type":"array","items":[{"type":"string"}],"additionalItems":{"type":"null"}})",
       {"[]", "[\"a\",null]"},
       {"[null]"}},
      {R"({"type":"array","uniqueItems":true,"maxItems":1})", {"[]", "[1]"}, {"[1,1]"}},
      {R"({"type":"array","uniqueItems":false,"items":{"const":1}})", {"[1,1]"}, {"[2]"}},
      {R"({"type":"array","maxItems":1000000000,"items":{"const":1}})", {"[]", "[1,1]"}, {"[2]"}},
  });
  ExpectError(R"({"type":"array","uniqueItems":true})", StatusCode::kUnsupported, "uniqueItems");
  ExpectError(R"({"type":"array","contains":{}})", StatusCode::kUnsupported, "contains");
  ExpectError(R"({"type":"array","minItems":1000000000})", StatusCode::kUsage, "nodes");
}

TEST(GrammarSchemaTest, Objects) {
  Expect({
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},
           "required":["a"]})",
       {"{\"a\":1}", "{\"a\": 1, \"b\": \"x\"}", "{\n  \"a\": 1\n}"},
       {"{}", "{\"b\":\"x\"}", "{\"b\":\"x\",\"a\":1}", "{\"a\":1,\"c\":2}", "{\"a\":1,}",
        "{\"a\":1,\"a\":1}"}},
      {R"({"type":"object"})", {"{}", "{\"x\":{\"y\":[]}}"}, {"[]"}},
      {R"({"type":"object","additionalProperties":false})", {"{}"}, {"{\"a\":1}"}},
      {R"({"type":"object","additionalProperties":{"type":"null"}})",
       {"{}", "{\"a\":null,\"b\":null}"},
       {"{\"a\":1}"}},
      {R"({"type":"object","properties":{"ab":{"type":"integer"}},"additionalProperties":true})",
       {"{\"ab\":1}", "{\"a\":null}", "{\"abc\":null}", "{\"\":0}", "{\"ab\":1,\"x\":\"y\"}",
        "{\"b\\\"\":1}"},
       {"{\"ab\":null}", "{\"x\":1,\"ab\":null}", "{\"\\u0061b\":null}"}},
      {R"({"type":"object","required":["a"],"additionalProperties":{"type":"integer"}})",
       {"{\"a\":1}", "{\"a\":1,\"b\":2}"},
       {"{}", "{\"a\":null}", "{\"b\":1}"}},
      {R"({"type":"object","required":["a"]})", {"{\"a\":[]}"}, {"{}"}},
      {R"({"type":"object","properties":{"a":false,"b":{"const":1}}})",
       {"{}", "{\"b\":1}"},
       {"{\"a\":1}"}},
      {R"({"type":"object","properties":{"a":{"const":1},"b":{"const":1},"c":{"const":1}},
           "minProperties":2,"maxProperties":2})",
       {"{\"a\":1,\"b\":1}", "{\"a\":1,\"c\":1}", "{\"b\":1,\"c\":1}"},
       {"{}", "{\"a\":1}", "{\"a\":1,\"b\":1,\"c\":1}"}},
      {R"({"type":"object","additionalProperties":{"const":1},"minProperties":1,"maxProperties":2})",
       {"{\"a\":1}", "{\"a\":1,\"b\":1}"},
       {"{}", "{\"a\":1,\"b\":1,\"c\":1}"}},
      {R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"required":["a","b","c"],
           "minProperties":3})",
       {"{\"a\":1,\"b\":1,\"c\":1}"},
       {"{\"a\":1,\"b\":1}"}},
      {R"({"type":"object","patternProperties":{"^x-":{"type":"integer"}}})",
       {"{}", "{\"x-a\":1,\"x-b\":2}"},
       {"{\"y\":1}", "{\"x-a\":null}"}},
      {R"({"type":"object","properties":{"a\"\n":{"const":1}}})",
       {"{\"a\\\"\\n\":1}"},
       {"{\"a\":1}"}},
  });
  ExpectError(R"({"type":"object","required":["a"],"additionalProperties":false})",
              StatusCode::kUsage, "no text");
  ExpectError(R"({"type":"object","minProperties":2})", StatusCode::kUnsupported, "minProperties");
  for (const char* keyword :
       {R"("propertyNames":{})", R"("dependentRequired":{})", R"("unevaluatedProperties":false)",
        R"("not":{})", R"("if":{},"then":false)", R"("patternProperties":{"a":{},"b":{}})",
        R"("properties":{"a":{}},"patternProperties":{"b":{}})"}) {
    ExpectError(fmt::format(R"({{"type":"object",{}}})", keyword), StatusCode::kUnsupported,
                "cannot be enforced");
  }
}

TEST(GrammarSchemaTest, Combinations) {
  Expect({
      {R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", {"\"x\"", "1"}, {"null", "1.5"}},
      {R"({"type":"integer","anyOf":[{"minimum":5},{"maximum":-5}]})", {"5", "-5"}, {"0", "\"x\""}},
      {R"({"anyOf":[{"const":1},{"const":2}],"oneOf":[{"const":2},{"const":3}]})",
       {"2"},
       {"1", "3"}},
      {R"({"oneOf":[{"type":"string"},{"type":"null"}]})", {"\"x\"", "null"}, {"1"}},
      {R"({"oneOf":[{"type":"object","properties":{"t":{"const":"a"}},"required":["t"]},
                    {"type":"object","properties":{"t":{"enum":["b","c"]}},"required":["t"]}]})",
       {"{\"t\":\"a\"}", "{\"t\":\"c\"}"},
       {"{}", "{\"t\":\"d\"}"}},
      {R"({"oneOf":[{"type":"integer","maximum":4},{"type":"integer","minimum":5}]})",
       {"4", "5"},
       {}},
      {R"({"oneOf":[{"type":"object","properties":{"a":{}},"required":["a"],
                     "additionalProperties":false},
                    {"type":"object","properties":{"b":{}},"required":["b"],
                     "additionalProperties":false}]})",
       {"{\"a\":1}", "{\"b\":1}"},
       {"{\"a\":1,\"b\":1}"}},
      {R"({"allOf":[{"type":"object","properties":{"a":{"minimum":3}},"required":["a"]},
                    {"properties":{"a":{"type":"integer"},"b":{"const":1}}}]})",
       {"{\"a\":3}", "{\"a\":4,\"b\":1}"},
       {"{\"a\":2}", "{\"b\":1}", "{\"a\":3.5}"}},
      {R"({"allOf":[{"properties":{"a":{}}},{"type":"object","additionalProperties":false,
                     "properties":{"b":{}}}]})",
       {"{}", "{\"b\":1}"},
       {"{\"a\":1}"}},
  });
  ExpectError(R"({"oneOf":[{"type":"integer"},{"minimum":2}]})", StatusCode::kUnsupported, "oneOf");
  ExpectError(R"({"oneOf":[{"const":1},{"const":1.0}]})", StatusCode::kUnsupported, "oneOf");
  ExpectError(R"({"oneOf":[{"type":"number","maximum":5},{"type":"number","minimum":5}]})",
              StatusCode::kUnsupported, "oneOf");
  ExpectError(R"({"anyOf":[]})", StatusCode::kUsage, "anyOf");
  ExpectError(R"({"allOf":[{"type":"string"},{"type":"integer"}]})", StatusCode::kUsage, "no text");
}

TEST(GrammarSchemaTest, References) {
  Expect({
      {R"({"$defs":{"n":{"type":"integer"}},"type":"array","items":{"$ref":"#/$defs/n"}})",
       {"[1,2]"},
       {"[\"a\"]"}},
      {R"({"definitions":{"a/b~":{"const":1}},"$ref":"#/definitions/a~1b~0"})", {"1"}, {"2"}},
      {R"({"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},
           "required":["next"]})",
       {"{\"next\":null}", "{\"next\":{\"next\":{\"next\":null}}}"},
       {"{}", "{\"next\":{}}"}},
      {R"({"$defs":{"t":{"type":"array","items":{"$ref":"#/$defs/t"}}},"$ref":"#/$defs/t"})",
       {"[]", "[[],[[]]]"},
       {"[1]"}},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"minimum":2,"type":"integer"}},"maximum":3})",
       {"2", "3"},
       {"1", "4"}},
      {R"({"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"const":1}}})",
       {"1"},
       {}},
  });
  ExpectError(R"({"$ref":"#"})", StatusCode::kUsage, "itself");
  ExpectError(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})",
              StatusCode::kUsage, "itself");
  ExpectError(R"({"anyOf":[{"$ref":"#"},{"const":1}]})", StatusCode::kUsage, "itself");
  ExpectError(R"({"$ref":"#/$defs/none"})", StatusCode::kUsage, "nowhere");
  ExpectError(R"({"$ref":"https://example.org/x"})", StatusCode::kUnsupported, "$ref");
  ExpectError(R"({"$ref":"#name"})", StatusCode::kUnsupported, "$ref");
  ExpectError(R"({"properties":{"a":{"$id":"http://x/"}}})", StatusCode::kUnsupported, "$id");
  ExpectError(R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})",
              StatusCode::kUsage, "no text");
}

TEST(GrammarSchemaTest, Malformed) {
  for (const char* schema : {"",
                             "{",
                             "1",
                             "\"x\"",
                             "null",
                             "[]",
                             R"({"type":"strng"})",
                             R"({"type":1})",
                             R"({"enum":1})",
                             R"({"properties":[]})",
                             R"({"required":"a"})",
                             R"({"required":[1]})",
                             R"({"items":1})",
                             R"({"additionalProperties":1})",
                             R"({"pattern":1})",
                             R"({"allOf":{}})",
                             R"({"type":"integer","type":"string"})",
                             R"({"maxItems":1.5})",
                             R"({"uniqueItems":1})",
                             R"({"$ref":1})",
                             R"({"prefixItems":{}})"}) {
    ExpectError(schema, StatusCode::kUsage, "schema");
  }
}

TEST(GrammarSchemaTest, HostileSchemasEndAtOnce) {
  ExpectError(Times(1000000, "["), StatusCode::kUsage, "");
  ExpectError(Times(100000, "{\"items\":") + "{}" + Times(100000, "}"), StatusCode::kUsage, "");
  ExpectError("{\"enum\":[" + Times(200000, "1,") + "1]}", StatusCode::kUsage, "values");
  ExpectError(R"({"type":"string","minLength":1000000000})", StatusCode::kUsage, "nodes");
  ExpectError(R"({"type":"string","pattern":"^(a{1000}){1000}$"})", StatusCode::kUsage, "nodes");
  std::string doubling = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 40; ++i) {
    doubling += fmt::format(
        R"("d{}":{{"anyOf":[{{"$ref":"#/$defs/d{}"}},{{"allOf":[{{"$ref":"#/$defs/d{}"}},)"
        R"({{"title":"{}"}}]}}]}},)",
        i, i + 1, i + 1, i);
  }
  const auto grammar = CompileJsonSchema(doubling + R"("d40":{"type":"null"}}})");
  if (!grammar.ok()) {
    EXPECT_EQ(grammar.status().code(), StatusCode::kUsage);
  }
  std::string chain = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 5000; ++i) {
    chain += fmt::format(R"("d{}":{{"$ref":"#/$defs/d{}"}},)", i, i + 1);
  }
  ExpectError(chain + R"("d5000":{"type":"null"}}})", StatusCode::kUsage, "references");
  std::string nested = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 5000; ++i) {
    nested +=
        fmt::format(R"("d{}":{{"type":"array","items":{{"$ref":"#/$defs/d{}"}}}},)", i, i + 1);
  }
  Expect({{(nested + R"("d5000":{"type":"null"}}})").c_str(), {"[]", "[[[[]]]]"}, {"[null]"}}});
  // Many alternatives at once: every one of them is a place in the text.
  std::string wide = R"({"enum":[)";
  for (int i = 0; i < 20000; ++i) wide += fmt::format("\"value {}\",", i);
  Expect(
      {{(wide + "null]}").c_str(), {"\"value 19999\"", "null"}, {"\"value 20000\"", "\"value\""}}});
}

}  // namespace
}  // namespace tutti::text
