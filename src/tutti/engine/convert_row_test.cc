#include "tutti/engine/convert_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tutti/base/rng.h"
#include "tutti/tensor/decode.h"

namespace tutti::engine {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kCols = 512;
constexpr int64_t kColumn = 37;  // of the value that matters
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Two rows of numbers from -scale to scale; `odd` stands in the second.
std::vector<float> Values(float scale, float odd) {
  Rng rng(7);
  std::vector<float> values(2 * kCols);
  for (float& value : values) value = scale * static_cast<float>(2 * rng.NextDouble() - 1);
  values[kCols + kColumn] = odd;
  return values;
}

tensor::WeightView ViewOf(const std::vector<float>& values) {
  tensor::WeightView view;
  view.rows = 2;
  view.cols = kCols;
  view.data = reinterpret_cast<const std::byte*>(values.data());
  view.row_stride_bytes = kCols * static_cast<int64_t>(sizeof(float));
  return view;
}

struct Written {
  Status status;
  std::vector<std::byte> bytes;
  std::vector<float> decoded;
};

// The second row as `dtype`.
Written Write(const tensor::WeightView& from, DType dtype, bool importance = false) {
  Written written;
  const DTypeInfo& info = InfoOf(dtype);
  written.bytes.resize(static_cast<size_t>(kCols / info.block_size * info.block_bytes));
  std::vector<float> floats;
  std::vector<float> weights;
  if (importance) weights.assign(kCols, 3.0F);
  written.status = ConvertRow(from, 1, weights, dtype, floats, written.bytes);
  tensor::WeightView view;
  view.dtype = dtype;
  view.rows = 1;
  view.cols = kCols;
  view.data = written.bytes.data();
  view.row_stride_bytes = std::ssize(written.bytes);
  written.decoded.resize(kCols);
  if (written.status.ok()) DecodeRow(view, 0, written.decoded);
  return written;
}

std::vector<DType> Types() {
  std::vector<DType> types;
  for (int i = 0; i <= static_cast<int>(DType::kMXFP4Split); ++i) {
    if (CanConvertTo(static_cast<DType>(i))) types.push_back(static_cast<DType>(i));
  }
  return types;
}

TEST(ConvertRowTest, WhatIsNotFiniteIsRefused) {
  for (const float odd : {kNan, kInfinity, -kInfinity}) {
    const std::vector<float> values = Values(1, odd);
    for (const DType dtype : Types()) {
      for (const bool importance : {false, true}) {
        const Written written = Write(ViewOf(values), dtype, importance);
        if (dtype == DType::kF32) {
          EXPECT_TRUE(written.status.ok());
          continue;
        }
        ASSERT_EQ(written.status.code(), StatusCode::kData) << NameOf(dtype);
        EXPECT_THAT(written.status.message(), HasSubstr(fmt::format("row 1 holds {} in", odd)));
        EXPECT_THAT(written.status.message(), HasSubstr("column 37"));
        EXPECT_THAT(written.status.message(), HasSubstr("f32"));
      }
    }
  }
}

TEST(ConvertRowTest, WhatIsTooLargeIsRefusedAndTheRestIsFinite) {
  for (const float scale : {1.0F, 4000.0F}) {
    for (const float odd : {4095.0F, -65504.0F, 65520.0F, 1e6F, 3e7F, -1e12F, 1e30F, 3.4e38F}) {
      const std::vector<float> values = Values(scale, odd);
      for (const DType dtype : Types()) {
        for (const bool importance : {false, true}) {
          const Written written = Write(ViewOf(values), dtype, importance);
          if (!written.status.ok()) {
            ASSERT_EQ(written.status.code(), StatusCode::kData);
            EXPECT_THAT(written.status.message(), HasSubstr(fmt::format("row 1 holds {} in", odd)));
            EXPECT_GT(std::abs(odd), 4096) << NameOf(dtype);
            continue;
          }
          for (const float value : written.decoded) {
            ASSERT_TRUE(std::isfinite(value)) << NameOf(dtype) << " " << odd;
          }
        }
      }
    }
  }
}

TEST(ConvertRowTest, HowLargeValuesMayBe) {
  const auto fits = [](DType dtype, float odd) {
    const std::vector<float> values = Values(1, odd);
    return Write(ViewOf(values), dtype).status.ok();
  };
  EXPECT_TRUE(fits(DType::kF16, 65504));
  EXPECT_FALSE(fits(DType::kF16, 65520));
  EXPECT_FALSE(fits(DType::kF16, 1e6));
  EXPECT_TRUE(fits(DType::kQ4_0, 5e5)) << "a scale of 62500";
  EXPECT_FALSE(fits(DType::kQ4_0, 1e6)) << "a scale of 125000";
  EXPECT_FALSE(fits(DType::kQ4_1, 1e6));
  EXPECT_TRUE(fits(DType::kQ8_0, 1e6)) << "a scale of 7874";
  EXPECT_FALSE(fits(DType::kQ8_0, 1e7));
  EXPECT_TRUE(fits(DType::kQ6_K, 1e6));
  EXPECT_FALSE(fits(DType::kQ6_K, 1e12F));
  EXPECT_TRUE(fits(DType::kBF16, 1e30F));
  EXPECT_FALSE(fits(DType::kBF16, std::numeric_limits<float>::max())) << "rounded up";
  EXPECT_TRUE(fits(DType::kMXFP4, 1e30F));
  EXPECT_TRUE(fits(DType::kF32, std::numeric_limits<float>::max()));
}

TEST(ConvertRowTest, WhatHasItsFormatIsCopiedWhateverItHolds) {
  const std::vector<float> values = Values(1, kNan);
  const tensor::WeightView from = ViewOf(values);
  const Written written = Write(from, DType::kF32);
  ASSERT_TRUE(written.status.ok());
  EXPECT_EQ(
      std::memcmp(written.bytes.data(), from.data + from.row_stride_bytes, written.bytes.size()),
      0);
  std::vector<uint16_t> halves(2 * kCols, 0x7fc1);  // a NaN with a payload
  tensor::WeightView bf16 = from;
  bf16.dtype = DType::kBF16;
  bf16.data = reinterpret_cast<const std::byte*>(halves.data());
  bf16.row_stride_bytes = kCols * 2;
  const Written copied = Write(bf16, DType::kBF16);
  ASSERT_TRUE(copied.status.ok());
  EXPECT_EQ(std::memcmp(copied.bytes.data(), halves.data(), copied.bytes.size()), 0);
  EXPECT_FALSE(Write(bf16, DType::kQ8_0).status.ok());
}

}  // namespace
}  // namespace tutti::engine
