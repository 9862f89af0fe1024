#include "tutti/text/answer_parts.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <utility>

namespace tutti::text {
namespace {

// Parts as one line: text, (reasoning), f{"a":1}; neighbours of one kind are one. A call without an
// end shows.
std::string Shown(const std::vector<AnswerPart>& parts) {
  std::vector<AnswerPart> merged;
  for (const AnswerPart& part : parts) {
    const bool same = !merged.empty() && merged.back().kind == part.kind;
    if (same && part.kind != PartKind::kToolCall) {
      merged.back().text += part.text;
    } else {
      merged.push_back(part);
    }
  }
  std::string out;
  std::string id;
  for (const AnswerPart& part : merged) {
    const bool of_call = part.kind == PartKind::kArguments || part.kind == PartKind::kCallEnd;
    if (!out.empty() && !of_call) out += '~';
    if (part.kind == PartKind::kReasoning) {
      out += "(" + part.text + ")";
    } else {
      out += part.text;
    }
    if (part.kind == PartKind::kToolCall) id = part.id.empty() ? "!" : "!#" + part.id;
    if (part.kind == PartKind::kCallEnd) out += std::exchange(id, "no call").substr(1);
  }
  return id.starts_with('!') ? out + " without an end" : out;
}

AnswerPartsOptions Tools() {
  AnswerPartsOptions options;
  options.tools = {{"f", R"({"properties":{"s":{"type":"string"},"n":{"type":["integer","null"]},)"
                         R"("l":{"type":"array"}}})"},
                   {"g", ""}};
  return options;
}

// Split at every `step` bytes; checks that no byte was lost.
std::string Split(std::string_view format, std::string_view answer, AnswerPartsOptions options,
                  size_t step) {
  const auto parts = MakeAnswerParts(AnswerFormatOf(format), std::move(options));
  std::vector<AnswerPart> all;
  const auto add = [&](std::vector<AnswerPart> more) {
    for (AnswerPart& part : more) all.push_back(std::move(part));
  };
  for (size_t at = 0; at < answer.size(); at += step) add(parts->Push(answer.substr(at, step)));
  add(parts->Finish());
  size_t bytes = parts->dropped_bytes();
  for (const AnswerPart& part : all) {
    if (part.kind <= PartKind::kReasoning) bytes += part.text.size();
  }
  EXPECT_EQ(bytes, answer.size()) << answer;
  return Shown(all);
}

void Expect(std::string_view format, std::string_view answer, std::string_view expected,
            const AnswerPartsOptions& options = Tools()) {
  for (const size_t step : {answer.size() + 1, size_t{1}, size_t{2}, size_t{3}, size_t{7}}) {
    EXPECT_EQ(Split(format, answer, options, step), expected) << answer << " by " << step;
  }
}

constexpr std::string_view kQwen = "<tool_call></tool_call><think></think>";

TEST(AnswerParts, Hermes) {
  Expect(kQwen, "hello", "hello");
  Expect(kQwen, "", "");
  Expect(kQwen, "a <b> c\n", "a <b> c\n");
  Expect(kQwen, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, \"x\"]}}\n</tool_call>",
         R"(f{"a":[1,"x"]})");
  Expect(kQwen,
         "<think>\nhm <tool_call>\n</think>\n\nOn it.\n<tool_call>{\"name\":\"f\"}</tool_call>\n"
         "<tool_call>{\"name\":\"g\",\"arguments\":\"{\\\"a\\\":0.5}\"}</tool_call>\n done",
         R"((hm <tool_call>)~On it.~f{}~g{"a":0.5}~done)");
  // Cut off by a limit, but whole.
  Expect(kQwen, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}", "f{}");
  // The marker inside of an argument.
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{"s":"</tool_call>"}}</tool_call>)",
         R"(f{"s":"</tool_call>"})");
}

TEST(AnswerParts, WhatIsNoCallIsText) {
  for (const std::string_view text :
       {"<tool_call>", "<tool_call>{", "<tool_call>{}</tool_call>",
        "<tool_call>{\"name\":3}</tool_call> x", "<tool_call>{\"name\":\"f\",\"arguments\":7}",
        "<tool_call></tool_call>", "<tool_call>a b</tool_call>", "x <tool_ca",
        "<tool_call>{\"name\":\"f\",\"arguments\":{oops}}</tool_call>",
        "<tool_call>{\"name\":\"f\",\"arguments\":{ ",
        "<tool_call>{\"name\":\"f\",\"x\":\"</tool_call> and no more"}) {
    Expect(kQwen, text, text);
  }
  // The next one is found.
  Expect(kQwen, "<tool_call>{oops</tool_call><tool_call>{\"name\":\"f\"}</tool_call>",
         "<tool_call>{oops</tool_call>~f{}");
  // Without tools nothing is a call.
  Expect(kQwen, "<tool_call>{\"name\":\"f\"}</tool_call>",
         "<tool_call>{\"name\":\"f\"}</tool_call>", {});
}

