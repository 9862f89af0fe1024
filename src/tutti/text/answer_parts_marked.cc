#include <algorithm>
#include <optional>

#include "tutti/text/answer_parts_impl.h"
#include "tutti/text/tool_call_parsers.h"
#include "tutti/text/tool_call_scan.h"

namespace tutti::text {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

// More white space than this beside a marker is not the marker's.
constexpr size_t kMostSpaces = 256;

size_t SpacesAtEnd(std::string_view text) {
  const std::string_view end = text.substr(text.size() - std::min(text.size(), kMostSpaces));
  const size_t last = end.find_last_not_of(kSpaces);
  return end.size() - (last == std::string_view::npos ? 0 : last + 1);
}

// Whether a piece of JSON ends inside of a string: a marker found there is part of that string.
bool EndsInString(std::string_view body) {
  // Calls are objects, in a list or one after the other.
  const std::string_view trimmed =
      body.substr(std::min(body.find_first_not_of(" \t\r\n,;["), body.size()));
  if (!trimmed.starts_with('{')) return false;
  QuoteScan quotes;
  for (const char c : trimmed) quotes.Take(c);
  return quotes.inside();
}

class MarkedParts final : public AnswerParts {
 public:
  MarkedParts(const AnswerFormat& format, AnswerPartsOptions options)
      : marks_(options.reasoning ? format.reasoning : ReasoningMarks{}),
        form_(format.form),
        options_(std::move(options)),
        types_(options_.tools) {
    if (options_.only_calls) {
      OpenCall(BareCallSyntax());
      return;
    }
    if (!marks_.open.empty() && options_.in_reasoning) Enter(State::kReasoning);
    for (const CallSyntax* syntax : format.calls) {
      if (options_.tools.empty()) break;
      if (syntax->bare) {
        bare_ = syntax;
      } else {
        calls_.push_back(syntax);
        markers_.push_back(syntax->open);
      }
    }
    const bool marked = !marks_.open.empty() || !calls_.empty();
    if (marked) markers_.insert(markers_.end(), kSilentMarkers.begin(), kSilentMarkers.end());
  }

  std::vector<AnswerPart> Push(std::string_view text) override {
    input_ += text;
    Advance(false);
    return parts_.Take();
  }

  std::vector<AnswerPart> Finish() override {
    Advance(true);
    return parts_.Take();
  }

  size_t dropped_bytes() const override { return dropped_; }
  bool in_reasoning() const override { return state_ == State::kReasoning; }
  std::optional<CallStart> StartedCall() override {
    if (state_ != State::kCall || arguments_ || start_told_ || call_ != form_.syntax) {
      return std::nullopt;
    }
    const std::string_view body = Seen().substr(open_);
    if (form_.mark.empty()) return StartedObject(body);
    const size_t at = body.find(form_.mark, start_searched_);
    if (at == std::string_view::npos) {
      start_searched_ = body.size() - std::min(body.size(), form_.mark.size());
      return std::nullopt;
    }
    start_told_ = true;
    const size_t end = at + form_.mark.size();
    ToolCall call;
    if (!call_->head(body.substr(0, end), call)) return std::nullopt;
    return CallStart{.name = call.name, .text = std::string(body.substr(end))};
  }

 private:
  enum class State : uint8_t { kBegin, kText, kReasoning, kCall };

  // Behind the mark an object comes; behind an object another one may.
  std::optional<CallStart> StartedObject(std::string_view body) {
    size_t at = 0;
    if (is_given_) {
      at = body.find_first_not_of(" \t\r\n,;[]", start_searched_);
      start_searched_ = body.size();
      if (at == std::string_view::npos) return std::nullopt;
    }
    start_told_ = true;
    if (is_given_ && body[at] != '{') return std::nullopt;
    return CallStart{.name = {}, .text = std::string(body.substr(at))};
  }

