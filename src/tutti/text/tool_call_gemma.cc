#include <array>
#include <string>

#include "tutti/base/json.h"
#include "tutti/base/json_string.h"
#include "tutti/base/json_text.h"
#include "tutti/text/tool_call_parsers.h"

namespace tutti::text {
namespace {

// Gemma's own notation of values, turned into JSON: {key:<|"|>text<|"|>,list:[1,true,None]}.
class GemmaValues {
 public:
  explicit GemmaValues(std::string_view text) : rest_(text) {}

  bool Object(int depth) {
    return Sequence('{', '}', depth, [&] {
      const size_t colon = rest_.find(':');
      if (colon == std::string_view::npos) return false;
      std::string_view key = Trimmed(rest_.substr(0, colon));
      if (key.starts_with(kQuote) && key.ends_with(kQuote) && key.size() >= 2 * kQuote.size()) {
        key = key.substr(kQuote.size(), key.size() - 2 * kQuote.size());
      }
      if (key.empty() || key.find_first_of("{}[],") != std::string_view::npos) return false;
      rest_.remove_prefix(colon + 1);
      AppendJsonString(key, out_);
      out_ += ':';
      return Value(depth + 1);
    });
  }
  bool done() const { return Trimmed(rest_).empty(); }
  const std::string& json() const { return out_; }

 private:
  static constexpr std::string_view kQuote = "<|\"|>";
  static constexpr int kMaxDepth = 32;

  void SkipSpaces() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }

  template <typename Function>
  bool Sequence(char open, char close, int depth, Function element) {
    SkipSpaces();
    if (depth > kMaxDepth || !rest_.starts_with(open)) return false;
    rest_.remove_prefix(1);
    out_ += open;
    for (bool first = true;; first = false) {
      SkipSpaces();
      if (rest_.starts_with(close)) break;
      if (!first) {
        if (!rest_.starts_with(',')) return false;
        rest_.remove_prefix(1);
        out_ += ',';
      }
      if (!element()) return false;
    }
    rest_.remove_prefix(1);
    out_ += close;
    return true;
  }

  bool Value(int depth) {
    SkipSpaces();
    if (rest_.starts_with('{')) return Object(depth);
    if (rest_.starts_with('[')) {
      return Sequence('[', ']', depth, [&] { return Value(depth + 1); });
    }
    if (rest_.starts_with(kQuote)) {
      rest_.remove_prefix(kQuote.size());
      const size_t end = rest_.find(kQuote);
      if (end == std::string_view::npos) return false;
      AppendJsonString(rest_.substr(0, end), out_);
      rest_.remove_prefix(end + kQuote.size());
      return true;
    }
    const size_t end = std::min(rest_.find_first_of(",]}"), rest_.size());
    const std::string_view word = Trimmed(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (word == "None") {
      out_ += "null";
      return true;
    }
    const auto value = ParseJson(word);
    out_ += value.ok() ? JsonText(*value) : JsonString(word);
    return true;
  }

  std::string_view rest_;
  std::string out_;
};

}  // namespace

bool ParseGemmaCall(std::string_view body, const ToolTypes&, std::vector<ToolCall>& calls) {
  body = Trimmed(body);
  constexpr std::string_view kCall = "call:";
  const size_t brace = body.find('{');
  if (!body.starts_with(kCall) || brace == std::string_view::npos) return false;
  ToolCall call;
  call.name = Trimmed(body.substr(kCall.size(), brace - kCall.size()));
  GemmaValues values(body.substr(brace));
  if (call.name.empty() || !values.Object(0) || !values.done()) return false;
  call.arguments = values.json();
  calls.push_back(std::move(call));
  return true;
}

}  // namespace tutti::text
