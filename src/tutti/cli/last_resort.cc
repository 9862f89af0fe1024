#include "tutti/cli/last_resort.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace tutti::cli {

LastResort::~LastResort() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LastResort::EndAfter(std::chrono::milliseconds time, int code) {
  thread_ = std::thread([this, time, code] {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, time, [this] { return ended_; })) return;
    constexpr std::string_view kMessage = "tutti: ended without waiting for what still ran\n";
    (void)!::write(STDERR_FILENO, kMessage.data(), kMessage.size());
    std::_Exit(code);
  });
}

}  // namespace tutti::cli
