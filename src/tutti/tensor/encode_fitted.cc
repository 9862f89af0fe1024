#include "tutti/tensor/encode_fitted.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tutti/base/check.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/half.h"

namespace tutti::tensor {
namespace {

constexpr int kLanes = kFitLanes;
using LaneFloats = std::array<float, kLanes>;
using LaneInts = std::array<int, kLanes>;

// Stores the f16 nearest to `value` and returns what decoders will read.
float StoreF16(float value, F16Field& field) {
  const uint16_t bits = FloatToF16(value);
  std::memcpy(field.bytes, &bits, sizeof bits);
  return field.ToFloat();
}

int Round(float x, int low, int high) {
  return std::clamp(static_cast<int>(std::lround(std::clamp(x, -1e6f, 1e6f))), low, high);
}

// Up to sixteen groups of a row, side by side, and how much each value's error matters.
class Batch {
 public:
  // `importance` may be null.
  Batch(const float* x, const float* importance, int groups, int n) : n_(n) {
    if (groups < kLanes) std::fill_n(x_, n * kLanes, 0.0f);
    for (int g = 0; g < groups; ++g) {
      for (int i = 0; i < n; ++i) x_[i * kLanes + g] = x[g * n + i];
    }
    LaneFloats mean_square{};
    for (int i = 0; i < n * kLanes; i += kLanes) {
      for (size_t g = 0; g < kLanes; ++g) mean_square[g] += x_[i + g] * x_[i + g];
    }
    for (float& square : mean_square) square /= static_cast<float>(n);
    if (importance == nullptr) {
      LaneFloats rms;
      for (size_t g = 0; g < kLanes; ++g) rms[g] = std::sqrt(mean_square[g]);
      for (int i = 0; i < n * kLanes; i += kLanes) {
        for (size_t g = 0; g < kLanes; ++g) w_[i + g] = rms[g] + std::abs(x_[i + g]);
      }
      return;
    }
    std::fill_n(w_, n * kLanes, 0.0f);
    for (int g = 0; g < groups; ++g) {
      for (int i = 0; i < n; ++i) {
        const float value = x[g * n + i];
        w_[i * kLanes + g] =
            importance[g * n + i] * std::sqrt(mean_square[static_cast<size_t>(g)] + value * value);
      }
    }
  }
  FitGroups groups() const { return {x_, w_, n_}; }

