// Reads the text of an expression or a grammar character by character.
//
// Ownership: the text must live as long. Threads: one.
// Errors: Wrong, Refused and TooDeep make them, with the byte where reading stands.
#pragma once
#include <cstdint>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/base/utf8.h"
#include "tutti/text/grammar.h"

namespace tutti::text {

class GrammarScanner {
 public:
  // `what` the text is, for messages.
  GrammarScanner(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Status CheckSource() const {
    if (text_.size() > kGrammarSourceMax) {
      return UsageError("the {} has {} bytes, {} are possible", what_, text_.size(),
                        kGrammarSourceMax);
    }
    if (!IsUtf8(text_)) return UsageError("the {} is not UTF-8", what_);
    return {};
  }

  bool AtEnd() const { return at_ == text_.size(); }
  size_t position() const { return at_; }
  void Return(size_t position) { at_ = position; }
  bool Starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }
  bool Take(std::string_view what) {
    if (!Starts(what)) return false;
    at_ += what.size();
    return true;
  }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  char Next() { return text_[at_++]; }  // not at the end
  // A whole character; not at the end, and the text is UTF-8.
  uint32_t Character() {
    const size_t length = Utf8Length(text_.substr(at_));
    uint32_t c = static_cast<uint8_t>(text_[at_++]);
    if (length > 1) c &= 0x7Fu >> length;
    for (size_t i = 1; i < length; ++i) c = (c << 6) | (static_cast<uint8_t>(text_[at_++]) & 0x3F);
    return c;
  }
  // So many hexadecimal digits; 0: one to six.
  Result<uint32_t> Hex(int digits) {
    uint32_t value = 0;
    int count = 0;
    for (; count < (digits == 0 ? 6 : digits); ++count) {
      const char c = Peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) break;
      value = value * 16 + static_cast<uint32_t>(digit);
      ++at_;
    }
    if (count == 0 || (digits != 0 && count != digits)) {
      return Wrong("an escape has too few hexadecimal digits");
    }
    return value;
  }

  Status Wrong(std::string_view why) const {
    return UsageError("the {} is malformed at byte {}: {}", what_, at_, why);
  }
  Status Refused(std::string_view feature) const {
    return Unsupported("the {} uses {} before byte {}, which cannot be enforced", what_, feature,
                       at_);
  }
  Status TooDeep() const {
    return UsageError("the {} is nested more than {} levels deep at byte {}", what_,
                      kGrammarNestingMax, at_);
  }

 private:
  std::string_view text_;
  std::string_view what_;
  size_t at_ = 0;
};

}  // namespace tutti::text
