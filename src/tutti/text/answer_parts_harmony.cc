#include <array>
#include <optional>
#include <span>

#include "tutti/text/answer_parts_impl.h"
#include "tutti/text/tool_call_parsers.h"
#include "tutti/text/tool_call_scan.h"

namespace tutti::text {
namespace {

// gpt-oss: messages of a header, <|message|> and a body.
//
//   <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>commentary
//   to=functions.NAME <|constrain|>json<|message|>{...}<|call|>
//
// The channel analysis is reasoning, a commentary to a function is a call, all else is text. The
// prompt ends with <|start|>assistant, so an answer begins inside of a header; one that begins
// with anything but a marker is taken as text.
class HarmonyParts final : public AnswerParts {
 public:
  explicit HarmonyParts(AnswerPartsOptions options)
      : options_(std::move(options)), types_(options_.tools) {}

  std::vector<AnswerPart> Push(std::string_view text) override {
    // In slices: a step may look at all there is.
    constexpr size_t kSliceBytes = 1024;
    for (size_t at = 0; at < text.size(); at += kSliceBytes) {
      buffer_ += text.substr(at, kSliceBytes);
      while (Step(false)) {
      }
    }
    return parts_.Take();
  }
  std::vector<AnswerPart> Finish() override {
    while (Step(true)) {
    }
    return parts_.Take();
  }
  size_t dropped_bytes() const override { return dropped_; }
  bool in_reasoning() const override {
    return state_ == State::kBody && kind_ == PartKind::kReasoning;
  }
  std::optional<CallStart> StartedCall() override {
    if (state_ != State::kBody || kind_ != PartKind::kToolCall || arguments_ || start_told_) {
      return std::nullopt;
    }
    start_told_ = true;
    return CallStart{.name = recipient_, .text = buffer_};
  }

 private:
  enum class State : uint8_t { kBegin, kHeader, kBody };
  static constexpr auto kHeaderMarkers =
      std::to_array<std::string_view>({"<|channel|>", "<|start|>", " to="});
  static constexpr std::string_view kMessage = "<|message|>";
  static constexpr auto kEnds = std::to_array<std::string_view>(
      {"<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>"});

  bool Step(bool last) {
    switch (state_) {
      case State::kBegin:
        return Begin(last);
      case State::kHeader:
        return Header(last);
      case State::kBody:
        return Body(last);
    }
    return false;
  }

  bool Begin(bool last) {
    bool possible = false;
    for (const std::string_view marker : kHeaderMarkers) {
      if (buffer_.starts_with(marker)) {
        state_ = State::kHeader;
        return true;
      }
      possible = possible || marker.starts_with(buffer_);
    }
    if (buffer_.empty() || (possible && !last)) return false;
    kind_ = PartKind::kText;
    recipient_.clear();
    head_.clear();
    state_ = State::kBody;
    return true;
  }

  bool Header(bool last) {
    const size_t at = buffer_.find(kMessage, searched_);
    if (at == std::string::npos) {
      searched_ = buffer_.size() - std::min(buffer_.size(), kMessage.size());
      if (!last || buffer_.empty()) return false;
      // A header without a message: nobody knows what it was to be.
      parts_.Add(PartKind::kText, buffer_);
      buffer_.clear();
      return false;
    }
    const std::string_view header = std::string_view(buffer_).substr(0, at);
    recipient_ = WordBehind(header, "to=");
    if (recipient_.starts_with("functions.")) recipient_.erase(0, 10);
    const std::string channel = WordBehind(header, "<|channel|>");
    const bool addressed = !recipient_.empty() && !options_.tools.empty();
    kind_ = PartKind::kText;
    head_ = buffer_.substr(0, at + kMessage.size());
    buffer_.erase(0, head_.size());
    if (addressed && types_.Has(recipient_)) {
      kind_ = PartKind::kToolCall;
    } else if (addressed) {
      parts_.Add(kind_, head_);  // of what is no tool
    } else {
      if (channel == "analysis" && options_.reasoning) kind_ = PartKind::kReasoning;
      dropped_ += head_.size();
    }
    start_told_ = no_arguments_ = has_brace_ = false;
    searched_ = looked_ = 0;
    state_ = State::kBody;
    return true;
  }