TEST(AnswerParts, ReasoningOfAllKinds) {
  Expect(kQwen, "<think></think>\n\na", "a");
  Expect(kQwen, "\n<think>\nab\n", "(ab)");
  // Not at the beginning: text about tags.
  Expect(kQwen, "Use <think>, please</think>", "Use <think>, please</think>");
  AnswerPartsOptions options;
  options.in_reasoning = true;
  Expect(kQwen, "\nab</thin</think>c", "(ab</thin)~c", options);
  options = {};
  options.reasoning = false;
  Expect(kQwen, "<think>a</think>b", "<think>a</think>b", options);
  Expect("[THINK]", "[THINK]a[/THINK]b", "(a)~b");
  Expect("<seed:think>", "<seed:think>a</seed:think>b", "(a)~b");
  Expect("<|START_THINKING|>",
         "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b"
         "<|END_RESPONSE|>",
         "(a)~b");
  EXPECT_TRUE(PromptOpensReasoning(ReasoningMarksOf(kQwen), "<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(PromptOpensReasoning(ReasoningMarksOf(kQwen), "<think>\n\n</think>\n\n"));
  EXPECT_FALSE(PromptOpensReasoning(ReasoningMarksOf("plain"), "<think>"));
}

TEST(AnswerParts, FunctionsAndParameters) {
  Expect(kQwen,
         "<tool_call>\n<function=f>\n<parameter=s>\n12\n</parameter>\n<parameter=n>\nNone\n"
         "</parameter>\n<parameter=l>\n[1, 2]\n</parameter>\n<parameter=x>\nfree text\n"
         "</parameter>\n</function>\n</tool_call>",
         R"(f{"s":"12","n":null,"l":[1,2],"x":"free text"})");
  Expect("<seed:tool_call>",
         "<seed:tool_call>\n<function=g>\n<parameter=a>True</parameter>\n</function>\n"
         "</seed:tool_call>",
         R"(g{"a":true})");
  Expect(kQwen, "<tool_call>f\n<arg_key>s</arg_key>\n<arg_value>1\n2</arg_value>\n</tool_call>",
         R"(f{"s":"1\n2"})");
  Expect(kQwen, "<tool_call>g</tool_call>", "g{}");
  Expect("<function=example_function_name>", "<function=f>{\"s\": \"a\"}</function><function=g>{}",
         R"(f{"s":"a"}~g{})");
  Expect(
      "<minimax:tool_call>",
      "<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"n\">5</parameter>\n</invoke>\n"
      "<invoke name=\"g\">\n</invoke>\n</minimax:tool_call>",
      R"(f{"n":5}~g{})");
  Expect(
      "｜DSML｜",
      "ok\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"x\" "
      "string=\"true\">5</｜DSML｜parameter>\n<｜DSML｜parameter name=\"y\" string=\"false\">[5]"
      "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
      R"(ok~f{"x":"5","y":[5]})");
}

TEST(AnswerParts, OtherFamilies) {
  Expect("<｜tool▁calls▁begin｜>",
         "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜>"
         "<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{\"b\": "
         "\"}\"}\n```<｜tool▁call▁end｜>"
         "<｜tool▁calls▁end｜>",
         R"(f{"a":1}~g{"b":"}"})");
  Expect("<|tool_calls_section_begin|>",
         "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>"
         "{\"a\": 1}<|tool_call_end|><|tool_calls_section_end|>",
         R"(f{"a":1}#functions.f:0)");
  Expect("[TOOL_CALLS]", "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}, \"id\": \"abc\"}]",
         "f{}#abc");
  Expect("[TOOL_CALLS]", "hi[TOOL_CALLS]f[CALL_ID]x1[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{}",
         R"(hi~f{"a":1}#x1~g{})");
  Expect(
      "<|START_ACTION|>",
      "<|START_ACTION|>[\n {\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": {}}\n]"
      "<|END_ACTION|>",
      "f{}#0");
  Expect("<|tools_prefix|>", "<|tools_prefix|>[{\"f\": {\"a\": 1}}, {\"g\": {}}]<|tools_suffix|>",
         R"(f{"a":1}~g{})");
  Expect("<tool_calls>",
         "<tool_calls>\n<tool_call>f\n```json\n{\"a\":1}\n```\n</tool_call>\n</tool_calls>",
         R"(f{"a":1})");
  Expect("<|tool_call|>", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]", "f{}");
  Expect("<|tool_call>", "<|tool_call>call:f{s:<|\"|>a}b<|\"|>,n:None,l:[1,{k:true}]}<tool_call|>",
         R"(f{"s":"a}b","n":null,"l":[1,{"k":true}]})");
}