  // Shows the steps a little more at a time: a step may look at all it sees, so that the whole
  // takes linear time however much came at once.
  void Advance(bool last) {
    constexpr size_t kWindowBytes = 1024;
    for (;;) {
      if (end_ < input_.size()) {
        end_ += std::min(kWindowBytes, input_.size() - end_);
        while (Step(false)) {
        }
      } else if (!last || !Step(true)) {
        break;
      }
    }
    input_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
  }

  // What is seen and not yet understood.
  std::string_view Seen() const { return std::string_view(input_).substr(begin_, end_ - begin_); }

  // Each takes what it understands from the front; false: more text is needed.
  bool Step(bool last) {
    if (skip_spaces_) SkipSpaces();
    switch (state_) {
      case State::kBegin:
        return Begin(last);
      case State::kText:
        return Text(last);
      case State::kReasoning:
        return Reasoning(last);
      case State::kCall:
        return Call(last);
    }
    return false;
  }

  void Enter(State state) {
    state_ = state;
    skip_spaces_ = true;
  }
  void Drop(size_t bytes) {
    dropped_ += bytes;
    begin_ += bytes;
  }
  void Emit(PartKind kind, size_t bytes) {
    parts_.Add(kind, Seen().substr(0, bytes));
    begin_ += bytes;
  }
  void SkipSpaces() {
    Drop(std::min(Seen().find_first_not_of(kSpaces), Seen().size()));
    if (!Seen().empty()) skip_spaces_ = false;
  }

  // Only here reasoning may begin, or an answer that is a call without markers.
  bool Begin(bool last) {
    const size_t spaces = std::min(Seen().find_first_not_of(kSpaces), Seen().size());
    const std::string_view rest = Seen().substr(spaces);
    if (spaces > kMostSpaces) {
      state_ = State::kText;
      return true;
    }
    if (rest.empty() && !last) return false;
    if (!marks_.open.empty() && rest.starts_with(marks_.open)) {
      Drop(spaces + marks_.open.size());
      Enter(State::kReasoning);
      return true;
    }
    if (!last && !marks_.open.empty() && marks_.open.starts_with(rest)) return false;
    if (bare_ != nullptr && rest.starts_with(bare_->open)) {
      OpenCall(*bare_);
      return true;
    }
    state_ = State::kText;
    return true;
  }

  bool Text(bool last) {
    size_t at = Seen().size();
    std::string_view marker;
    for (const std::string_view candidate : markers_) {
      const size_t found = Seen().find(candidate);
      if (found < at) {
        at = found;
        marker = candidate;
      }
    }
    if (marker.empty()) {
      EmitText(last);
      return false;
    }
    EmitBefore(PartKind::kText, at);
    const auto is_call = [&](const CallSyntax* syntax) { return syntax->open == marker; };
    const auto call = std::find_if(calls_.begin(), calls_.end(), is_call);
    if (call == calls_.end()) {
      Drop(marker.size());
      Enter(State::kText);
    } else {
      OpenCall(**call);
    }
    return true;
  }

  // Without markers, but for what may become one, and white space that may stand before one.
  void EmitText(bool last) {
    size_t keep = 0;
    if (!last && !markers_.empty()) {
      keep = PossibleMarkerBytes(Seen(), markers_);
      keep += SpacesAtEnd(Seen().substr(0, Seen().size() - keep));
    }
    Emit(PartKind::kText, Seen().size() - keep);
  }

  // What stands before a marker, without the white space between.
  void EmitBefore(PartKind kind, size_t at) {
    const size_t spaces = SpacesAtEnd(Seen().substr(0, at));
    Emit(kind, at - spaces);
    Drop(spaces);
  }

  bool Reasoning(bool last) {
    const size_t at = Seen().find(marks_.close);
    if (at != std::string_view::npos) {
      EmitBefore(PartKind::kReasoning, at);
      Drop(marks_.close.size());
      Enter(State::kText);
      return true;
    }
    size_t keep = last ? 0 : PossibleMarkerBytes(Seen(), std::span(&marks_.close, 1));
    keep += SpacesAtEnd(Seen().substr(0, Seen().size() - keep));
    Emit(PartKind::kReasoning, Seen().size() - keep);
    if (last) Drop(Seen().size());
    return false;
  }

