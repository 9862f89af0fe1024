#include "tutti/kernels/kv_layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tutti/base/rng.h"

namespace tutti::kernels {
namespace {

struct Line {
  alignas(64) std::byte bytes[64];
};

std::vector<Line> PageOf(const KvLayout& layout) {
  std::vector<Line> page(static_cast<size_t>(layout.BytesPerToken() * kKvBlockTokens / 64));
  std::memset(static_cast<void*>(page.data()), 0xff, page.size() * sizeof(Line));
  return page;
}

// Relative to the largest of 32, for numbers near 1.
float Error(KvType type) {
  switch (type) {
    case KvType::kF32:
      return 0;
    case KvType::kF16:
      return 0x1p-11f;
    case KvType::kBF16:
      return 0x1p-8f;
    case KvType::kQ8_0:
      return 0.57f / 127;  // half a step, and 127 times the rounding of the scale
  }
  return 0;
}

TEST(KvLayoutTest, EveryTokenOfEveryHeadComesBack) {
  Rng rng(3);
  for (const KvType type : kKvTypes) {
    for (const KvLayout& layout :
         {KvLayout{.type = type, .kv_heads = 3, .key_dim = 64, .value_dim = 128},
          KvLayout{.type = type, .kv_heads = 2, .key_dim = 33, .value_dim = 7},
          KvLayout{.type = type, .kv_heads = 1, .key_dim = 72, .value_dim = 64, .latent = true}}) {
      const auto key_dim = static_cast<size_t>(layout.key_dim);
      const auto value_dim = static_cast<size_t>(layout.value_dim);
      const auto heads = static_cast<size_t>(layout.kv_heads);
      std::vector<Line> memory = PageOf(layout);
      auto* page = reinterpret_cast<std::byte*>(memory.data());
      std::vector<std::vector<float>> keys, values;
      for (int64_t t = 0; t < kKvBlockTokens; ++t) {
        keys.emplace_back(heads * key_dim);
        values.emplace_back(heads * value_dim);
        for (float& v : keys.back()) v = static_cast<float>(rng.NextDouble() * 2 - 1);
        for (float& v : values.back()) v = static_cast<float>(rng.NextDouble() * 2 - 1);
        if (layout.latent) std::copy_n(keys.back().begin(), value_dim, values.back().begin());
        StoreToken(layout, keys.back().data(), values.back().data(), t, page);
      }
      std::vector<float> key(key_dim), value(value_dim);
      for (size_t t = 0; t < keys.size(); ++t) {
        for (size_t h = 0; h < heads; ++h) {
          const auto head = static_cast<int64_t>(h);
          LoadKey(layout, page, head, static_cast<int64_t>(t), key);
          LoadValue(layout, page, head, static_cast<int64_t>(t), value);
          for (size_t i = 0; i < key_dim; ++i) {
            // A rotated number is that of 64 errors, on a scale of up to three times the largest.
            const float error = layout.KeyRotation() > 1 ? 3.0f / 127 : Error(type);
            ASSERT_NEAR(key[i], keys[t][h * key_dim + i], error) << KvTypeName(type);
          }
          for (size_t i = 0; i < value_dim; ++i) {
            ASSERT_NEAR(value[i], values[t][h * value_dim + i], Error(type)) << KvTypeName(type);
          }
        }
      }
    }
  }
}

TEST(KvLayoutTest, BytesPerTokenAreThoseOfTheNumbersAndScales) {
  const auto bytes = [](KvType type) {
    return KvLayout{.type = type, .kv_heads = 4, .key_dim = 128, .value_dim = 128}.BytesPerToken();
  };
  EXPECT_EQ(bytes(KvType::kF32), 4 * 256 * 4);
  EXPECT_EQ(bytes(KvType::kF16), 4 * 256 * 2);
  EXPECT_EQ(bytes(KvType::kBF16), 4 * 256 * 2);
  EXPECT_EQ(bytes(KvType::kQ8_0), 4 * 256 / 32 * 34);
  const KvLayout latent{
      .type = KvType::kQ8_0, .kv_heads = 1, .key_dim = 576, .value_dim = 512, .latent = true};
  EXPECT_EQ(latent.BytesPerToken(), 576 / 32 * 34);
}

TEST(KvLayoutTest, NumbersAreRoundedToNearestEven) {
  const float infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {1.0f, 1.00390625f, 1.01171875f, -0.333333f, 65504, 1e-8f, 3e38f};
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    const KvLayout layout{.type = type, .kv_heads = 1, .key_dim = 7, .value_dim = 7};
    std::vector<Line> memory = PageOf(layout);
    auto* page = reinterpret_cast<std::byte*>(memory.data());
    StoreToken(layout, x.data(), x.data(), 5, page);
    std::vector<float> back(x.size()), value(x.size());
    LoadKey(layout, page, 0, 5, back);
    LoadValue(layout, page, 0, 5, value);
    EXPECT_EQ(back, value);
    EXPECT_EQ(back[0], 1.0f);
    if (type == KvType::kBF16) {
      EXPECT_EQ(back[1], 1.0f);       // 1 + 2^-8 is a tie: to even
      EXPECT_EQ(back[2], 1.015625f);  // 1 + 3 * 2^-8 is a tie: up to even
      EXPECT_NEAR(back[6], 3e38, 1e36);
    }
    if (type == KvType::kF16) {
      EXPECT_EQ(back[4], 65504);
      EXPECT_NEAR(back[3], -0.333333, 1e-4);
      EXPECT_EQ(back[6], infinite);
    }
    if (type == KvType::kF32) {
      EXPECT_EQ(back, x);
    }
  }
}

// A number that is none shows, also where a scale is shared.
TEST(KvLayoutTest, NotANumberIsNotForgotten) {
  for (const float poison : {std::nanf(""), -std::numeric_limits<float>::infinity(), 3e38f}) {
    const KvLayout layout{.type = KvType::kQ8_0, .kv_heads = 1, .key_dim = 128, .value_dim = 64};
    std::vector<float> key(128, 0.0f), value(64, 0.0f), back(128);
    key[100] = poison;
    value[40] = poison;
    std::vector<Line> memory = PageOf(layout);
    auto* page = reinterpret_cast<std::byte*>(memory.data());
    StoreToken(layout, key.data(), value.data(), 31, page);
    LoadKey(layout, page, 0, 31, back);
    for (size_t i = 0; i < 64; ++i) EXPECT_EQ(back[i], 0);
    EXPECT_FALSE(std::isfinite(back[100]));
    LoadValue(layout, page, 0, 31, std::span(back).first(64));
    for (size_t i = 0; i < 32; ++i) EXPECT_EQ(back[i], 0);
    EXPECT_FALSE(std::isfinite(back[40]));
  }
}

TEST(KvLayoutTest, NumbersTooSmallForAScaleAreZero) {
  const KvLayout layout{.type = KvType::kQ8_0, .kv_heads = 1, .key_dim = 32, .value_dim = 32};
  const std::vector<float> tiny(32, 1e-40f);
  std::vector<float> back(32, 1.0f);
  std::vector<Line> memory = PageOf(layout);
  auto* page = reinterpret_cast<std::byte*>(memory.data());
  StoreToken(layout, tiny.data(), tiny.data(), 0, page);
  LoadKey(layout, page, 0, 0, back);
  EXPECT_EQ(back, std::vector<float>(32, 0.0f));
}

TEST(KvLayoutTest, RotationIsItsOwnInverseAndKeepsScores) {
  Rng rng(4);
  for (int64_t size = 1; size <= kMaxRotation; size *= 2) {
    std::vector<float> x(128), y(128);
    for (float& v : x) v = static_cast<float>(rng.NextDouble() * 2 - 1);
    for (float& v : y) v = static_cast<float>(rng.NextDouble() * 2 - 1);
    std::vector<float> a = x, b = y;
    Rotate(size, a);
    Rotate(size, b);
    double before = 0, after = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      before += double{x[i]} * y[i];
      after += double{a[i]} * b[i];
    }
    EXPECT_NEAR(after, before, 1e-5) << size;
    EXPECT_EQ(a == x, size == 1) << size;
    // One number is spread evenly.
    std::vector<float> one(128, 0.0f);
    one[5] = 1;
    Rotate(size, one);
    EXPECT_NEAR(std::abs(one[static_cast<size_t>(5 / size * size)]),
                1 / std::sqrt(static_cast<float>(size)), size == 1 ? 1 : 1e-6)
        << size;
    Rotate(size, a);
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(a[i], x[i], 1e-6) << size;
  }
}