// Names and ids come as they are meant, whether the call is read at once or while it is written.
TEST(AnswerParts, EscapesInNames) {
  AnswerPartsOptions options;
  options.tools = {{"mcp/read", ""}, {"get", ""}};
  for (const std::string_view format : {kQwen, std::string_view("<tool_call>")}) {
    Expect(format, R"(<tool_call>{"name":"mcp\/read","arguments":{"a":1}}</tool_call>)",
           R"(mcp/read{"a":1})", options);
    Expect(format, R"(<tool_call>{"arguments":{"a":1},"name":"mcp\/read"}</tool_call>)",
           R"(mcp/read{"a":1})", options);
  }
  Expect("[TOOL_CALLS]", R"([TOOL_CALLS][{"name":"g\u0065t","arguments":{},"id":"a\/b"}])",
         "get{}#a/b", options);
}

TEST(AnswerParts, CallsInPython) {
  constexpr std::string_view kLfm = "List of tools: [";
  Expect(kLfm,
         "<|tool_call_start|>[f(s=\"it's\", n=None, l=[1, -2.5, {'a': True}]), g()]"
         "<|tool_call_end|>On it.",
         R"(f{"s":"it's","n":null,"l":[1,-2.5,{"a":true}]}~g{}~On it.)");
  Expect(kLfm, R"(<|tool_call_start|>[g(s='a\'b\n\u00e9\d"', t="(,)]")]<|tool_call_end|>)",
         R"(g{"s":"a'b\né\\d\"","t":"(,)]"})");
  Expect(kLfm, R"(<|tool_call_start|>[{"name": "f", "arguments": {"n": 1}}]<|tool_call_end|>)",
         R"(f{"n":1})");
  for (const std::string_view text : {"<|tool_call_start|>[f(1)]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(a=b)]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(a='x)]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(a=1]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(a=1) g()]<|tool_call_end|>",
                                      "<|tool_call_start|>[]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(a={1: 2})]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(1,a=2)]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(a=1,a=2)]<|tool_call_end|>",
                                      "<|tool_call_start|>[f(1a=1)]<|tool_call_end|>",
                                      "<|tool_call_start|>[x=f(a=1)]<|tool_call_end|>",
                                      "<|tool_call_start|>[1(a=1)]<|tool_call_end|>"}) {
    Expect(kLfm, text, text);
  }
  AnswerPartsOptions options;
  options.tools = {{"mcp/a.b-c", ""}};
  Expect(kLfm, "<|tool_call_start|>[mcp/a.b-c(a_1=1, _b=2)]<|tool_call_end|>",
         R"(mcp/a.b-c{"a_1":1,"_b":2})", options);
}

TEST(AnswerParts, CallsWithoutMarkersAreOfKnownToolsOnly) {
  constexpr std::string_view kLlama = "\"parameters\": dictionary of argument name <|python_tag|>";
  Expect(kLlama, R"({"name": "f", "parameters": {"a": 1}}; {"name":"g"})", R"(f{"a":1}~g{})");
  Expect(kLlama, R"(<|python_tag|>{"name": "f", "parameters": {}})", "f{}");
  Expect(kLlama, R"({"name": "nobody", "parameters": {}})",
         R"({"name": "nobody", "parameters": {}})");
  Expect(kLlama, R"({"answer": 42})", R"({"answer": 42})");
  Expect(kLlama, "{ not JSON", "{ not JSON");
  Expect(kLlama, "see {\"name\":\"f\"}", "see {\"name\":\"f\"}");
}

TEST(AnswerParts, CallsAreOfDeclaredTools) {
  for (const auto& [format, answer] : std::vector<std::pair<std::string_view, std::string_view>>{
           {kQwen, R"(<tool_call>{"name":"nobody","arguments":{}}</tool_call>)"},
           {kQwen, R"(<tool_call>{"arguments":{},"name":"nobody"}</tool_call>)"},
           {kQwen, "<tool_call>nobody</tool_call>"},
           {kQwen, "<tool_call><function=nobody></function></tool_call>"},
           {"<minimax:tool_call>",
            "<minimax:tool_call><invoke name=\"nobody\"></invoke></minimax:tool_call>"},
           {"<|tool_calls_section_begin|>",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.nobody:0"
            "<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>"},
           {"[TOOL_CALLS]", "[TOOL_CALLS]nobody[ARGS]{\"a\": 1}"},
           {"<function=example_function_name>", "<function=nobody>{\"s\": 1}</function>"},
           {"List of tools: [", "<|tool_call_start|>[nobody(a=1)]<|tool_call_end|>"},
           {"<|channel|><|message|>", "<|channel|>commentary to=functions.nobody<|message|>{}"},
           {"<|channel|><|message|>", "<|channel|>analysis to=nobody<|message|>oops"}}) {
    Expect(format, answer, answer);
  }
  // Behind one that is.
  Expect(kQwen,
         "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>"
         "<tool_call>{\"name\":\"nobody\",\"arguments\":{}}</tool_call>",
         R"(f{}~<tool_call>{"name":"nobody","arguments":{}}</tool_call>)");
  Expect(kQwen, R"(<tool_call>{"name":"f"}{"name":"nobody","arguments":{}}</tool_call>)",
         R"(f{}~{"name":"nobody","arguments":{}})");
}

// The parts of each byte: everything that is certain comes at once, and stays.
TEST(AnswerParts, ArgumentsComeWhileTheyAreWritten) {
  struct Family {
    std::string_view format;
    std::string_view before;  // the last byte makes the call certain
    std::string_view after;
  };
  for (const Family& family : std::vector<Family>{
           {kQwen, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"", "}\n</tool_call>"},
           {"<|tools_prefix|>", "<|tools_prefix|>[{\"f\": {\"", "}]<|tools_suffix|>"},
           {"<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"",
            "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
           {"<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"",
            "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
           {"<|tool_calls_section_begin|>",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_"
            "begin|>{\"",
            "<|tool_call_end|><|tool_calls_section_end|>"},
           {"[TOOL_CALLS]", "[TOOL_CALLS]f[ARGS]{\"", ""},
           {"<tool_calls>", "<tool_calls>\n<tool_call>f\n```json\n{\"",
            "\n```\n</tool_call>\n</tool_calls>"},
           {"<function=example_function_name>", "<function=f>{\"", "</function>"},
           {"\"parameters\": dictionary of argument name", "{\"name\": \"f\", \"parameters\": {\"",
            "}"},
           {"<|channel|><|message|>", "<|channel|>commentary to=functions.f<|message|>{\"",
            "<|call|>"}}) {
    const auto parts = MakeAnswerParts(AnswerFormatOf(family.format), Tools());
    std::vector<AnswerPart> all = parts->Push(family.before.substr(0, family.before.size() - 1));
    EXPECT_TRUE(all.empty()) << family.before << Shown(all);
    all = parts->Push(family.before.substr(family.before.size() - 1));
    std::string arguments;
    for (const AnswerPart& part : all)
      arguments += part.kind == PartKind::kArguments ? part.text : "";
    ASSERT_FALSE(all.empty()) << family.before;
    EXPECT_EQ(all.front().kind, PartKind::kToolCall) << family.before;
    EXPECT_EQ(arguments, "{\"") << family.before;
    for (const char* byte : {"s", "\"", ":", " ", "\"", "a", " ", "}", "\"", "}"}) {
      for (AnswerPart& part : parts->Push(byte)) {
        if (part.kind == PartKind::kArguments) arguments += part.text;
        all.push_back(std::move(part));
      }
    }
    EXPECT_EQ(arguments, "{\"s\":\"a }\"}") << family.before;
    for (AnswerPart& part : parts->Push(family.after)) all.push_back(std::move(part));
    for (AnswerPart& part : parts->Finish()) all.push_back(std::move(part));
    EXPECT_TRUE(Shown(all).starts_with("f{\"s\":\"a }\"}")) << family.before << Shown(all);
    EXPECT_EQ(Shown(all).find('~'), std::string::npos) << family.before << Shown(all);
  }
}

TEST(AnswerParts, WhatBeganAsACallStaysOne) {
  // Cut off, inside of a text and of a number; one bracket too few or too many.
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{"s":"</tool_call> and)",
         R"(f{"s":"</tool_call> and)");
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{"n": 1)", R"(f{"n":1)");
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{"n":1}</tool_call>x)", R"(f{"n":1}~x)");
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{"n":1</tool_call>x)", R"(f{"n":1~x)");
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{"n":1}}} </tool_call>x)", R"(f{"n":1}~x)");
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{"n":1}}</tool_)", R"(f{"n":1})");
  // White space goes only where it means nothing; line ends in texts become JSON.
  Expect(kQwen,
         "<tool_call>{\"name\":\"f\",\"arguments\":{ \"s\" :\t\"a  \n\\\" b\", \"l\": [1 2 , "
         "true] } }</tool_call>",
         R"(f{"s":"a  \n\" b","l":[1 2,true]})");
  // What follows and is no call is text; what is one is one.
  Expect(kQwen, R"(<tool_call>{"name":"f","arguments":{}} so it is</tool_call> x)",
         "f{}~so it isx");
  Expect(kQwen,
         R"(<tool_call>[{"name":"f","arguments":{}}, {"arguments":{"a":1},"name":"g"},)"
         R"({"id":"7","name":"g","arguments":{"b":2},"more":[{}]}]</tool_call>)",
         R"(f{}~g{"a":1}~g{"b":2}#7)");
  Expect("[TOOL_CALLS]", R"([TOOL_CALLS]f[ARGS]{"a":1} and so on)", R"(f{"a":1}~and so on)");
}