  void OpenCall(const CallSyntax& syntax) {
    call_ = &syntax;
    open_ = searched_ = syntax.bare ? 0 : syntax.open.size();
    scan_.emplace(syntax, types_);
    arguments_.reset();
    is_given_ = false;
    ForgetStart();
    state_ = State::kCall;
  }

  void ForgetStart() {
    start_told_ = false;
    start_searched_ = gap_ = 0;
  }

  // The calls of a text; false where it is something else, or calls what is no tool.
  bool Parse(std::string_view text, std::vector<ToolCall>& found) const {
    return call_->parse(text, types_, found) &&
           std::all_of(found.begin(), found.end(),
                       [&](const ToolCall& call) { return types_.Has(call.name); });
  }

  // What is seen begins with the marker that opens the call, or behind what was given out of it.
  bool Call(bool last) {
    if (arguments_) return Arguments(last);
    size_t limit = Seen().size();
    if (!event_) {
      // As far as a closing marker.
      if (!call_->close.empty()) {
        const size_t at = Seen().find(call_->close, searched_);
        if (at != std::string_view::npos) limit = at + call_->close.size();
      }
      event_ = scan_->Next(Seen().substr(open_, limit - open_));
    }
    const size_t scanned = open_ + scan_->seen();
    if (CloseBefore(*event_ == CallScan::Event::kNone ? limit : scanned)) return true;
    switch (*event_) {
      case CallScan::Event::kBegin:
        return BeginArguments(scanned, last);
      case CallScan::Event::kObject:
        TakeObject(scanned);
        return true;
      case CallScan::Event::kItem:
        DropOfCall(scanned);
        return true;
      case CallScan::Event::kNone:
        break;
    }
    event_.reset();
    if (limit < Seen().size()) return true;
    if (call_->bare && scan_->dead() && !options_.only_calls) {
      LeaveCall();  // nothing of it can be a call any more
      return true;
    }
    if (!last || Seen().empty()) return false;
    const size_t end = Seen().size();
    CloseCall(Seen().substr(open_), end, first_end_ > 0 ? first_end_ : end);
    return true;
  }

  // Ends the call where its closing marker stands within the first bytes of what is seen.
  bool CloseBefore(size_t limit) {
    if (call_->close.empty()) return false;
    for (;;) {
      const size_t at = Seen().substr(0, limit).find(call_->close, searched_);
      if (at == std::string_view::npos) break;
      const std::string_view body = Seen().substr(open_, at - open_);
      const size_t end = at + call_->close.size();
      // A marker inside of an argument; not for ever, a model may forget a quote.
      constexpr int kMostPassed = 4;
      if (passed_ >= kMostPassed || !EndsInString(body)) {
        CloseCall(body, end, first_end_ > 0 ? first_end_ : end);
        return true;
      }
      if (first_end_ == 0) first_end_ = end;
      ++passed_;
      searched_ = end;
    }
    searched_ = std::max(searched_, limit - std::min(limit, call_->close.size()));
    return false;
  }

  // The scan has found arguments, whose `{` is the last byte that it has seen. An object goes on
  // with a name or ends.
  bool BeginArguments(size_t scanned, bool last) {
    const std::string_view rest = Seen().substr(scanned);
    const size_t next = rest.find_first_not_of(kSpaces, gap_);
    gap_ = rest.size();
    if (next == std::string_view::npos && !last) return false;
    if (next == std::string_view::npos || (rest[next] != '"' && rest[next] != '}')) {
      event_.reset();
      gap_ = 0;
      scan_->GiveUp();
      return true;
    }
    parts_.BeginCall(scan_->call());
    DropOfCall(scanned);
    std::string brace;
    arguments_.emplace().Take("{", {}, brace);
    parts_.Add(PartKind::kArguments, brace);
    is_given_ = true;
    return true;
  }