// What rotating is for: one large dimension does not cost the others their precision. Where the
// width has no power of two as a factor, keys are kept as they are.
TEST(KvLayoutTest, LargeDimensionsCostRotatedKeysLess) {
  Rng rng(5);
  const auto error = [&](int64_t key_dim) {
    const KvLayout layout{.type = KvType::kQ8_0, .kv_heads = 1, .key_dim = key_dim, .value_dim = 1};
    std::vector<float> key(static_cast<size_t>(key_dim)), back(key.size());
    for (float& v : key) v = static_cast<float>(rng.NextDouble() * 2 - 1);
    key[7] = 100;
    const float value = 0;
    std::vector<Line> memory = PageOf({.type = KvType::kQ8_0,
                                       .kv_heads = 1,
                                       .key_dim = RoundUp<int64_t>(key_dim, 32),
                                       .value_dim = 32});
    auto* page = reinterpret_cast<std::byte*>(memory.data());
    StoreToken(layout, key.data(), &value, 0, page);
    LoadKey(layout, page, 0, 0, back);
    double sum = 0;
    for (size_t i = 0; i < 32; ++i) sum += (back[i] - key[i]) * (back[i] - key[i]) / 32;
    return std::sqrt(sum);
  };
  EXPECT_EQ((KvLayout{.type = KvType::kQ8_0, .kv_heads = 1, .key_dim = 63}).KeyRotation(), 1);
  EXPECT_EQ((KvLayout{.type = KvType::kQ8_0, .kv_heads = 1, .key_dim = 80}).KeyRotation(), 16);
  EXPECT_EQ((KvLayout{.type = KvType::kBF16, .kv_heads = 1, .key_dim = 64}).KeyRotation(), 1);
  EXPECT_GT(error(63), 0.15);  // steps of 100 / 127
  EXPECT_LT(error(64), 0.05);  // of 13 / 127
}

}  // namespace
}  // namespace tutti::kernels
