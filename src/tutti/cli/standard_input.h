// Standard input, whole or line by line, with limits.
//
// Threads: one. Errors: kIo where it cannot be read, kResource for more than the limit, kCancelled
// on Ctrl-C.
#pragma once
#include <cstddef>
#include <optional>
#include <string>

#include "tutti/base/status.h"

namespace tutti::cli {

inline constexpr size_t kMaxInputBytes = size_t{256} << 20;  // of a prompt or of one line

Result<std::string> ReadStandardInput();

// Lines without their newline; the last one may lack it.
class LineInput {
 public:
  // nullopt at the end.
  Result<std::optional<std::string>> Next();
  // Whether Next can answer without waiting for input.
  bool has_line() const { return ended_ || buffer_.find('\n', begin_) != std::string::npos; }
  int64_t line_number() const { return line_number_; }  // of the line that Next gave, from 1

 private:
  std::string buffer_;
  size_t begin_ = 0;
  bool ended_ = false;
  int64_t line_number_ = 0;
};

}  // namespace tutti::cli
