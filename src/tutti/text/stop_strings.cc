#include "tutti/text/stop_strings.h"

#include <algorithm>

namespace tutti::text {

Result<StopStrings> StopStrings::Create(std::vector<std::string> strings) {
  if (strings.size() > kMaxStrings) {
    return UsageError("{} stop strings, at most {} are possible", strings.size(), kMaxStrings);
  }
  for (const std::string& string : strings) {
    if (string.empty()) return UsageError("a stop string is empty: it would end every text");
    if (string.size() > kMaxBytes) {
      return UsageError("a stop string has {} bytes, at most {} are possible", string.size(),
                        kMaxBytes);
    }
  }
  return StopStrings(std::move(strings));
}

std::string StopStrings::Push(std::string_view text) {
  if (stopped_) return {};
  held_ += text;
  size_t first = std::string::npos;
  for (const std::string& string : strings_) {
    const size_t at = held_.find(string);
    if (at < first) {
      first = at;
      matched_ = string;
    }
  }
  if (first != std::string::npos) {
    stopped_ = true;
    std::string shown = held_.substr(0, first);
    held_.clear();
    return shown;
  }
  // The longest tail that is the beginning of a stop string stays.
  size_t keep = 0;
  for (const std::string& string : strings_) {
    for (size_t n = std::min(string.size() - 1, held_.size()); n > keep; --n) {
      if (held_.compare(held_.size() - n, n, string, 0, n) == 0) keep = n;
    }
  }
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return shown;
}

std::string StopStrings::Finish() {
  std::string rest;
  rest.swap(held_);
  return rest;
}

}  // namespace tutti::text
