// The text of an answer, told apart into text, reasoning and tool calls while it grows.
//
//   const AnswerFormat format = AnswerFormatOf(template_source);
//   auto parts = MakeAnswerParts(format, options);
//   for (piece of tokens) use(parts->Push(piece));
//   use(parts->Finish());
//
// Text and reasoning come as soon as no marker can begin in them. A call whose form has its
// arguments as JSON begins as soon as its name is known and they have begun; its arguments come
// while they are written, and it stays a call whatever follows: one that is cut off or malformed
// ends where it ends. All other calls come when they have parsed. What looks like a call and is
// none comes as text, markers included: nothing is lost but the markers themselves, white space
// beside them and, in arguments, between the parts of JSON. How the text was cut into pieces makes
// no difference to what comes out. Linear time, no regular expressions.
//
// The text must contain the markers that are control tokens of the vocabulary too (Knows tells
// which), but not the tokens that end the answer.
//
// Threads: one at a time. Errors: none.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/text/reasoning.h"
#include "tutti/text/tool_calls.h"

namespace tutti::text {

// A call is kToolCall, kArguments any number of times, kCallEnd, with nothing between.
enum class PartKind : uint8_t { kText, kReasoning, kToolCall, kArguments, kCallEnd };

struct AnswerPart {
  PartKind kind = PartKind::kText;
  std::string text = {};  // kToolCall: the function's name; kArguments: a piece of JSON
  std::string id = {};    // kToolCall, where the family writes one
};

// What a family's answers look like.
struct AnswerFormat {
  ReasoningMarks reasoning;
  std::vector<const CallSyntax*> calls;
  bool harmony = false;  // gpt-oss: channels instead of all of the above
  CallForm form;         // by which calls can be followed and forced

  // Whether a control token's text is a marker, or a part of one.
  bool Knows(std::string_view control) const;
};

AnswerFormat AnswerFormatOf(std::string_view template_source);

struct AnswerPartsOptions {
  bool reasoning = true;  // false: its markers are text
  // Functions that may be called; calls of others are text.
  std::vector<ToolSchema> tools = {};
  bool in_reasoning = false;  // the prompt ends inside of reasoning (PromptOpensReasoning)
  bool only_calls = false;    // a grammar forces the whole answer to obey CallSchema
};

// A call whose arguments have not begun. What follows, `text` first, is its object: the arguments
// of `name`, or, where that is empty, one with name and arguments.
struct CallStart {
  std::string name;
  std::string text;
};

class AnswerParts {
 public:
  virtual ~AnswerParts() = default;
  virtual std::vector<AnswerPart> Push(std::string_view text) = 0;
  // The answer has ended.
  virtual std::vector<AnswerPart> Finish() = 0;
  // Bytes that came out as neither text nor reasoning: of calls, markers and white space.
  virtual size_t dropped_bytes() const = 0;
  // Whether the text that comes next is reasoning, as far as one knows.
  virtual bool in_reasoning() const = 0;
  // The beginning of a call of the format's form, where what was pushed so far ends in one; each is
  // told once. Asked after each byte, it is told as early as it can be.
  virtual std::optional<CallStart> StartedCall() = 0;
};

std::unique_ptr<AnswerParts> MakeAnswerParts(const AnswerFormat& format,
                                             AnswerPartsOptions options);

}  // namespace tutti::text