TEST(AnswerParts, Harmony) {
  constexpr std::string_view kOss = "<|channel|><|message|>";
  Expect(kOss,
         "<|channel|>analysis<|message|>hm\n<|end|><|start|>assistant<|channel|>commentary "
         "to=functions.f <|constrain|>json<|message|>{\"a\": 1}",
         "(hm\n)~f{\"a\":1}");
  Expect(kOss,
         "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>hi "
         "<|there|>",
         "(hm)~hi <|there|>");
  Expect(kOss,
         "<|channel|>commentary<|message|>Let me see.<|end|><|start|>assistant "
         "to=functions.g<|channel|>commentary json<|message|>{}<|call|>",
         "Let me see.~g{}");
  Expect(kOss, " to=functions.g<|channel|>commentary json<|message|>", "g{}");
  Expect(kOss, "plain", "plain");
  Expect(kOss, "<|channel|>final", "<|channel|>final");
  Expect(kOss, "<|channel|>commentary to=functions.f<|message|>{oops",
         "<|channel|>commentary to=functions.f<|message|>{oops");
}

TEST(AnswerParts, AForcedAnswerIsOneCall) {
  AnswerPartsOptions options = Tools();
  options.only_calls = true;
  Expect(kQwen, R"({"name":"f","arguments":{"s":"x"}})", R"(f{"s":"x"})", options);
  Expect("<|channel|><|message|>", R"({"name":"g","arguments":{}})", "g{}", options);
  EXPECT_EQ(
      CallSchema(options.tools, "g").value(),
      R"({"anyOf":[{"type":"object","properties":{"name":{"const":"g"},"arguments":)"
      R"({"type":"object"}},"required":["name","arguments"],"additionalProperties":false}]})");
  const ToolSchema tool = {"h", R"({"$defs":{"x":{}},"properties":{"a":{"$ref":"#/$defs/x"}}})"};
  EXPECT_NE(
      CallSchema({&tool, 1}, "")->find(R"({"$ref":"#/anyOf/0/properties/arguments/$defs/x"})"),
      std::string::npos);
}

TEST(AnswerParts, ControlTokensThatAreMarkers) {
  const AnswerFormat format = AnswerFormatOf("<|tool_calls_section_begin|><think>");
  EXPECT_TRUE(format.Knows("<|tool_call_argument_begin|>"));
  EXPECT_TRUE(format.Knows("<|tool_calls_section_end|>"));
  EXPECT_TRUE(format.Knows("</think>"));
  EXPECT_FALSE(format.Knows("<|im_start|>"));
  EXPECT_FALSE(format.Knows(""));
  EXPECT_FALSE(AnswerFormatOf("plain").Knows("<|im_end|>"));
}

// Time must not grow with the square of the length: this would take minutes then.
TEST(AnswerParts, LongAnswersOfMarkers) {
  std::string text;
  for (int i = 0; i < 40000; ++i) text += "<tool_call>{\"</tool_call> \n<|START_TEXT|><think>";
  for (const size_t step : {text.size(), size_t{64}}) Split(kQwen, text, Tools(), step);
  const std::string spaces(400000, '\n');
  EXPECT_EQ(Split(kQwen, spaces, Tools(), 1), spaces);
  Split("<|channel|><|message|>", text + "<|channel|>" + spaces + "<|message|>", Tools(), 64);
  Split("<|channel|><|message|>", "<|channel|> to=functions.f <|message|>{" + spaces, Tools(), 1);
  Split(kQwen, R"(<tool_call>{"name":"f","arguments":{)" + spaces + "\"", Tools(), 1);
}

}  // namespace
}  // namespace tutti::text
