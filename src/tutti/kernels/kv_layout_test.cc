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
      return 0.51f / 127;
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
            ASSERT_NEAR(key[i], keys[t][h * key_dim + i], Error(type)) << KvTypeName(type);
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
    const KvLayout layout{.type = KvType::kQ8_0, .kv_heads = 1, .key_dim = 64, .value_dim = 32};
    std::vector<float> key(64, 0.0f), value(32, 0.0f), back(64);
    key[40] = poison;
    std::vector<Line> memory = PageOf(layout);
    auto* page = reinterpret_cast<std::byte*>(memory.data());
    StoreToken(layout, key.data(), value.data(), 31, page);
    LoadKey(layout, page, 0, 31, back);
    for (size_t i = 0; i < 32; ++i) EXPECT_EQ(back[i], 0);
    EXPECT_FALSE(std::isfinite(back[40]));
    LoadValue(layout, page, 0, 31, std::span(back).first(32));
    for (size_t i = 0; i < 32; ++i) EXPECT_EQ(back[i], 0);
  }
}

}  // namespace
}  // namespace tutti::kernels
