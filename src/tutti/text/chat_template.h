// Chat templates: Jinja as the model publishers use it, in a sandbox with budgets.
//
// Immutable after Parse; any thread may render. A template can loop, recurse and build strings only
// within `TemplateBudget`; whatever it does, rendering ends with text or with a Status
// (docs/formats/chat_templates.md).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"

namespace tutti::text {

// What one rendering may take. The first four are for a conversation of no length, chosen so that
// the worst template ends within some 20 ms; each byte of the variables adds to them, so that long
// conversations render (some templates look at all messages for every message). Reaching a limit is
// kResource. Parsing a source has the same limits without the additions.
struct TemplateBudget {
  uint64_t steps = 400'000;  // evaluated nodes, and 32 bytes looked at
  uint32_t depth = 400;      // nested blocks and brackets, calls and values
  uint64_t output_bytes = 16u << 20;
  uint64_t memory_bytes = 32u << 20;  // all values ever made while rendering
  uint64_t steps_per_byte = 32;       // of the variables
  uint64_t output_per_byte = 4;
  uint64_t memory_per_byte = 64;
};

// A stretch of rendered text and where it came from. Only template text may contain control tokens;
// what users wrote is encoded without them. Segments are marks on one text: the tokenizer must
// treat neighbours as joined.
struct RenderedSegment {
  std::string text;
  bool from_template = true;
};

struct RenderResult {
  std::vector<RenderedSegment> segments;  // neighbours differ in their origin; none is empty
  std::string Text() const;
};

class ChatTemplate {
 public:
  // kData with line and column where the source is not a template.
  static Result<ChatTemplate> Parse(std::string_view source, const TemplateBudget& budget = {});
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // `variables_json` is a JSON object: messages, tools, add_generation_prompt, ... Key order is
  // kept. `now` ("2026-01-15T12:34:56", local time) is what strftime_now sees.
  //
  // Errors: kData for bad JSON, for what Jinja refuses (with line and column) and for the
  // template's own raise_exception (see RaisedMessage); kResource where a budget is spent.
  Result<RenderResult> Render(std::string_view variables_json, std::string_view now) const;

 private:
  struct Parsed;
  explicit ChatTemplate(std::unique_ptr<Parsed> parsed);
  std::unique_ptr<Parsed> parsed_;
};

// The message a template passed to raise_exception, if that is what the status reports.
inline constexpr std::string_view kRaisedPrefix = "the chat template refuses: ";
std::optional<std::string_view> RaisedMessage(const Status& status);

// bos_token, eos_token and the like: their text counts as the template's, because it is the
// model's. All other variables are the user's.
bool IsModelVariable(std::string_view name);

}  // namespace tutti::text
