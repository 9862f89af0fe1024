// Any template with any variables: ends with text or a Status, within small budgets.
//
// The input is the template, a zero byte, and the JSON of the variables (without one: a fixed
// conversation).
#include <cstdint>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = input.find('\0');
  const std::string_view source = input.substr(0, split);
  std::string_view variables =
      R"({"messages":[{"role":"user","content":"a<|b|> é\n"},{"role":"assistant","content":null}],)"
      R"("x":[1,-2.5,"s",true,null,{"k":[]}],"s":"Text ß","n":12345678901234567890,"bos_token":"<s>"})";
  if (split != std::string_view::npos) variables = input.substr(split + 1);
  tutti::text::TemplateBudget budget;
  budget.steps = 20000;
  budget.depth = 60;
  budget.output_bytes = 1 << 16;
  budget.memory_bytes = 1 << 20;
  budget.steps_per_byte = budget.output_per_byte = budget.memory_per_byte = 1;
  const auto chat = tutti::text::ChatTemplate::Parse(source, budget);
  if (!chat.ok()) return 0;
  const auto result = chat->Render(variables, "2026-01-15T12:34:56");
  if (!result.ok()) {
    TUTTI_CHECK(result.status().code() != tutti::StatusCode::kInternal, result.status().message());
    return 0;
  }
  for (size_t i = 0; i < result->segments.size(); ++i) {
    TUTTI_CHECK(!result->segments[i].text.empty(), "an empty segment");
    TUTTI_CHECK(
        i == 0 || result->segments[i].from_template != result->segments[i - 1].from_template,
        "neighbours of one origin");
  }
  return 0;
}
