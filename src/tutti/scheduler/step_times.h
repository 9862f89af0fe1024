// How long a step of so many tokens takes, learnt from the steps before.
//
// Times are kept by powers of two of the number of tokens, each a moving average, and interpolated
// between them. No shape is assumed: with experts, a step of a few tokens reads few of them and one
// of fifty nearly all, so time is no straight line. Beyond what was measured, time is taken as
// proportional to tokens, which is too much rather than too little.
//
// Threads: one at a time. Errors: none.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace tutti::scheduler {

class StepTimes {
 public:
  void Measured(int64_t tokens, double seconds);
  // 0 while nothing was measured.
  double Predict(int64_t tokens) const;
  // The most tokens, at least `least` and at most `most`, that are expected to take at most
  // `seconds`. `least` while nothing was measured.
  int64_t TokensWithin(double seconds, int64_t least, int64_t most) const;

 private:
  struct Bucket {
    double tokens = 0;  // averages of what was measured
    double seconds = 0;
    bool known = false;
  };
  std::array<Bucket, 24> buckets_;  // [2^i, 2^(i + 1)) tokens
};

}  // namespace tutti::scheduler