 private:
  int n_;
  float x_[kGroupMax * kLanes];
  float w_[kGroupMax * kLanes];
};

// Keeps, lane by lane, the candidate with the smallest error.
template <typename Candidate>
struct Best {
  std::array<Candidate, kLanes> of{};
  LaneFloats error;
  Best() { error.fill(INFINITY); }
  void Offer(const std::array<Candidate, kLanes>& candidates, const LaneFloats& errors) {
    for (size_t g = 0; g < kLanes; ++g) {
      if (!(errors[g] < error[g])) continue;
      error[g] = errors[g];
      of[g] = candidates[g];
    }
  }
};

// The levels of `count` groups from lane `first` on, one behind the other.
void Gather(const uint8_t* levels, int first, int count, int n, uint8_t* out) {
  for (int g = 0; g < count; ++g) {
    for (int i = 0; i < n; ++i) *out++ = levels[i * kLanes + first + g];
  }
}

constexpr int kBlock = 256;

// The inverse of UnpackScalesQ4_K (k_scales.h).
void PackScalesQ4_K(const uint8_t* scales, const uint8_t* minima, uint8_t packed[12]) {
  for (int i = 0; i < 4; ++i) {
    packed[i] = static_cast<uint8_t>(scales[i] | (scales[i + 4] >> 4) << 6);
    packed[i + 4] = static_cast<uint8_t>(minima[i] | (minima[i + 4] >> 4) << 6);
    packed[i + 8] = static_cast<uint8_t>((scales[i + 4] & 15) | (minima[i + 4] & 15) << 4);
  }
}

void StoreNibbles(const uint8_t* levels, uint8_t* qs) {  // 256 low nibbles, in pairs of groups
  for (int i = 0; i < kBlock; i += 64) {
    for (int j = 0; j < 32; ++j) {
      qs[i / 2 + j] = static_cast<uint8_t>((levels[i + j] & 15) | (levels[i + 32 + j] & 15) << 4);
    }
  }
}

void StoreHalves(const uint8_t* levels, uint8_t* qs) {  // 32 levels: low nibbles, high nibbles
  for (int i = 0; i < 16; ++i) {
    qs[i] = static_cast<uint8_t>((levels[i] & 15) | (levels[i + 16] & 15) << 4);
  }
}

void StoreFifthBits(const uint8_t* levels, uint8_t* qh) {
  uint32_t bits = 0;
  for (int i = 0; i < 32; ++i) bits |= static_cast<uint32_t>(levels[i] >> 4) << i;
  std::memcpy(qh, &bits, sizeof bits);
}

void Store(const uint8_t* scales, const uint8_t* minima, const uint8_t* levels, BlockQ2_K& block) {
  for (int g = 0; g < 16; ++g) block.scales[g] = static_cast<uint8_t>(scales[g] | minima[g] << 4);
  std::memset(block.qs, 0, sizeof block.qs);
  for (int i = 0; i < kBlock; ++i) {
    const int byte = 32 * (i / 128) + i % 32;
    block.qs[byte] = static_cast<uint8_t>(block.qs[byte] | levels[i] << (i % 128 / 32 * 2));
  }
}

void Store(const uint8_t* scales, const uint8_t* minima, const uint8_t* levels, BlockQ4_K& block) {
  PackScalesQ4_K(scales, minima, block.scales);
  StoreNibbles(levels, block.qs);
}

void Store(const uint8_t* scales, const uint8_t* minima, const uint8_t* levels, BlockQ5_K& block) {
  PackScalesQ4_K(scales, minima, block.scales);
  StoreNibbles(levels, block.qs);
  std::memset(block.qh, 0, sizeof block.qh);
  for (int i = 0; i < kBlock; ++i) {
    block.qh[i % 32] = static_cast<uint8_t>(block.qh[i % 32] | (levels[i] >> 4) << (i / 32));
  }
}

void Store(const int* scales, const uint8_t* levels, BlockQ3_K& block) {
  std::memset(block.scales, 0, sizeof block.scales);
  for (int g = 0; g < 16; ++g) {
    const int scale = scales[g] + 32;
    uint8_t& low = block.scales[g % 8];
    uint8_t& high = block.scales[8 + g % 4];
    low = static_cast<uint8_t>(low | (scale & 15) << (g / 8 * 4));
    high = static_cast<uint8_t>(high | (scale >> 4) << (g / 4 * 2));
  }
  std::memset(block.qs, 0, sizeof block.qs);
  std::memset(block.hmask, 0, sizeof block.hmask);
  for (int i = 0; i < kBlock; ++i) {
    uint8_t& low = block.qs[32 * (i / 128) + i % 32];
    low = static_cast<uint8_t>(low | (levels[i] & 3) << (i % 128 / 32 * 2));
    uint8_t& high = block.hmask[i % 32];
    high = static_cast<uint8_t>(high | (levels[i] >> 2) << (i / 32));
  }
}

void Store(const int* scales, const uint8_t* levels, BlockQ6_K& block) {
  for (int g = 0; g < 16; ++g) block.scales[g] = static_cast<int8_t>(scales[g]);
  std::memset(block.ql, 0, sizeof block.ql);
  std::memset(block.qh, 0, sizeof block.qh);
  for (int i = 0; i < kBlock; ++i) {
    const int half = i / 128, quarter = i % 128 / 32;
    uint8_t& low = block.ql[64 * half + 32 * (quarter % 2) + i % 32];
    uint8_t& high = block.qh[32 * half + i % 32];
    low = static_cast<uint8_t>(low | (levels[i] & 15) << (quarter / 2 * 4));
    high = static_cast<uint8_t>(high | (levels[i] >> 4) << (2 * quarter));
  }
}

void Store(const int* scales, const uint8_t* levels, BlockIQ4_XS& block) {
  std::memset(block.scales_l, 0, sizeof block.scales_l);
  uint16_t scales_high = 0;
  for (int g = 0; g < 8; ++g) {
    const int stored = scales[g] + 32;
    uint8_t& low = block.scales_l[g / 2];
    low = static_cast<uint8_t>(low | (stored & 15) << (g % 2 * 4));
    scales_high = static_cast<uint16_t>(scales_high | (stored >> 4) << (2 * g));
    StoreHalves(levels + 32 * g, block.qs + 16 * g);
  }
  std::memcpy(block.scales_h, &scales_high, sizeof scales_high);
}

void Store(const uint8_t* levels, BlockQ4_0& block) { StoreHalves(levels, block.qs); }
void Store(const uint8_t* levels, BlockQ4_1& block) { StoreHalves(levels, block.qs); }
void Store(const uint8_t* levels, BlockIQ4_NL& block) { StoreHalves(levels, block.qs); }
void Store(const uint8_t* levels, BlockQ5_0& block) {
  StoreHalves(levels, block.qs);
  StoreFifthBits(levels, block.qh);
}
void Store(const uint8_t* levels, BlockQ5_1& block) {
  StoreHalves(levels, block.qs);
  StoreFifthBits(levels, block.qh);
}

// Q2_K, Q4_K, Q5_K: groups with a scale and a minimum, both small integers times f16.
template <typename Block, int kGroup, int kMaxLevel, int kMaxScale>
void EncodeAffineK(const Batch& batch, const GroupFits& fits, int blocks, Block* out) {
  constexpr int kGroups = kBlock / kGroup;
  constexpr AffineGrid kGrid{.max_level = kMaxLevel};
  LaneFloats fit_scale, fit_minimum, d{}, dmin{}, scale, minimum, error;
  fits.fit_affine(batch.groups(), kGrid, fit_scale.data(), fit_minimum.data());
  LaneInts scale_near{}, minimum_near{};
  for (int g = 0; g < blocks * kGroups; ++g) {
    const auto lane = static_cast<size_t>(g);
    if (g % kGroups == 0) {
      const float largest_scale = *std::max_element(&fit_scale[lane], &fit_scale[lane] + kGroups);
      const float largest_minimum =
          *std::max_element(&fit_minimum[lane], &fit_minimum[lane] + kGroups);
      d[lane] = StoreF16(largest_scale / kMaxScale, out[g / kGroups].d);
      dmin[lane] = StoreF16(largest_minimum / kMaxScale, out[g / kGroups].dmin);
    } else {
      d[lane] = d[lane - 1];
      dmin[lane] = dmin[lane - 1];
    }
    if (d[lane] > 0) scale_near[lane] = Round(fit_scale[lane] / d[lane], 0, kMaxScale);
    if (dmin[lane] > 0) minimum_near[lane] = Round(fit_minimum[lane] / dmin[lane], 0, kMaxScale);
  }

  struct Pair {
    uint8_t scale = 0, minimum = 0;
  };
  Best<Pair> best;
  std::array<Pair, kLanes> candidates;
  const auto decode = [&](const std::array<Pair, kLanes>& pairs) {
    for (size_t g = 0; g < kLanes; ++g) {
      scale[g] = d[g] * static_cast<float>(pairs[g].scale);
      minimum[g] = dmin[g] * static_cast<float>(pairs[g].minimum);
    }
  };
  for (int s = -1; s <= 1; ++s) {
    for (int m = -1; m <= 1; ++m) {
      for (size_t g = 0; g < kLanes; ++g) {
        candidates[g] = {static_cast<uint8_t>(std::clamp(scale_near[g] + s, 0, kMaxScale)),
                         static_cast<uint8_t>(std::clamp(minimum_near[g] + m, 0, kMaxScale))};
      }
      decode(candidates);
      fits.place_affine(batch.groups(), kGrid, scale.data(), minimum.data(), nullptr, error.data());
      best.Offer(candidates, error);
    }
  }
  decode(best.of);
  uint8_t lane_levels[kGroup * kLanes];
  fits.place_affine(batch.groups(), kGrid, scale.data(), minimum.data(), lane_levels, error.data());
  for (int b = 0; b < blocks; ++b) {
    uint8_t scales[kGroups], minima[kGroups], levels[kBlock];
    for (int g = 0; g < kGroups; ++g) {
      scales[g] = best.of[static_cast<size_t>(b * kGroups + g)].scale;
      minima[g] = best.of[static_cast<size_t>(b * kGroups + g)].minimum;
    }
    Gather(lane_levels, b * kGroups, kGroups, kGroup, levels);
    Store(scales, minima, levels, out[b]);
  }
}

// Q3_K, Q6_K, IQ4_XS: groups with a signed scale, a small integer times f16.
template <typename Block, int kGroup, int kLow, int kHigh, bool kNonLinear, int kLowestScale>
void EncodeScaledK(const Batch& batch, const GroupFits& fits, int blocks, Block* out) {
  constexpr int kGroups = kBlock / kGroup;
  constexpr ScaledGrid kGrid{.low = kLow, .high = kHigh, .non_linear = kNonLinear};
  LaneFloats fit, d{}, scale, error;
  fits.fit_scaled(batch.groups(), kGrid, fit.data());
  LaneInts near{};
  for (int g = 0; g < blocks * kGroups; ++g) {
    const auto lane = static_cast<size_t>(g);
    if (g % kGroups == 0) {
      float largest = 0;
      for (size_t i = lane; i < lane + kGroups; ++i) {
        if (std::abs(fit[i]) > std::abs(largest)) largest = fit[i];
      }
      d[lane] = StoreF16(largest / kLowestScale, out[g / kGroups].d);
    } else {
      d[lane] = d[lane - 1];
    }
    if (d[lane] != 0) near[lane] = Round(fit[lane] / d[lane], kLowestScale, -kLowestScale - 1);
  }

  Best<int> best;
  LaneInts candidates;
  const auto decode = [&](const LaneInts& scales) {
    for (size_t g = 0; g < kLanes; ++g) scale[g] = d[g] * static_cast<float>(scales[g]);
  };
  for (int s = -1; s <= 1; ++s) {
    for (size_t g = 0; g < kLanes; ++g) {
      candidates[g] = std::clamp(near[g] + s, kLowestScale, -kLowestScale - 1);
    }
    decode(candidates);
    fits.place_scaled(batch.groups(), kGrid, scale.data(), nullptr, error.data());
    best.Offer(candidates, error);
  }
  decode(best.of);
  uint8_t lane_levels[kGroup * kLanes];
  fits.place_scaled(batch.groups(), kGrid, scale.data(), lane_levels, error.data());
  for (int b = 0; b < blocks; ++b) {
    uint8_t levels[kBlock];
    Gather(lane_levels, b * kGroups, kGroups, kGroup, levels);
    Store(&best.of[static_cast<size_t>(b * kGroups)], levels, out[b]);
  }
}

// Q4_1, Q5_1: blocks of 32 with a scale and a minimum of any sign.
template <typename Block, int kMaxLevel>
void EncodeAffine32(const Batch& batch, const GroupFits& fits, int blocks, Block* out) {
  constexpr AffineGrid kGrid{.max_level = kMaxLevel, .signed_minimum = true};
  LaneFloats scale, minimum, error;
  fits.fit_affine(batch.groups(), kGrid, scale.data(), minimum.data());
  for (size_t b = 0; b < static_cast<size_t>(blocks); ++b) {
    scale[b] = StoreF16(scale[b], out[b].d);
    minimum[b] = -StoreF16(-minimum[b], out[b].m);
  }
  uint8_t lane_levels[32 * kLanes], levels[32];
  fits.place_affine(batch.groups(), kGrid, scale.data(), minimum.data(), lane_levels, error.data());
  for (int b = 0; b < blocks; ++b) {
    Gather(lane_levels, b, 1, 32, levels);
    Store(levels, out[b]);
  }
}

// Q4_0, Q5_0, IQ4_NL: blocks of 32 with a scale.
template <typename Block, int kLow, int kHigh, bool kNonLinear>
void EncodeScaled32(const Batch& batch, const GroupFits& fits, int blocks, Block* out) {
  constexpr ScaledGrid kGrid{.low = kLow, .high = kHigh, .non_linear = kNonLinear};
  LaneFloats scale, error;
  fits.fit_scaled(batch.groups(), kGrid, scale.data());
  for (size_t b = 0; b < static_cast<size_t>(blocks); ++b) scale[b] = StoreF16(scale[b], out[b].d);
  uint8_t lane_levels[32 * kLanes], levels[32];
  fits.place_scaled(batch.groups(), kGrid, scale.data(), lane_levels, error.data());
  for (int b = 0; b < blocks; ++b) {
    Gather(lane_levels, b, 1, 32, levels);
    Store(levels, out[b]);
  }
}

template <typename Block, void (*kEncode)(const Batch&, const GroupFits&, int, Block*)>
void EncodeRow(std::span<const float> in, const float* importance, int block_size, int group_size,
               const GroupFits& fits, std::byte* out) {
  static_assert(alignof(Block) == 1);
  const int batch_values = kLanes * group_size;
  auto* block = reinterpret_cast<Block*>(out);
  for (size_t i = 0; i < in.size(); i += static_cast<size_t>(batch_values)) {
    const int values = std::min(batch_values, static_cast<int>(in.size() - i));
    const Batch batch(&in[i], importance == nullptr ? nullptr : importance + i, values / group_size,
                      group_size);
    kEncode(batch, fits, values / block_size, block);
    block += values / block_size;
  }
}

struct Encoder {
  void (*encode)(std::span<const float> in, const float* importance, int block_size, int group_size,
                 const GroupFits& fits, std::byte* out) = nullptr;
  int group_size = 0;
};

Encoder EncoderOf(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return {EncodeRow<BlockQ4_0, EncodeScaled32<BlockQ4_0, -8, 7, false>>, 32};
    case DType::kQ4_1:
      return {EncodeRow<BlockQ4_1, EncodeAffine32<BlockQ4_1, 15>>, 32};
    case DType::kQ5_0:
      return {EncodeRow<BlockQ5_0, EncodeScaled32<BlockQ5_0, -16, 15, false>>, 32};
    case DType::kQ5_1:
      return {EncodeRow<BlockQ5_1, EncodeAffine32<BlockQ5_1, 31>>, 32};
    case DType::kQ2_K:
      return {EncodeRow<BlockQ2_K, EncodeAffineK<BlockQ2_K, 16, 3, 15>>, 16};
    case DType::kQ3_K:
      return {EncodeRow<BlockQ3_K, EncodeScaledK<BlockQ3_K, 16, -4, 3, false, -32>>, 16};
    case DType::kQ4_K:
      return {EncodeRow<BlockQ4_K, EncodeAffineK<BlockQ4_K, 32, 15, 63>>, 32};
    case DType::kQ5_K:
      return {EncodeRow<BlockQ5_K, EncodeAffineK<BlockQ5_K, 32, 31, 63>>, 32};
    case DType::kQ6_K:
      return {EncodeRow<BlockQ6_K, EncodeScaledK<BlockQ6_K, 16, -32, 31, false, -128>>, 16};
    case DType::kIQ4_NL:
      return {EncodeRow<BlockIQ4_NL, EncodeScaled32<BlockIQ4_NL, 0, 0, true>>, 32};
    case DType::kIQ4_XS:
      return {EncodeRow<BlockIQ4_XS, EncodeScaledK<BlockIQ4_XS, 32, 0, 0, true, -32>>, 32};
    default:
      return {};
  }
}

}  // namespace

bool CanEncodeFitted(DType dtype) { return EncoderOf(dtype).encode != nullptr; }

void EncodeFittedRow(DType dtype, std::span<const float> in, std::span<const float> importance,
                     std::span<std::byte> out, const GroupFits& fits) {
  const Encoder encoder = EncoderOf(dtype);
  const DTypeInfo& info = InfoOf(dtype);
  const size_t size = static_cast<size_t>(info.block_size);
  TUTTI_CHECK(encoder.encode != nullptr, "no careful encoder of this type");
  TUTTI_CHECK(in.size() % size == 0, "a row must consist of whole blocks");
  TUTTI_CHECK(out.size() == in.size() / size * static_cast<size_t>(info.block_bytes),
              "the output does not fit the row");
  TUTTI_CHECK(importance.empty() || importance.size() == in.size(), "one weight per column");
  encoder.encode(in, importance.empty() ? nullptr : importance.data(), info.block_size,
                 encoder.group_size, fits, out.data());
}

}  // namespace tutti::tensor
