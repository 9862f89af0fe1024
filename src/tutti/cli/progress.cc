#include "tutti/cli/progress.h"

#include <algorithm>
#include <utility>

namespace tutti::cli {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kRedraw{100};  // smooth enough, and no load on a slow terminal
constexpr milliseconds kPlainLine{10'000};

}  // namespace

Progress::Progress(Console& console, std::string title, int64_t total)
    : console_(console),
      title_(std::move(title)),
      total_(std::max<int64_t>(total, 1)),
      start_(Clock::now()),
      last_(start_) {}

std::string Progress::Text(int64_t done, std::string_view note, Clock::time_point now) const {
  std::string text = fmt::format("{}/{}", done, total_);
  if (!note.empty()) text += fmt::format("  {}", note);
  if (done > 0 && done < total_) {
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const auto left = static_cast<int64_t>(elapsed / static_cast<double>(done) *
                                           static_cast<double>(total_ - done));
    text += fmt::format("  {}:{:02} left", left / 60, left % 60);
  }
  return text;
}

void Progress::Update(int64_t done, std::string_view note) {
  const Clock::time_point now = Clock::now();
  const bool bar = console_.styled_stderr();
  if (drawn_ || !bar) {
    if (now - last_ < (bar ? kRedraw : kPlainLine)) return;
  }
  last_ = now;
  const std::string text = Text(done, note, now);
  if (!bar) {
    console_.Say("{}: {}", title_, text);
    return;
  }
  const int room = console_.columns() - static_cast<int>(title_.size() + text.size()) - 8;
  std::string line = title_;
  if (room >= 10) {
    const int64_t width = std::min(room, 40);
    const auto full = static_cast<size_t>(width * std::clamp<int64_t>(done, 0, total_) / total_);
    line +=
        "  [" + std::string(full, '#') + std::string(static_cast<size_t>(width) - full, '-') + "]";
  }
  console_.Talk("\r" + line + "  " + text + "\x1b[K");
  drawn_ = true;
}

void Progress::Finish() {
  if (drawn_) console_.Talk("\r\x1b[K");
  drawn_ = false;
}

}  // namespace tutti::cli
