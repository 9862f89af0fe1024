#include "tutti/text/tool_call_scan.h"

#include <algorithm>

#include <fmt/format.h>

namespace tutti::text {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr size_t kMaxHeadBytes = 1024;

bool IsSpace(char c) { return kSpaces.find(c) != std::string_view::npos; }

}  // namespace

size_t ArgumentsScan::Take(std::string_view text, std::string_view close, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (ended_) return i;
    if (!quotes_.inside() && !close.empty() && text[i] == close.front()) {
      const std::string_view rest = text.substr(i);
      if (rest.starts_with(close) || close.starts_with(rest)) return i;
    }
    Byte(text[i], out);
  }
  return text.size();
}

void ArgumentsScan::Byte(char c, std::string& out) {
  const bool inside = quotes_.inside();
  quotes_.Take(c);
  if (inside) {
    if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    } else {
      out += c == '\n' ? std::string("\\n") : fmt::format("\\u{:04x}", static_cast<int>(c));
    }
    return;
  }
  if (IsSpace(c)) {
    space_ = true;
    return;
  }
  // Between two words a space is a mistake that must stay one.
  constexpr std::string_view kStructure = "{}[],:\"";
  const auto is_word = [&](char b) { return kStructure.find(b) == std::string_view::npos; };
  if (space_ && is_word(c) && is_word(last_)) out += ' ';
  space_ = false;
  last_ = c;
  out += c;
  if (c == '{' || c == '[') ++depth_;
  if ((c == '}' || c == ']') && --depth_ == 0) ended_ = true;
}

CallScan::Event CallScan::Next(std::string_view text) {
  while (seen_ < text.size() && mode_ != Mode::kDead) {
    ++seen_;
    Event event = Event::kNone;
    if (mode_ == Mode::kStart) Start(text);
    if (mode_ == Mode::kHead) event = HeadByte(text);
    if (mode_ == Mode::kJson) event = JsonByte(text);
    if (event != Event::kNone) return event;
  }
  return Event::kNone;
}

void CallScan::Start(std::string_view text) {
  const char c = text[seen_ - 1];
  if (IsSpace(c)) return;
  if (syntax_->json && (c == '{' || c == '[')) {
    mode_ = Mode::kJson;
  } else {
    mode_ = syntax_->head != nullptr ? Mode::kHead : Mode::kDead;
  }
}

CallScan::Event CallScan::HeadByte(std::string_view text) {
  if (text[seen_ - 1] != '{') {
    if (seen_ > kMaxHeadBytes) GiveUp();
    return Event::kNone;
  }
  call_ = {};
  if (syntax_->head(text.substr(0, seen_ - 1), call_) && types_->Has(call_.name)) {
    return Event::kBegin;
  }
  GiveUp();
  return Event::kNone;
}

CallScan::Event CallScan::JsonByte(std::string_view text) {
  const char c = text[seen_ - 1];
  const bool inside = quotes_.inside();
  quotes_.Take(c);
  if (inside) {
    if (!quotes_.inside() && depth_ == 1) Text(text.substr(text_at_, seen_ - 1 - text_at_));
    return Event::kNone;
  }
  if (IsSpace(c)) return Event::kNone;
  if (depth_ == 1) return MemberByte(text);
  if (depth_ == 0) {
    if (c == '{') {
      depth_ = 1;
      object_at_ = seen_ - 1;
      in_value_ = is_given_ = false;
      members_ = 0;
      key_.clear();
      call_ = {};
    } else if (std::string_view("[],;").find(c) == std::string_view::npos) {
      GiveUp();
    }
    return Event::kNone;
  }
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  return Event::kNone;
}

// Of the object itself, outside of its values.
CallScan::Event CallScan::MemberByte(std::string_view text) {
  switch (text[seen_ - 1]) {
    case '"':
      text_at_ = seen_;
      break;
    case ':':
      in_value_ = true;
      break;
    case ',':
      in_value_ = false;
      ++members_;
      break;
    case '{':
      if (BeginsArguments()) return Event::kBegin;
      ++depth_;
      break;
    case '[':
      ++depth_;
      break;
    case '}':
    case ']':
      depth_ = 0;
      return is_given_ ? Event::kItem : Event::kObject;
    default:
      break;
  }
  return Event::kNone;
}

// Between quotes, as it is written: what needs an escape is no name that is looked for.
void CallScan::Text(std::string_view raw) {
  if (!in_value_) {
    key_ = raw;
  } else if (key_ == "name" || key_ == "tool_name") {
    call_.name = raw;
  } else if (key_ == "id" || key_ == "tool_call_id") {
    call_.id = raw;
  }
}

bool CallScan::BeginsArguments() {
  if (!in_value_ || is_given_) return false;
  if (key_ == "arguments" || key_ == "parameters") {
    const auto is_plain = [](const std::string& raw) { return raw.find('\\') == raw.npos; };
    return is_plain(call_.name) && is_plain(call_.id) && types_->Has(call_.name);
  }
  // {"NAME": {...}}
  if (members_ > 0 || key_ == "function" || !types_->Has(key_)) return false;
  call_.name = key_;
  return true;
}

}  // namespace tutti::text