  // The word that follows `mark`, up to a space or the next marker.
  static std::string WordBehind(std::string_view text, std::string_view mark) {
    const size_t at = text.find(mark);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = text.substr(at + mark.size());
    return std::string(rest.substr(0, rest.find_first_of(" <")));
  }

  bool Body(bool last) {
    size_t at = buffer_.size();
    std::string_view end;
    for (const std::string_view marker : kEnds) {
      const size_t found = buffer_.find(marker, searched_);
      if (found < at) {
        at = found;
        end = marker;
      }
    }
    if (end.empty()) {
      const size_t keep = last ? 0 : PossibleMarkerBytes(buffer_, kEnds);
      if (kind_ != PartKind::kToolCall) {
        parts_.Add(kind_, std::string_view(buffer_).substr(0, buffer_.size() - keep));
        buffer_.erase(0, buffer_.size() - keep);
      } else {
        const size_t sure = buffer_.size() - keep;
        searched_ = sure - TakeArguments(sure);
        if (last) FinishCall(buffer_.size());
      }
      return false;
    }
    if (kind_ == PartKind::kToolCall) {
      at -= TakeArguments(at);
      FinishCall(at);
    } else {
      parts_.Add(kind_, std::string_view(buffer_).substr(0, at));
      buffer_.erase(0, at);
    }
    searched_ = 0;
    // What begins the next header is part of it.
    const bool opens = end == "<|start|>" || end == "<|channel|>";
    if (!opens) {
      dropped_ += end.size();
      buffer_.erase(0, end.size());
    }
    state_ = State::kBegin;
    return true;
  }

  // Whether the body is known to begin as an object does: `{`, and a name or the end.
  bool BeginsArguments(std::string_view body) {
    for (; looked_ < body.size() && !no_arguments_; ++looked_) {
      const char c = body[looked_];
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
      if (has_brace_ && (c == '"' || c == '}')) return true;
      no_arguments_ = has_brace_ || c != '{';
      has_brace_ = true;
    }
    return false;
  }

  // Gives out what the first `size` bytes add to the arguments of a call; they begin as an object
  // does. Answers how many bytes that took.
  size_t TakeArguments(size_t size) {
    const std::string_view body = std::string_view(buffer_).substr(0, size);
    if (!arguments_) {
      if (head_.empty() || !BeginsArguments(body)) return 0;
      parts_.BeginCall({.name = recipient_, .arguments = {}, .id = {}});
      arguments_.emplace();
      dropped_ += head_.size();
    }
    std::string piece;
    const size_t taken = arguments_->Take(body, {}, piece);
    parts_.Add(PartKind::kArguments, piece);
    dropped_ += taken;
    buffer_.erase(0, taken);
    return taken;
  }

  // The call whose body, or what is left of it, is the first `size` bytes; as text where it is
  // none.
  void FinishCall(size_t size) {
    const std::string_view body = std::string_view(buffer_).substr(0, size);
    ToolCall call;
    call.name = recipient_;
    if (arguments_) {
      parts_.EndCall();
      if (Trimmed(body).empty()) {
        dropped_ += size;
      } else {
        parts_.Add(PartKind::kText, body);
      }
    } else if (head_.empty()) {
      parts_.Add(PartKind::kText, body);
    } else if (SetArguments(body, call)) {
      parts_.AddCalls({&call, 1});
      dropped_ += head_.size() + size;
    } else {
      parts_.Add(PartKind::kText, head_ + std::string(body));
    }
    arguments_.reset();
    head_.clear();
    buffer_.erase(0, size);
  }

  const AnswerPartsOptions options_;
  const ToolTypes types_;
  State state_ = State::kBegin;
  PartKind kind_ = PartKind::kText;
  std::string recipient_;
  std::string head_;                        // the header of a call
  bool start_told_ = false;                 // by StartedCall
  size_t looked_ = 0;                       // bytes of a call's body that tell whether ...
  bool has_brace_ = false;                  // ... an object begins
  bool no_arguments_ = false;               // none does
  std::optional<ArgumentsScan> arguments_;  // that are being given out
  std::string buffer_;
  size_t searched_ = 0;
  size_t dropped_ = 0;
  PartList parts_;
};

}  // namespace

std::unique_ptr<AnswerParts> MakeHarmonyParts(AnswerPartsOptions options) {
  return std::make_unique<HarmonyParts>(std::move(options));
}

}  // namespace tutti::text
