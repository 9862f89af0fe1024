#include "tutti/cli/standard_input.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tutti/cli/console.h"

namespace tutti::cli {
namespace {

// Appends what comes next; false at the end.
Result<bool> ReadMore(std::string& buffer) {
  std::array<char, 1 << 16> chunk;
  while (true) {
    if (!WaitForInput()) return InterruptedError();
    const ssize_t n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return Error(StatusCode::kIo, "cannot read the standard input: {}", std::strerror(errno));
    }
    if (n == 0) return false;
    buffer.append(chunk.data(), static_cast<size_t>(n));
    return true;
  }
}

Status TooLong(std::string_view what) {
  return Error(StatusCode::kResource, "{} on standard input is longer than {} MiB", what,
               kMaxInputBytes >> 20);
}

}  // namespace

Result<std::string> ReadStandardInput() {
  std::string text;
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool more, ReadMore(text));
    if (!more) return text;
    if (text.size() > kMaxInputBytes) return TooLong("the text");
  }
}

Result<std::optional<std::string>> LineInput::Next() {
  size_t searched = begin_;
  while (true) {
    const size_t newline = buffer_.find('\n', searched);
    if (newline != std::string::npos) {
      std::string line = buffer_.substr(begin_, newline - begin_);
      begin_ = newline + 1;
      ++line_number_;
      return std::optional(std::move(line));
    }
    if (ended_) {
      if (begin_ == buffer_.size()) return std::optional<std::string>();
      std::string line = buffer_.substr(begin_);
      begin_ = buffer_.size();
      ++line_number_;
      return std::optional(std::move(line));
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    if (buffer_.size() > kMaxInputBytes) return TooLong("a line");
    TUTTI_ASSIGN_OR_RETURN(const bool more, ReadMore(buffer_));
    ended_ = !more;
  }
}

}  // namespace tutti::cli
