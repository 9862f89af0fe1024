// How a model marks its reasoning, by its chat template's source.
//
// Threads: any. Errors: none; a template without known markers has no reasoning.
#pragma once
#include <string_view>

namespace tutti::text {

struct ReasoningMarks {
  std::string_view open = {};  // empty: none
  std::string_view close = {};
};

ReasoningMarks ReasoningMarksOf(std::string_view template_source);

// Whether a rendered prompt ends inside of reasoning, so that the answer begins with it.
bool PromptOpensReasoning(const ReasoningMarks& marks, std::string_view prompt);

}  // namespace tutti::text
