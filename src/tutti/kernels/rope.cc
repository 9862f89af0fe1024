#include "tutti/kernels/rope.h"

#include <algorithm>
#include <cmath>

#include "tutti/base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/rope.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// x[i] and x[i + half] turn together.
void RotateHalves(const float* HWY_RESTRICT cos, const float* HWY_RESTRICT sin, size_t half,
                  float* HWY_RESTRICT x) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    const auto a = hn::LoadU(d, x + i);
    const auto b = hn::LoadU(d, x + half + i);
    const auto c = hn::LoadU(d, cos + i);
    const auto s = hn::LoadU(d, sin + i);
    hn::StoreU(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), d, x + i);
    hn::StoreU(hn::Add(hn::Mul(b, c), hn::Mul(a, s)), d, x + half + i);
  }
  for (; i < half; ++i) {
    const float a = x[i];
    const float b = x[half + i];
    x[i] = a * cos[i] - b * sin[i];
    x[half + i] = b * cos[i] + a * sin[i];
  }
}

// x[2 i] and x[2 i + 1] turn together.
void RotateInterleaved(const float* HWY_RESTRICT cos, const float* HWY_RESTRICT sin, size_t half,
                       float* HWY_RESTRICT x) {
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  for (; i + lanes <= half; i += lanes) {
    hn::Vec<decltype(d)> a, b;
    hn::LoadInterleaved2(d, x + 2 * i, a, b);
    const auto c = hn::LoadU(d, cos + i);
    const auto s = hn::LoadU(d, sin + i);
    hn::StoreInterleaved2(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)),
                          hn::Add(hn::Mul(b, c), hn::Mul(a, s)), d, x + 2 * i);
  }
#endif
  for (; i < half; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = a * cos[i] - b * sin[i];
    x[2 * i + 1] = b * cos[i] + a * sin[i];
  }
}

void RotateSimd(RopePairing pairing, const float* cos, const float* sin, size_t half, float* x) {
  if (pairing == RopePairing::kHalves) {
    RotateHalves(cos, sin, half, x);
  } else {
    RotateInterleaved(cos, sin, half, x);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(RotateSimd);

constexpr int64_t kRowGrain = 8;

// YaRN, section 3.2: pairs that turn often within the original context keep their frequency, pairs
// that turn less than once are slowed by `factor`, those between are blended along a ramp.
void ScaleYarn(const RopeSpec& spec, std::vector<double>& frequencies) {
  const double dim = spec.dim;
  // The pair (as a real number) that turns `rotations` times in the original context.
  const auto pair_of = [&](double rotations) {
    return dim * std::log(spec.original_context / (rotations * 2 * M_PI)) /
           (2 * std::log(spec.theta));
  };
  double low = pair_of(spec.beta_fast);
  double high = pair_of(spec.beta_slow);
  if (spec.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;  // as the reference does, against a division by zero
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / spec.factor * ramp + frequencies[i] * (1 - ramp);
  }
}

// Llama 3.1: long waves are slowed by `factor`, short ones kept, those between blended.
void ScaleLlama3(const RopeSpec& spec, std::vector<double>& frequencies) {
  const double longest_kept = spec.original_context / spec.high_frequency_factor;
  const double shortest_slowed = spec.original_context / spec.low_frequency_factor;
  for (double& frequency : frequencies) {
    const double wavelength = 2 * M_PI / frequency;
    if (wavelength < longest_kept) continue;
    if (wavelength > shortest_slowed) {
      frequency /= spec.factor;
      continue;
    }
    const double smooth = (spec.original_context / wavelength - spec.low_frequency_factor) /
                          (spec.high_frequency_factor - spec.low_frequency_factor);
    frequency = (1 - smooth) * frequency / spec.factor + smooth * frequency;
  }
}

}  // namespace

std::vector<double> RopeFrequencies(const RopeSpec& spec) {
  TUTTI_CHECK(spec.dim > 0 && spec.dim % 2 == 0, "rotary embedding needs an even dimension");
  const size_t pairs = static_cast<size_t>(spec.dim) / 2;
  std::vector<double> frequencies(pairs);
  for (size_t i = 0; i < pairs; ++i) {
    frequencies[i] = std::pow(spec.theta, -2 * static_cast<double>(i) / spec.dim);
  }
  if (!spec.frequency_divisors.empty()) {
    TUTTI_CHECK(spec.frequency_divisors.size() == pairs, "one divisor per pair");
    for (size_t i = 0; i < pairs; ++i) frequencies[i] /= spec.frequency_divisors[i];
    return frequencies;
  }
  switch (spec.scaling) {
    case RopeScaling::kNone:
      break;
    case RopeScaling::kLinear:
      for (double& frequency : frequencies) frequency /= spec.factor;
      break;
    case RopeScaling::kLlama3:
      ScaleLlama3(spec, frequencies);
      break;
    case RopeScaling::kYarn:
      ScaleYarn(spec, frequencies);
      break;
  }
  return frequencies;
}

RopeTable::RopeTable(const RopeSpec& spec)
    : pairing_(spec.pairing),
      attention_factor_(spec.attention_factor),
      frequencies_(RopeFrequencies(spec)) {}

void RopeTable::Fill(std::span<const int32_t> positions) {
  const size_t pairs = frequencies_.size();
  rows_ = static_cast<int64_t>(positions.size());
  cos_.resize(positions.size() * pairs);
  sin_.resize(positions.size() * pairs);
  size_t out = 0;
  for (const int32_t position : positions) {
    for (const double frequency : frequencies_) {
      const double angle = position * frequency;
      cos_[out] = static_cast<float>(std::cos(angle) * attention_factor_);
      sin_[out] = static_cast<float>(std::sin(angle) * attention_factor_);
      ++out;
    }
  }
}

void RopeTable::Apply(float* x, int64_t row_stride, int64_t heads, int64_t head_stride,
                      KernelContext& context) const {
  const size_t pairs = frequencies_.size();
  context.pool.ParallelFor(rows_, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const size_t at = static_cast<size_t>(row) * pairs;
      for (int64_t head = 0; head < heads; ++head) {
        HWY_DYNAMIC_DISPATCH(RotateSimd)
        (pairing_, &cos_[at], &sin_[at], pairs, x + row * row_stride + head * head_stride);
      }
    }
  });
}

void RopeReference(const RopeSpec& spec, int64_t position, std::span<float> head) {
  const std::vector<double> frequencies = RopeFrequencies(spec);
  const size_t pairs = frequencies.size();
  for (size_t i = 0; i < pairs; ++i) {
    const bool halves = spec.pairing == RopePairing::kHalves;
    float& first = head[halves ? i : 2 * i];
    float& second = head[halves ? i + pairs : 2 * i + 1];
    const double angle = static_cast<double>(position) * frequencies[i];
    const double c = std::cos(angle) * spec.attention_factor;
    const double s = std::sin(angle) * spec.attention_factor;
    const double a = first;
    const double b = second;
    first = static_cast<float>(a * c - b * s);
    second = static_cast<float>(b * c + a * s);
  }
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
