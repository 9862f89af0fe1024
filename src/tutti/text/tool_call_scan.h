// Tells as early as it is certain that what a model writes is a call, so that its arguments can be
// given out while they are written. Only for sources in text/.
//
// Certain is: the name is that of a tool and its arguments begin as a JSON object does. What these
// do not recognise is left to the parser of the form (tool_calls.h), which sees the whole.
//
// Both go byte by byte: how the text was cut makes no difference. Linear time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/text/tool_call_parsers.h"
#include "tutti/text/tool_calls.h"

namespace tutti::text {

// A JSON object while it is written: out comes the same without white space between its parts.
// What is no JSON passes as it is, but that control characters inside of strings are escaped.
class ArgumentsScan {
 public:
  // Appends what the front of `text` adds and returns its bytes: all of them, or as far as the
  // object's end, or as far as outside of strings `close`, or the beginning of it, stands.
  size_t Take(std::string_view text, std::string_view close, std::string& out);
  bool ended() const { return ended_; }

 private:
  void Byte(char c, std::string& out);

  int64_t depth_ = 0;
  QuoteScan quotes_;
  bool ended_ = false;
  bool space_ = false;  // outside of strings, not given out yet
  char last_ = 0;
};

// The text of calls between the marks of their form, outside of arguments.
class CallScan {
 public:
  enum class Event : uint8_t {
    kNone,
    kBegin,   // what comes next are the arguments of call(); the last byte seen is their `{`
    kObject,  // an object ended that was no such call; its text is object()
    kItem     // what belonged to a call has ended
  };

  CallScan(const CallSyntax& syntax, const ToolTypes& types) : syntax_(&syntax), types_(&types) {}

  // Goes on behind the bytes that it has seen; `text` begins with the same bytes as before.
  Event Next(std::string_view text);
  size_t seen() const { return seen_; }
  const ToolCall& call() const { return call_; }
  std::string_view object(std::string_view text) const {
    return text.substr(object_at_, seen_ - object_at_);
  }
  // The first bytes of the text are gone; of what they were nothing is open.
  void Drop(size_t bytes) { seen_ -= bytes; }
  // The arguments have been taken, up to their end.
  void Resume() { is_given_ = true; }
  void GiveUp() { mode_ = Mode::kDead; }
  bool dead() const { return mode_ == Mode::kDead; }

 private:
  enum class Mode : uint8_t { kStart, kJson, kHead, kDead };

  void Start(std::string_view text);
  Event HeadByte(std::string_view text);
  Event JsonByte(std::string_view text);
  Event MemberByte(std::string_view text);
  void Text(std::string_view raw);
  bool BeginsArguments();

  const CallSyntax* syntax_;
  const ToolTypes* types_;
  Mode mode_ = Mode::kStart;
  size_t seen_ = 0;
  ToolCall call_;

  // Of objects one after the other, or in a list.
  int64_t depth_ = 0;
  QuoteScan quotes_;
  bool in_value_ = false;  // of a member of the object itself
  bool is_given_ = false;  // the object is a call that was given out
  int64_t members_ = 0;
  std::string key_;
  size_t text_at_ = 0;
  size_t object_at_ = 0;
};

}  // namespace tutti::text
