// How much a key may ask for: requests and tokens per minute, requests at once, and tokens in all.
//
// Token buckets that hold one minute's worth. Tokens are charged when they are known, after the
// work, so a bucket may be in debt: the next request waits until it is paid off.
//
// Time is given, in seconds of any steady clock. Threads: any. Errors: none.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tutti/server/http.h"

namespace tutti::server {

struct RateLimits {
  // 0: as many as one likes.
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t requests_at_once = 0;
  int64_t token_budget = 0;  // in the key's whole life
  friend bool operator==(const RateLimits&, const RateLimits&) = default;
};

// Flows at a minute's worth per minute, up to one minute's worth.
class TokenBucket {
 public:
  explicit TokenBucket(int64_t per_minute)
      : per_minute_(static_cast<double>(per_minute)), level_(per_minute_) {}

  double Level(double now_s);
  void Take(double amount, double now_s) { level_ = Level(now_s) - amount; }
  // Seconds until the level is at least `amount`, which is at most one minute's worth.
  double Until(double amount, double now_s);
  double per_minute() const { return per_minute_; }

 private:
  double per_minute_;
  double level_;
  double last_s_ = -1;  // none yet
};

struct RateDecision {
  bool admitted = true;
  std::string_view limit;  // which one: "requests per minute"
  int64_t limit_value = 0;
  double retry_after_s = 0;      // 0: waiting does not help
  std::shared_ptr<void> permit;  // a place among the requests at once, while it lives
};

// The state of one key's limits. Shared by its requests.
class KeyLimits : public std::enable_shared_from_this<KeyLimits> {
 public:
  // `used_tokens` is shared with whoever keeps it for longer than these limits hold.
  explicit KeyLimits(const RateLimits& limits, std::shared_ptr<std::atomic<int64_t>> used_tokens =
                                                   std::make_shared<std::atomic<int64_t>>(0))
      : limits_(limits),
        used_tokens_(std::move(used_tokens)),
        requests_(limits.requests_per_minute),
        tokens_(limits.tokens_per_minute) {}

  // Charges a request, if it may come now.
  RateDecision Admit(double now_s);
  void ChargeTokens(int64_t tokens, double now_s);

  // x-ratelimit-* as OpenAI's clients read them, or anthropic-ratelimit-*, whose times are points
  // in time: `unix_s` is now.
  std::vector<Header> OpenaiHeaders(double now_s);
  std::vector<Header> AnthropicHeaders(double now_s, int64_t unix_s);

  const RateLimits& limits() const { return limits_; }

 private:
  const RateLimits limits_;
  const std::shared_ptr<std::atomic<int64_t>> used_tokens_;
  std::mutex mutex_;
  TokenBucket requests_;
  TokenBucket tokens_;
  int64_t running_ = 0;
};

// "6m0s", "12ms", "1.5s".
std::string DurationText(double seconds);

// retry-after in whole seconds and retry-after-ms, both rounded up.
std::vector<Header> RetryHeaders(double seconds);

}  // namespace tutti::server
