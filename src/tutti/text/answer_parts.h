// The text of an answer, told apart into text, reasoning and tool calls while it grows.
//
//   const AnswerFormat format = AnswerFormatOf(template_source);
//   auto parts = MakeAnswerParts(format, options);
//   for (piece of tokens) use(parts->Push(piece));
//   use(parts->Finish());
//
// Text and reasoning come as soon as no marker can begin in them; a call comes whole, once it is
// known to be one. What looks like a call and is none comes as text, markers included: nothing is
// lost but the markers themselves and white space beside them. How the text was cut into pieces
// makes no difference to what comes out. Linear time, no regular expressions.
//
// The text must contain the markers that are control tokens of the vocabulary too (Knows tells
// which), but not the tokens that end the answer.
//
// Threads: one at a time. Errors: none.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/text/reasoning.h"
#include "tutti/text/tool_calls.h"

namespace tutti::text {

enum class PartKind : uint8_t { kText, kReasoning, kToolCall };

struct AnswerPart {
  PartKind kind = PartKind::kText;
  std::string text;  // of a call: as the model wrote it; empty for all but the first of a block
  ToolCall call;     // for kToolCall
};

// What a family's answers look like.
struct AnswerFormat {
  ReasoningMarks reasoning;
  std::vector<const CallSyntax*> calls;
  bool harmony = false;  // gpt-oss: channels instead of all of the above

  // Whether a control token's text is a marker, or a part of one.
  bool Knows(std::string_view control) const;
};

AnswerFormat AnswerFormatOf(std::string_view template_source);

struct AnswerPartsOptions {
  bool reasoning = true;  // false: its markers are text
  // Functions that may be called; none: calls are text.
  std::vector<ToolSchema> tools = {};
  bool in_reasoning = false;  // the prompt ends inside of reasoning (PromptOpensReasoning)
  bool only_calls = false;    // a grammar forces the whole answer to obey CallSchema
};

class AnswerParts {
 public:
  virtual ~AnswerParts() = default;
  virtual std::vector<AnswerPart> Push(std::string_view text) = 0;
  // The answer has ended.
  virtual std::vector<AnswerPart> Finish() = 0;
  // Bytes of markers and white space that came out as nothing.
  virtual size_t dropped_bytes() const = 0;
  // Whether the text that comes next is reasoning, as far as one knows.
  virtual bool in_reasoning() const = 0;
};

std::unique_ptr<AnswerParts> MakeAnswerParts(const AnswerFormat& format,
                                             AnswerPartsOptions options);

}  // namespace tutti::text
