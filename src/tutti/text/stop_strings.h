// Ends a text at the first of some strings, also where the string is spread over several tokens.
//
// Push takes the text as it grows and hands on what can no longer be part of a stop string; only a
// tail that may still become one is held back. The stop string and what follows are never handed
// on. Where several match, the one that begins first counts.
//
// Threads: one per sequence. Errors: kUsage for an empty stop string or too many or too long ones.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"

namespace tutti::text {

class StopStrings {
 public:
  static constexpr size_t kMaxStrings = 64;
  static constexpr size_t kMaxBytes = 4096;  // of one string

  static Result<StopStrings> Create(std::vector<std::string> strings);

  // The text that may be shown now. After a stop was found: nothing, for ever.
  std::string Push(std::string_view text);
  // The text ended without one: what was held back.
  std::string Finish();
  bool stopped() const { return stopped_; }
  // The string that ended the text; empty before.
  const std::string& matched() const { return matched_; }

 private:
  explicit StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {}

  std::vector<std::string> strings_;
  std::string held_;
  std::string matched_;
  bool stopped_ = false;
};

}  // namespace tutti::text
