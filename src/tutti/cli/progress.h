// How far a long command has come, on stderr: a bar that redraws itself on a terminal, otherwise a
// plain line now and then, so that a log file stays readable.
//
// Threads: one. The bar disappears when Finish is called or the object dies.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/cli/console.h"

namespace tutti::cli {

class Progress {
 public:
  // "perplexity  [#####-----] 12/40  23.604  0:31 left"
  Progress(Console& console, std::string title, int64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { Finish(); }

  // `note` is the value so far; empty for none.
  void Update(int64_t done, std::string_view note = {});
  // Removes the bar: call before anything else is written.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string Text(int64_t done, std::string_view note, Clock::time_point now) const;

  Console& console_;
  std::string title_;
  int64_t total_;
  Clock::time_point start_;
  Clock::time_point last_;
  bool drawn_ = false;
};

}  // namespace tutti::cli
