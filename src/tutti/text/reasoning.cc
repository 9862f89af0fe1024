#include "tutti/text/reasoning.h"

#include <array>

namespace tutti::text {

ReasoningMarks ReasoningMarksOf(std::string_view template_source) {
  constexpr auto kMarks = std::to_array<ReasoningMarks>({
      {"<think>", "</think>"},
      {"<seed:think>", "</seed:think>"},
      {"[THINK]", "[/THINK]"},
      {"<|START_THINKING|>", "<|END_THINKING|>"},
      {"<|inner_prefix|>", "<|inner_suffix|>"},
      {"<|channel>thought", "<channel|>"},
  });
  for (const ReasoningMarks& marks : kMarks) {
    if (template_source.find(marks.open) != std::string_view::npos) return marks;
  }
  // Some templates only take reasoning out of old answers.
  if (template_source.find("</think>") != std::string_view::npos) return kMarks[0];
  return {};
}

bool PromptOpensReasoning(const ReasoningMarks& marks, std::string_view prompt) {
  if (marks.open.empty()) return false;
  const size_t end = prompt.find_last_not_of(" \t\r\n");
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(marks.open);
}

}  // namespace tutti::text
