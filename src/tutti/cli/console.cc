#include "tutti/cli/console.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace tutti::cli {
namespace {

// The handler may run on any thread.
std::atomic<bool> g_interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);
// A byte wakes whoever waits for input, also one who looked at the flag just before the signal.
int g_wake[2] = {-1, -1};

extern "C" void HandleInterrupt(int) {
  const int error = errno;
  if (g_interrupted.exchange(true)) {
    // As if it had never been caught; shells report 130.
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  // A full pipe wakes too.
  [[maybe_unused]] const ssize_t written = ::write(g_wake[1], "", 1);
  errno = error;
}

void DrainWake() {
  char bytes[16];
  while (::read(g_wake[0], bytes, sizeof bytes) > 0) {
  }
}

// Returns 0 or the errno that stopped it.
int WriteAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(descriptor, text.data(), text.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

}  // namespace

Console::Console()
    : stdin_is_terminal_(isatty(STDIN_FILENO) == 1),
      stdout_is_terminal_(isatty(STDOUT_FILENO) == 1),
      stderr_is_terminal_(isatty(STDERR_FILENO) == 1) {
  styled_ = !GetEnvironment("NO_COLOR") && GetEnvironment("TERM").value_or("dumb") != "dumb";
}

void Console::Write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) FlushBuffer();
}

void Console::FlushBuffer() {
  if (error_ == 0) error_ = WriteAll(STDOUT_FILENO, buffer_);
  buffer_.clear();
}

Status Console::Flush() {
  FlushBuffer();
  if (error_ == 0) return {};
  return Error(StatusCode::kIo, "cannot write to the standard output: {}", std::strerror(error_));
}

void Console::Talk(std::string_view text) {
  // Nobody is left to be told when stderr fails.
  (void)WriteAll(STDERR_FILENO, text);
}

int Console::columns() const {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::optional<std::string> GetEnvironment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

void OpenStandardDescriptors() {
  // Read-only on purpose: writing to a closed stdout must fail, not vanish.
  while (true) {
    const int descriptor = ::open("/dev/null", O_RDONLY);
    if (descriptor < 0) return;
    if (descriptor > STDERR_FILENO) {
      ::close(descriptor);
      return;
    }
  }
}

void CatchInterrupt() {
  if (::pipe2(g_wake, O_CLOEXEC | O_NONBLOCK) != 0) g_wake[0] = g_wake[1] = -1;
  struct sigaction action {};
  action.sa_handler = HandleInterrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: a blocked read of the keyboard returns
  sigaction(SIGINT, &action, nullptr);
}

bool Interrupted() { return g_interrupted.load(); }
void ClearInterrupt() {
  DrainWake();
  g_interrupted.store(false);
}

bool WaitForInput() {
  pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {g_wake[0], POLLIN, 0}};
  while (!Interrupted()) {
    // What is no file, or is closed, is left to the read that follows.
    const int ready = ::poll(watched, 2, -1);
    if (ready < 0 && errno != EINTR) return true;
    if (ready > 0 && watched[0].revents != 0) return !Interrupted();
    if (ready > 0 && !Interrupted()) DrainWake();  // of a signal that was seen and cleared
  }
  return false;
}

Status InterruptedError() { return Error(StatusCode::kCancelled, "interrupted"); }

}  // namespace tutti::cli
