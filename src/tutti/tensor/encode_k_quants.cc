#include "tutti/tensor/encode_k_quants.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tutti/base/check.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/encode_fit.h"
#include "tutti/tensor/half.h"
#include "tutti/tensor/iq_tables.h"

namespace tutti::tensor {
namespace {

constexpr int kBlock = 256;

// Stores the f16 nearest to `value` and returns what decoders will read.
float StoreF16(float value, F16Field& field) {
  const uint16_t bits = FloatToF16(value);
  std::memcpy(field.bytes, &bits, sizeof bits);
  return field.ToFloat();
}

int Round(float x, int low, int high) {
  return std::clamp(static_cast<int>(std::lround(std::clamp(x, -1e6f, 1e6f))), low, high);
}

// How much each value's error matters.
void FillWeights(const float* x, const float* importance, int n, float* w) {
  float squares = 0;
  for (int i = 0; i < n; ++i) squares += x[i] * x[i];
  const float rms = std::sqrt(squares / static_cast<float>(n));
  for (int i = 0; i < n; ++i) {
    w[i] = importance == nullptr ? rms + std::abs(x[i])
                                 : importance[i] * std::sqrt(rms * rms + x[i] * x[i]);
  }
}

// The levels of one group for a scale and a minimum as they are decoded, and their error.
float AffineError(const float* x, const float* w, int n, float scale, float minimum, int max_level,
                  uint8_t* levels) {
  const float inverse = scale > 0 ? 1 / scale : 0;
  float error = 0;
  for (int i = 0; i < n; ++i) {
    levels[i] = static_cast<uint8_t>(Round((x[i] + minimum) * inverse, 0, max_level));
    const float difference = scale * static_cast<float>(levels[i]) - minimum - x[i];
    error += w[i] * difference * difference;
  }
  return error;
}

// Q2_K, Q4_K, Q5_K: groups with a scale and a minimum, both small integers times f16.
struct AffineBlock {
  float d = 0, dmin = 0;
  uint8_t scales[16] = {};
  uint8_t minima[16] = {};
  uint8_t levels[kBlock] = {};
};

template <int kGroup, int kMaxLevel, int kMaxScale, typename Block>
AffineBlock EncodeAffine(const float* x, const float* importance, Block& block) {
  constexpr int kGroups = kBlock / kGroup;
  AffineBlock out;
  float w[kBlock];
  AffineFit fits[kGroups];
  float largest_scale = 0, largest_minimum = 0;
  for (int g = 0; g < kGroups; ++g) {
    const int at = g * kGroup;
    FillWeights(x + at, importance == nullptr ? nullptr : importance + at, kGroup, w + at);
    fits[g] = FitAffine(x + at, w + at, kGroup, kMaxLevel);
    largest_scale = std::max(largest_scale, fits[g].scale);
    largest_minimum = std::max(largest_minimum, fits[g].minimum);
  }
  out.d = StoreF16(largest_scale / kMaxScale, block.d);
  out.dmin = StoreF16(largest_minimum / kMaxScale, block.dmin);
  for (int g = 0; g < kGroups; ++g) {
    const int at = g * kGroup;
    const int scale = out.d > 0 ? Round(fits[g].scale / out.d, 0, kMaxScale) : 0;
    const int minimum = out.dmin > 0 ? Round(fits[g].minimum / out.dmin, 0, kMaxScale) : 0;
    float best_error = INFINITY;
    uint8_t levels[kGroup];
    for (int s = std::max(0, scale - 1); s <= std::min(kMaxScale, scale + 1); ++s) {
      for (int m = std::max(0, minimum - 1); m <= std::min(kMaxScale, minimum + 1); ++m) {
        const float error = AffineError(x + at, w + at, kGroup, out.d * static_cast<float>(s),
                                        out.dmin * static_cast<float>(m), kMaxLevel, levels);
        if (!(error < best_error)) continue;
        best_error = error;
        out.scales[g] = static_cast<uint8_t>(s);
        out.minima[g] = static_cast<uint8_t>(m);
        std::copy_n(levels, kGroup, out.levels + at);
      }
    }
  }
  return out;
}

// The inverse of UnpackScalesQ4_K (k_scales.h).
void PackScalesQ4_K(const uint8_t* scales, const uint8_t* minima, uint8_t packed[12]) {
  for (int i = 0; i < 4; ++i) {
    packed[i] = static_cast<uint8_t>(scales[i] | (scales[i + 4] >> 4) << 6);
    packed[i + 4] = static_cast<uint8_t>(minima[i] | (minima[i + 4] >> 4) << 6);
    packed[i + 8] = static_cast<uint8_t>((scales[i + 4] & 15) | (minima[i + 4] & 15) << 4);
  }
}

void EncodeQ2_K(const float* x, const float* importance, BlockQ2_K& block) {
  const AffineBlock a = EncodeAffine<16, 3, 15>(x, importance, block);
  for (int g = 0; g < 16; ++g) {
    block.scales[g] = static_cast<uint8_t>(a.scales[g] | a.minima[g] << 4);
  }
  std::memset(block.qs, 0, sizeof block.qs);
  for (int i = 0; i < kBlock; ++i) {
    const int byte = 32 * (i / 128) + i % 32;
    block.qs[byte] = static_cast<uint8_t>(block.qs[byte] | a.levels[i] << (i % 128 / 32 * 2));
  }
}

void StoreNibbles(const uint8_t* levels, uint8_t* qs) {  // 256 low nibbles, in pairs of groups
  for (int i = 0; i < kBlock; i += 64) {
    for (int j = 0; j < 32; ++j) {
      qs[i / 2 + j] = static_cast<uint8_t>((levels[i + j] & 15) | (levels[i + 32 + j] & 15) << 4);
    }
  }
}

void EncodeQ4_K(const float* x, const float* importance, BlockQ4_K& block) {
  const AffineBlock a = EncodeAffine<32, 15, 63>(x, importance, block);
  PackScalesQ4_K(a.scales, a.minima, block.scales);
  StoreNibbles(a.levels, block.qs);
}

void EncodeQ5_K(const float* x, const float* importance, BlockQ5_K& block) {
  const AffineBlock a = EncodeAffine<32, 31, 63>(x, importance, block);
  PackScalesQ4_K(a.scales, a.minima, block.scales);
  StoreNibbles(a.levels, block.qs);
  std::memset(block.qh, 0, sizeof block.qh);
  for (int i = 0; i < kBlock; ++i) {
    block.qh[i % 32] = static_cast<uint8_t>(block.qh[i % 32] | (a.levels[i] >> 4) << (i / 32));
  }
}

// Q3_K, Q6_K: groups of 16 with a signed scale; levels are stored with the offset -kLow.
struct SymmetricBlock {
  int8_t scales[16] = {};
  uint8_t levels[kBlock] = {};  // level - kLow
};

template <int kLow, int kHigh, int kLowestScale, typename Block>
SymmetricBlock EncodeSymmetric(const float* x, const float* importance, Block& block) {
  constexpr int kGroup = 16;
  SymmetricBlock out;
  float w[kBlock], fits[16];
  float largest = 0;
  for (int g = 0; g < 16; ++g) {
    const int at = g * kGroup;
    FillWeights(x + at, importance == nullptr ? nullptr : importance + at, kGroup, w + at);
    fits[g] = FitSymmetric(x + at, w + at, kGroup, kLow, kHigh);
    if (std::abs(fits[g]) > std::abs(largest)) largest = fits[g];
  }
  const float d = StoreF16(largest / kLowestScale, block.d);
  for (int g = 0; g < 16; ++g) {
    const int at = g * kGroup;
    const int scale = d != 0 ? Round(fits[g] / d, kLowestScale, -kLowestScale - 1) : 0;
    float best_error = INFINITY;
    for (int s = std::max(kLowestScale, scale - 1); s <= std::min(-kLowestScale - 1, scale + 1);
         ++s) {
      const float decoded = d * static_cast<float>(s);
      const float inverse = decoded != 0 ? 1 / decoded : 0;
      float error = 0;
      uint8_t levels[kGroup];
      for (int i = 0; i < kGroup; ++i) {
        const int level = Round(x[at + i] * inverse, kLow, kHigh);
        levels[i] = static_cast<uint8_t>(level - kLow);
        const float difference = decoded * static_cast<float>(level) - x[at + i];
        error += w[at + i] * difference * difference;
      }
      if (!(error < best_error)) continue;
      best_error = error;
      out.scales[g] = static_cast<int8_t>(s);
      std::copy_n(levels, kGroup, out.levels + at);
    }
  }
  return out;
}

void EncodeQ3_K(const float* x, const float* importance, BlockQ3_K& block) {
  const SymmetricBlock s = EncodeSymmetric<-4, 3, -32>(x, importance, block);
  std::memset(block.scales, 0, sizeof block.scales);
  for (int g = 0; g < 16; ++g) {
    const int scale = s.scales[g] + 32;
    uint8_t& low = block.scales[g % 8];
    uint8_t& high = block.scales[8 + g % 4];
    low = static_cast<uint8_t>(low | (scale & 15) << (g / 8 * 4));
    high = static_cast<uint8_t>(high | (scale >> 4) << (g / 4 * 2));
  }
  std::memset(block.qs, 0, sizeof block.qs);
  std::memset(block.hmask, 0, sizeof block.hmask);
  for (int i = 0; i < kBlock; ++i) {
    uint8_t& low = block.qs[32 * (i / 128) + i % 32];
    low = static_cast<uint8_t>(low | (s.levels[i] & 3) << (i % 128 / 32 * 2));
    uint8_t& high = block.hmask[i % 32];
    high = static_cast<uint8_t>(high | (s.levels[i] >> 2) << (i / 32));
  }
}

void EncodeQ6_K(const float* x, const float* importance, BlockQ6_K& block) {
  const SymmetricBlock s = EncodeSymmetric<-32, 31, -128>(x, importance, block);
  std::copy_n(s.scales, 16, block.scales);
  std::memset(block.ql, 0, sizeof block.ql);
  std::memset(block.qh, 0, sizeof block.qh);
  for (int i = 0; i < kBlock; ++i) {
    const int half = i / 128, quarter = i % 128 / 32;
    uint8_t& low = block.ql[64 * half + 32 * (quarter % 2) + i % 32];
    uint8_t& high = block.qh[32 * half + i % 32];
    low = static_cast<uint8_t>(low | (s.levels[i] & 15) << (quarter / 2 * 4));
    high = static_cast<uint8_t>(high | (s.levels[i] >> 4) << (2 * quarter));
  }
}

float NonLinearLevels(const float* x, const float* w, float scale, uint8_t* levels) {
  const float inverse = scale != 0 ? 1 / scale : 0;
  float error = 0;
  for (int i = 0; i < 32; ++i) {
    levels[i] = NearestNonLinear4(x[i] * inverse);
    const float difference = scale * static_cast<float>(kNonLinear4[levels[i]]) - x[i];
    error += w[i] * difference * difference;
  }
  return error;
}

void StoreHalves(const uint8_t* levels, uint8_t* qs) {  // 32 levels: low nibbles, high nibbles
  for (int i = 0; i < 16; ++i) qs[i] = static_cast<uint8_t>(levels[i] | levels[i + 16] << 4);
}

void EncodeIQ4_NL(const float* x, const float* importance, BlockIQ4_NL& block) {
  float w[32];
  uint8_t levels[32];
  FillWeights(x, importance, 32, w);
  const float d = StoreF16(FitNonLinear4(x, w, 32), block.d);
  (void)NonLinearLevels(x, w, d, levels);
  StoreHalves(levels, block.qs);
}

void EncodeIQ4_XS(const float* x, const float* importance, BlockIQ4_XS& block) {
  float w[kBlock], fits[8];
  float largest = 0;
  for (int g = 0; g < 8; ++g) {
    FillWeights(x + 32 * g, importance == nullptr ? nullptr : importance + 32 * g, 32, w + 32 * g);
    fits[g] = FitNonLinear4(x + 32 * g, w + 32 * g, 32);
    if (std::abs(fits[g]) > std::abs(largest)) largest = fits[g];
  }
  const float d = StoreF16(largest / -32, block.d);
  std::memset(block.scales_l, 0, sizeof block.scales_l);
  uint16_t scales_high = 0;
  for (int g = 0; g < 8; ++g) {
    const int scale = d != 0 ? Round(fits[g] / d, -32, 31) : 0;
    float best_error = INFINITY;
    int best = 0;
    uint8_t levels[32], best_levels[32] = {};
    for (int s = std::max(-32, scale - 1); s <= std::min(31, scale + 1); ++s) {
      const float error =
          NonLinearLevels(x + 32 * g, w + 32 * g, d * static_cast<float>(s), levels);
      if (!(error < best_error)) continue;
      best_error = error;
      best = s;
      std::copy_n(levels, 32, best_levels);
    }
    const int stored = best + 32;
    uint8_t& low = block.scales_l[g / 2];
    low = static_cast<uint8_t>(low | (stored & 15) << (g % 2 * 4));
    scales_high = static_cast<uint16_t>(scales_high | (stored >> 4) << (2 * g));
    StoreHalves(best_levels, block.qs + 16 * g);
  }
  std::memcpy(block.scales_h, &scales_high, sizeof scales_high);
}

using BlockEncoder = void (*)(const float* x, const float* importance, std::byte* out);

template <typename Block, void (*kEncode)(const float*, const float*, Block&)>
void EncodeBlock(const float* x, const float* importance, std::byte* out) {
  Block block;
  kEncode(x, importance, block);
  std::memcpy(out, &block, sizeof block);
}

BlockEncoder EncoderOf(DType dtype) {
  switch (dtype) {
    case DType::kQ2_K:
      return EncodeBlock<BlockQ2_K, EncodeQ2_K>;
    case DType::kQ3_K:
      return EncodeBlock<BlockQ3_K, EncodeQ3_K>;
    case DType::kQ4_K:
      return EncodeBlock<BlockQ4_K, EncodeQ4_K>;
    case DType::kQ5_K:
      return EncodeBlock<BlockQ5_K, EncodeQ5_K>;
    case DType::kQ6_K:
      return EncodeBlock<BlockQ6_K, EncodeQ6_K>;
    case DType::kIQ4_NL:
      return EncodeBlock<BlockIQ4_NL, EncodeIQ4_NL>;
    case DType::kIQ4_XS:
      return EncodeBlock<BlockIQ4_XS, EncodeIQ4_XS>;
    default:
      return nullptr;
  }
}

}  // namespace

bool CanEncodeKQuant(DType dtype) { return EncoderOf(dtype) != nullptr; }

void EncodeKQuantRow(DType dtype, std::span<const float> in, std::span<const float> importance,
                     std::span<std::byte> out) {
  const BlockEncoder encode = EncoderOf(dtype);
  const DTypeInfo& info = InfoOf(dtype);
  const size_t size = static_cast<size_t>(info.block_size);
  TUTTI_CHECK(encode != nullptr, "no careful encoder of this type");
  TUTTI_CHECK(in.size() % size == 0, "a row must consist of whole blocks");
  TUTTI_CHECK(out.size() == in.size() / size * static_cast<size_t>(info.block_bytes),
              "the output does not fit the row");
  TUTTI_CHECK(importance.empty() || importance.size() == in.size(), "one weight per column");
  std::byte* target = out.data();
  for (size_t i = 0; i < in.size(); i += size) {
    encode(&in[i], importance.empty() ? nullptr : &importance[i], target);
    target += info.block_bytes;
  }
}

}  // namespace tutti::tensor
