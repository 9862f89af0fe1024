#include "tutti/text/chat_template.h"

#include <algorithm>
#include <array>

#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_json.h"
#include "tutti/text/jinja_parser.h"

namespace tutti::text {
namespace {

// Variables whose text is the model's, not the user's.
constexpr std::array<std::string_view, 7> kModelVariables = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

}  // namespace

bool IsModelVariable(std::string_view name) {
  return std::find(kModelVariables.begin(), kModelVariables.end(), name) != kModelVariables.end();
}

std::optional<std::string_view> RaisedMessage(const Status& status) {
  const std::string_view message = status.message();
  const size_t at = message.find(kRaisedPrefix);
  if (status.code() != StatusCode::kData || at == std::string_view::npos) return std::nullopt;
  return message.substr(at + kRaisedPrefix.size());
}

std::string RenderResult::Text() const {
  std::string text;
  for (const RenderedSegment& segment : segments) text += segment.text;
  return text;
}

struct ChatTemplate::Parsed {
  std::unique_ptr<jinja::Program> program;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::Parse(std::string_view source, const TemplateBudget& budget) {
  TUTTI_ASSIGN_OR_RETURN(auto program, jinja::ParseProgram(source, budget));
  auto parsed = std::make_unique<Parsed>();
  parsed->program = std::move(program);
  return ChatTemplate(std::move(parsed));
}

Result<RenderResult> ChatTemplate::Render(std::string_view variables_json,
                                          std::string_view now) const {
  const jinja::Program& program = *parsed_->program;
  // What the caller passes in is the caller's to bound; the budget is for what the template does
  // with it.
  TemplateBudget input_budget;
  input_budget.steps = variables_json.size() + 1000;
  input_budget.memory_bytes = 64 * (variables_json.size() + 1000);
  jinja::Heap variables_heap(input_budget);
  const jinja::Value variables = jinja::ParseJson(variables_heap, variables_json, false);
  if (variables.nothing()) return variables_heap.status().WithContext("template variables");
  if (!variables.Is(jinja::Kind::kDict)) {
    return DataError("template variables: a JSON object is needed, not {}",
                     jinja::TypeName(variables));
  }
  TemplateBudget budget = program.render_budget;
  budget.steps += budget.steps_per_byte * variables_json.size();
  budget.output_bytes += budget.output_per_byte * variables_json.size();
  budget.memory_bytes += budget.memory_per_byte * variables_json.size();
  jinja::Heap heap(budget);
  jinja::Interpreter interpreter(program, heap, now);
  for (const jinja::DictEntry& entry : variables.dict->view()) {
    const std::string_view name = entry.key.string->view();
    jinja::Value value = entry.value;
    if (IsModelVariable(name) && value.Is(jinja::Kind::kString)) {
      value = jinja::MakeString(heap, value.string->view(), true);
    }
    interpreter.SetVariable(name, value);
  }
  jinja::Builder out(heap);
  if (!interpreter.Run(out)) {
    if (!heap.failed()) {
      heap.Fail(StatusCode::kInternal, "the template ended without a reason");
    }
    if (heap.raised()) return DataError("{}{}", kRaisedPrefix, heap.status().message());
    return jinja::AtPosition(heap.status(), program.source, heap.error_position());
  }
  RenderResult result;
  uint32_t begin = 0;
  for (const jinja::Mark& mark : out.marks()) {
    result.segments.push_back(
        {std::string(out.view().substr(begin, mark.end - begin)), mark.from_template});
    begin = mark.end;
  }
  return result;
}

}  // namespace tutti::text
