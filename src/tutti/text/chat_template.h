// Chat templates: Jinja as the model publishers use it, in a sandbox with budgets.
//
// Immutable after Parse; any thread may render. A template can loop, recurse and build strings only
// within `Budget`; whatever it does, rendering ends with text or with a Status (docs/formats).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"

namespace tutti::text {

struct TemplateBudget {
  uint64_t steps = 5'000'000;           // evaluated nodes
  uint32_t depth = 200;                 // nested calls and expressions
  uint64_t output_bytes = 32u << 20;
  uint64_t memory_bytes = 256u << 20;   // values alive or ever made, whichever is simpler to bound
};

// A stretch of rendered text and where it came from. Only template text may contain control tokens;
// what users wrote is encoded without them.
struct RenderedSegment {
  std::string text;
  bool from_template = true;
};

struct RenderResult {
  std::vector<RenderedSegment> segments;
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
  Result<RenderResult> Render(std::string_view variables_json, std::string_view now) const;

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace tutti::text