  bool Arguments(bool last) {
    std::string piece;
    const size_t taken = arguments_->Take(Seen(), call_->close, piece);
    parts_.Add(PartKind::kArguments, piece);
    Drop(taken);
    const bool closed = !call_->close.empty() && Seen().starts_with(call_->close);
    if (!arguments_->ended() && !closed && !last) return false;
    parts_.EndCall();
    arguments_.reset();
    scan_->Resume();
    return true;
  }

  // An object ended that was not given out while it was written.
  void TakeObject(size_t scanned) {
    std::vector<ToolCall> found;
    if (Parse(scan_->object(Seen().substr(open_)), found)) {
      parts_.AddCalls(found);
      is_given_ = true;
      DropOfCall(scanned);
    } else {
      event_.reset();
      scan_->GiveUp();
    }
  }

  // Everything that the scan has seen.
  void DropOfCall(size_t scanned) {
    Drop(scanned);
    scan_->Drop(scan_->seen());
    event_.reset();
    open_ = searched_ = first_end_ = 0;
    passed_ = 0;
    ForgetStart();
  }

  // Takes `end` bytes as calls, or the first `failed_end` of them as text.
  void CloseCall(std::string_view body, size_t end, size_t failed_end) {
    const std::string_view rest = is_given_ ? WithoutLayout(body) : body;
    std::vector<ToolCall> found;
    if ((is_given_ && call_->close.starts_with(rest)) || Parse(rest, found)) {
      parts_.AddCalls(found);
      Drop(end);
      Enter(State::kText);
    } else if (is_given_) {
      Drop(body.size() - rest.size());
      Emit(PartKind::kText, rest.size());
      Drop(end - body.size());
      Enter(State::kText);
    } else {
      Emit(PartKind::kText, failed_end);
      end_ = begin_;  // what follows is looked at anew
      state_ = State::kText;
    }
    LeaveCall();
  }

  void LeaveCall() {
    if (state_ == State::kCall) state_ = State::kText;
    call_ = nullptr;
    event_.reset();
    searched_ = first_end_ = 0;
    passed_ = 0;
  }

  const ReasoningMarks marks_;
  const CallForm form_;
  const AnswerPartsOptions options_;
  const ToolTypes types_;
  std::vector<const CallSyntax*> calls_;
  const CallSyntax* bare_ = nullptr;
  std::vector<std::string_view> markers_;  // that may stand in text

  State state_ = State::kBegin;
  bool skip_spaces_ = false;
  std::string input_;  // not yet understood
  size_t begin_ = 0;   // of what the steps see of it
  size_t end_ = 0;
  PartList parts_;
  size_t dropped_ = 0;

  const CallSyntax* call_ = nullptr;        // the one that is open
  size_t open_ = 0;                         // bytes of its marker that are seen
  std::optional<CallScan> scan_;            // of what is seen behind them
  std::optional<CallScan::Event> event_;    // of the scan, not dealt with
  std::optional<ArgumentsScan> arguments_;  // that are being given out
  bool is_given_ = false;                   // a call was given out
  size_t searched_ = 0;                     // before this its end is not
  size_t gap_ = 0;                          // white space seen behind the arguments' `{`
  bool start_told_ = false;                 // by StartedCall, or refused
  size_t start_searched_ = 0;               // behind the opening marker, before this it is not
  size_t first_end_ = 0;                    // of ends that were inside of a string
  int passed_ = 0;                          // of these
};

}  // namespace

std::unique_ptr<AnswerParts> MakeMarkedParts(const AnswerFormat& format,
                                             AnswerPartsOptions options) {
  return std::make_unique<MarkedParts>(format, std::move(options));
}

}  // namespace tutti::text
