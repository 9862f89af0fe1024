#include "tutti/server/rate_limit.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tutti::server {
namespace {

// A client that waits this long has nothing else to go by when another request must end first.
constexpr double kRetryAtOnceS = 1;

std::string Rfc3339(int64_t unix_s) {
  const std::chrono::sys_seconds time{std::chrono::seconds(unix_s)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string Remaining(double level) {
  return fmt::format("{:.0f}", std::max(0.0, std::floor(level)));
}

}  // namespace

double TokenBucket::Level(double now_s) {
  if (last_s_ >= 0 && now_s > last_s_) {
    level_ = std::min(per_minute_, level_ + (now_s - last_s_) * per_minute_ / 60);
  }
  last_s_ = std::max(last_s_, now_s);
  return level_;
}

double TokenBucket::Until(double amount, double now_s) {
  const double missing = amount - Level(now_s);
  return missing <= 0 ? 0 : missing * 60 / per_minute_;
}

RateDecision KeyLimits::Admit(double now_s) {
  const std::lock_guard lock(mutex_);
  RateDecision decision;
  const auto refuse = [&](std::string_view limit, int64_t value, double retry_after_s) {
    decision.admitted = false;
    decision.limit = limit;
    decision.limit_value = value;
    decision.retry_after_s = retry_after_s;
    return decision;
  };
  if (limits_.token_budget > 0 && *used_tokens_ >= limits_.token_budget) {
    return refuse("token budget", limits_.token_budget, 0);
  }
  if (limits_.requests_at_once > 0 && running_ >= limits_.requests_at_once) {
    return refuse("requests at once", limits_.requests_at_once, kRetryAtOnceS);
  }
  if (limits_.requests_per_minute > 0 && requests_.Until(1, now_s) > 0) {
    return refuse("requests per minute", limits_.requests_per_minute, requests_.Until(1, now_s));
  }
  if (limits_.tokens_per_minute > 0 && tokens_.Until(1, now_s) > 0) {
    return refuse("tokens per minute", limits_.tokens_per_minute, tokens_.Until(1, now_s));
  }
  if (limits_.requests_per_minute > 0) requests_.Take(1, now_s);
  ++running_;
  // What it points to does not matter, when it goes does.
  decision.permit = std::shared_ptr<void>(this, [self = shared_from_this()](void*) {
    const std::lock_guard release(self->mutex_);
    --self->running_;
  });
  return decision;
}

void KeyLimits::ChargeTokens(int64_t tokens, double now_s) {
  *used_tokens_ += tokens;
  const std::lock_guard lock(mutex_);
  if (limits_.tokens_per_minute > 0) tokens_.Take(static_cast<double>(tokens), now_s);
}

std::vector<Header> KeyLimits::OpenaiHeaders(double now_s) {
  const std::lock_guard lock(mutex_);
  std::vector<Header> headers;
  const auto add = [&](TokenBucket& bucket, std::string_view what) {
    if (bucket.per_minute() <= 0) return;
    headers.push_back(
        {fmt::format("x-ratelimit-limit-{}", what), fmt::format("{:.0f}", bucket.per_minute())});
    headers.push_back(
        {fmt::format("x-ratelimit-remaining-{}", what), Remaining(bucket.Level(now_s))});
    headers.push_back({fmt::format("x-ratelimit-reset-{}", what),
                       DurationText(bucket.Until(bucket.per_minute(), now_s))});
  };
  add(requests_, "requests");
  add(tokens_, "tokens");
  return headers;
}

std::vector<Header> KeyLimits::AnthropicHeaders(double now_s, int64_t unix_s) {
  const std::lock_guard lock(mutex_);
  std::vector<Header> headers;
  const auto add = [&](TokenBucket& bucket, std::string_view what) {
    if (bucket.per_minute() <= 0) return;
    headers.push_back({fmt::format("anthropic-ratelimit-{}-limit", what),
                       fmt::format("{:.0f}", bucket.per_minute())});
    headers.push_back(
        {fmt::format("anthropic-ratelimit-{}-remaining", what), Remaining(bucket.Level(now_s))});
    const double full_s = std::ceil(bucket.Until(bucket.per_minute(), now_s));
    headers.push_back({fmt::format("anthropic-ratelimit-{}-reset", what),
                       Rfc3339(unix_s + static_cast<int64_t>(full_s))});
  };
  add(requests_, "requests");
  add(tokens_, "tokens");
  return headers;
}

std::string DurationText(double seconds) {
  const auto ms = static_cast<int64_t>(std::ceil(std::max(0.0, seconds) * 1000));
  if (ms < 1000) return fmt::format("{}ms", ms);
  const int64_t minutes = ms / 60'000;
  const int64_t rest = ms % 60'000;
  std::string text = minutes > 0 ? fmt::format("{}m", minutes) : "";
  text += rest % 1000 == 0 ? fmt::format("{}s", rest / 1000)
                           : fmt::format("{}.{:03}s", rest / 1000, rest % 1000);
  return text;
}

std::vector<Header> RetryHeaders(double seconds) {
  return {{"retry-after", fmt::format("{:.0f}", std::ceil(seconds))},
          {"retry-after-ms", fmt::format("{:.0f}", std::ceil(seconds * 1000))}};
}

}  // namespace tutti::server
