// The terminal, seen once and passed around: results on stdout, talk on stderr.
//
// Writes are buffered; the first failure (full disk, closed pipe) is remembered and comes back from
// Flush, so that commands print freely and main answers with the exit code. Escapes appear only
// where the stream is a terminal, TERM is not "dumb" and NO_COLOR is not set (no-color.org).
//
// Threads: one. Only cli/ looks at the environment.
#pragma once
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti::cli {

class Console {
 public:
  Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // To stdout, as it is. Flush makes it visible and says whether everything was written.
  void Write(std::string_view text);
  template <typename... Args>
  void Print(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Args>(args)...);
    if (buffer_.size() >= kBufferBytes) FlushBuffer();
  }
  Status Flush();
  // False once a write failed: a long command may stop early.
  bool ok() const { return error_ == 0; }

  // To stderr at once. Say adds the newline, Talk does not.
  void Talk(std::string_view text);
  template <typename... Args>
  void Say(fmt::format_string<Args...> format, Args&&... args) {
    Talk(fmt::format(format, std::forward<Args>(args)...) + "\n");
  }

  bool stdin_is_terminal() const { return stdin_is_terminal_; }
  bool stdout_is_terminal() const { return stdout_is_terminal_; }
  bool stderr_is_terminal() const { return stderr_is_terminal_; }
  // Whether escapes may be written to the stream.
  bool styled_stdout() const { return styled_ && stdout_is_terminal_; }
  bool styled_stderr() const { return styled_ && stderr_is_terminal_; }
  int columns() const;  // of stderr's terminal, 80 where unknown

 private:
  static constexpr size_t kBufferBytes = 1 << 16;
  void FlushBuffer();

  std::string buffer_;
  int error_ = 0;  // errno of the first failed write
  bool stdin_is_terminal_ = false;
  bool stdout_is_terminal_ = false;
  bool stderr_is_terminal_ = false;
  bool styled_ = false;
};

// A variable of the environment; nullopt where it is unset or empty.
std::optional<std::string> GetEnvironment(const char* name);

// Makes descriptors 0 to 2 exist, so that a file opened later cannot become "stdout".
void OpenStandardDescriptors();

// Ctrl-C. The first one sets a flag that loops look at; a second one before the flag is cleared
// ends the process by the signal itself (130 in a shell).
void CatchInterrupt();
bool Interrupted();
void ClearInterrupt();
// Waits until standard input can be read without waiting; false on Ctrl-C, whenever it came.
bool WaitForInput();
// The error of a loop that saw the flag.
Status InterruptedError();

}  // namespace tutti::cli
