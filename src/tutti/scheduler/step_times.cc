#include "tutti/scheduler/step_times.h"

#include <algorithm>
#include <bit>

namespace tutti::scheduler {
namespace {

constexpr double kNewest = 0.2;  // weight of the newest measurement

}  // namespace

void StepTimes::Measured(int64_t tokens, double seconds) {
  if (tokens <= 0) return;
  const auto index = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(tokens)) - 1);
  Bucket& bucket = buckets_[std::min(index, buckets_.size() - 1)];
  const double weight = bucket.known ? kNewest : 1;
  bucket.tokens += weight * (static_cast<double>(tokens) - bucket.tokens);
  bucket.seconds += weight * (seconds - bucket.seconds);
  bucket.known = true;
}

double StepTimes::Predict(int64_t tokens) const {
  const auto wanted = static_cast<double>(tokens);
  const Bucket* below = nullptr;
  for (const Bucket& bucket : buckets_) {
    if (!bucket.known) continue;
    if (bucket.tokens >= wanted) {
      // A smaller step than any measured takes no longer than the smallest one.
      if (below == nullptr) return bucket.seconds;
      const double share = (wanted - below->tokens) / (bucket.tokens - below->tokens);
      return below->seconds + share * (bucket.seconds - below->seconds);
    }
    below = &bucket;
  }
  return below == nullptr ? 0 : below->seconds * wanted / below->tokens;
}

int64_t StepTimes::TokensWithin(double seconds, int64_t least, int64_t most) const {
  if (Predict(1) == 0) return std::min(least, most);
  int64_t low = std::min(least, most);
  int64_t high = most;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (Predict(middle) <= seconds) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace tutti::scheduler
