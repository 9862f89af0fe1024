// Any answer of any family, in any pieces: the same parts as whole, and no byte lost.
//
// The first byte chooses the family, the second the pieces, the third the options.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/base/json.h"
#include "tutti/text/answer_parts.h"

namespace {

using namespace tutti::text;

constexpr std::array<std::string_view, 18> kFamilies = {
    "<tool_call><think>",
    "<seed:tool_call><seed:think>",
    "<minimax:tool_call><think>",
    "｜DSML｜<think>",
    "<｜tool▁calls▁begin｜><think>",
    "<|tool_calls_section_begin|><think>",
    "[TOOL_CALLS][THINK]",
    "<|START_ACTION|><|START_THINKING|>",
    "<|tools_prefix|><|inner_prefix|>",
    "<tool_calls><think>",
    "<|tool_call|><tool_call>",
    "<|tool_call><|channel>thought",
    "functools<|function_call|>",
    "<function=example_function_name><|python_tag|>",
    "\"parameters\": dictionary of argument name<|python_tag|>",
    "<|channel|><|message|>",
    "[TOOL_CALLS][ARGS]",
    "List of tools: "};

std::vector<AnswerPart> Split(const AnswerFormat& format, const AnswerPartsOptions& options,
                              std::string_view text, size_t step) {
  const auto parts = MakeAnswerParts(format, options);
  std::vector<AnswerPart> merged;
  size_t bytes = 0;
  const auto add = [&](std::vector<AnswerPart> more) {
    for (AnswerPart& part : more) {
      if (part.kind <= PartKind::kReasoning) bytes += part.text.size();
      if (!merged.empty() && merged.back().kind == part.kind && part.kind != PartKind::kToolCall) {
        merged.back().text += part.text;
      } else {
        merged.push_back(std::move(part));
      }
    }
  };
  for (size_t at = 0; at < text.size(); at += step) {
    add(parts->Push(text.substr(at, step)));
    if (const auto start = parts->StartedCall()) {
      TUTTI_CHECK(start->text.size() <= at + step, "a call began before the answer");
    }
  }
  add(parts->Finish());
  TUTTI_CHECK(bytes + parts->dropped_bytes() == text.size(), "bytes were lost");
  return merged;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const AnswerFormat format = AnswerFormatOf(kFamilies[data[0] % kFamilies.size()]);
  AnswerPartsOptions options;
  options.reasoning = (data[2] & 1) == 0;
  options.in_reasoning = (data[2] & 2) != 0;
  options.only_calls = (data[2] & 12) == 12;
  if ((data[2] & 16) == 0) {
    options.tools = {{"f", R"({"properties":{"s":{"type":"string"},"n":{"type":"number"}}})"},
                     {"g", ""}};
  }
  const auto whole = Split(format, options, text, text.size() + 1);
  const auto pieces = Split(format, options, text, 1 + data[1] % 32);
  TUTTI_CHECK(whole.size() == pieces.size(), "pieces give other parts");
  for (size_t i = 0; i < whole.size(); ++i) {
    TUTTI_CHECK(whole[i].kind == pieces[i].kind && whole[i].text == pieces[i].text,
                "pieces give another part");
    TUTTI_CHECK(whole[i].id == pieces[i].id, "pieces give another id");
    if (whole[i].kind != PartKind::kToolCall) continue;
    TUTTI_CHECK(!whole[i].text.empty(), "a call without a name");
    TUTTI_CHECK(i + 2 < whole.size() && whole[i + 1].kind == PartKind::kArguments &&
                    whole[i + 2].kind == PartKind::kCallEnd,
                "a call without arguments or an end");
    TUTTI_CHECK(whole[i + 1].text.starts_with('{'), "arguments are no object");
  }
  return 0;
}
