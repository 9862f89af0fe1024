// Decoders against what other implementations computed (tests/golden/quants, shared fixtures).
#include "tutti/tensor/decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/recorded_tensors.h"
#include "tests/shared_fixtures.h"
#include "tutti/base/rng.h"
#include "tutti/tensor/blocks.h"

namespace tutti::tensor {
namespace {

using testing::RecordedTensors;
using testing::SharedFixture;

constexpr DType kBlockTypes[] = {
    DType::kF16,   DType::kBF16,    DType::kQ4_0,   DType::kQ4_1,    DType::kQ5_0,
    DType::kQ5_1,  DType::kQ8_0,    DType::kQ2_K,   DType::kQ3_K,    DType::kQ4_K,
    DType::kQ5_K,  DType::kQ6_K,    DType::kIQ4_NL, DType::kIQ4_XS,  DType::kMXFP4,
    DType::kNVFP4, DType::kIQ1_S,   DType::kIQ1_M,  DType::kIQ2_XXS, DType::kIQ2_XS,
    DType::kIQ2_S, DType::kIQ3_XXS, DType::kIQ3_S,  DType::kTQ1_0,   DType::kTQ2_0};

// Decodes rows from a copy that ends where the last row ends, so that the address sanitizer sees
// any byte read behind it.
std::vector<float> Decode(DType dtype, std::span<const std::byte> raw, int64_t rows, int64_t cols) {
  const std::vector<std::byte> copy(raw.begin(), raw.end());
  WeightView view;
  view.dtype = dtype;
  view.rows = rows;
  view.cols = cols;
  view.data = copy.data();
  view.row_stride_bytes = static_cast<int64_t>(raw.size()) / rows;
  std::vector<float> out(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) {
    DecodeRow(view, r,
              std::span(out).subspan(static_cast<size_t>(r * cols), static_cast<size_t>(cols)));
  }
  return out;
}

// Equal as numbers: any NaN equals any NaN, zero equals minus zero.
void ExpectSame(std::span<const float> actual, std::span<const float> expected,
                const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  ASSERT_FALSE(actual.empty()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(actual[i]) && std::isnan(expected[i])) continue;
    ASSERT_EQ(actual[i], expected[i]) << what << " at " << i;
  }
}

void ExpectDecodes(DType dtype, const RecordedTensors& file, const std::string& raw_name,
                   const std::string& f32_name) {
  const std::vector<int64_t> shape = file.Shape(f32_name);
  ASSERT_EQ(shape.size(), 2u);
  ExpectSame(Decode(dtype, file.Bytes(raw_name), shape[0], shape[1]), file.Values<float>(f32_name),
             std::string(NameOf(dtype)) + " " + raw_name);
}

TEST(DecodeTest, BlocksHaveTheSizesOfTheTypes) {
  const auto expect = [](DType dtype, size_t size) {
    EXPECT_EQ(static_cast<size_t>(InfoOf(dtype).block_bytes), size) << NameOf(dtype);
  };
  expect(DType::kQ4_0, sizeof(BlockQ4_0));
  expect(DType::kQ4_1, sizeof(BlockQ4_1));
  expect(DType::kQ5_0, sizeof(BlockQ5_0));
  expect(DType::kQ5_1, sizeof(BlockQ5_1));
  expect(DType::kQ8_0, sizeof(BlockQ8_0));
  expect(DType::kQ2_K, sizeof(BlockQ2_K));
  expect(DType::kQ3_K, sizeof(BlockQ3_K));
  expect(DType::kQ4_K, sizeof(BlockQ4_K));
  expect(DType::kQ5_K, sizeof(BlockQ5_K));
  expect(DType::kQ6_K, sizeof(BlockQ6_K));
  expect(DType::kIQ4_NL, sizeof(BlockIQ4_NL));
  expect(DType::kIQ4_XS, sizeof(BlockIQ4_XS));
  expect(DType::kMXFP4, sizeof(BlockMXFP4));
  expect(DType::kNVFP4, sizeof(BlockNVFP4));
  expect(DType::kIQ1_S, sizeof(BlockIQ1_S));
  expect(DType::kIQ1_M, sizeof(BlockIQ1_M));
  expect(DType::kIQ2_XXS, sizeof(BlockIQ2_XXS));
  expect(DType::kIQ2_XS, sizeof(BlockIQ2_XS));
  expect(DType::kIQ2_S, sizeof(BlockIQ2_S));
  expect(DType::kIQ3_XXS, sizeof(BlockIQ3_XXS));
  expect(DType::kIQ3_S, sizeof(BlockIQ3_S));
  expect(DType::kTQ1_0, sizeof(BlockTQ1_0));
  expect(DType::kTQ2_0, sizeof(BlockTQ2_0));
}

class DecodeTypeTest : public ::testing::TestWithParam<DType> {};

TEST_P(DecodeTypeTest, MatchesEveryRecordedBlock) {
  const std::string name(NameOf(GetParam()));
  TUTTI_NEEDS_SHARED("quants/" + name + ".safetensors");
  const RecordedTensors file(SharedFixture("quants/" + name + ".safetensors"));
  ExpectDecodes(GetParam(), file, "raw", "f32");
  ExpectDecodes(GetParam(), file, "raw_nonfinite", "f32_nonfinite");
  if (GetParam() == DType::kF16) ExpectDecodes(GetParam(), file, "raw_all", "f32_all");
}

// The same with the few rows per type that are part of the repository.
TEST_P(DecodeTypeTest, MatchesTheCommittedBlocks) {
  const RecordedTensors file(std::filesystem::path(TUTTI_SOURCE_DIR) /
                             "tests/golden/quants/blocks.safetensors");
  const std::string name(NameOf(GetParam()));
  ExpectDecodes(GetParam(), file, name + ".raw", name + ".f32");
}

// Any bytes decode without undefined behaviour (run under the sanitizers), inside the row.
TEST_P(DecodeTypeTest, IsTotal) {
  const DTypeInfo& info = InfoOf(GetParam());
  const int64_t cols = 3 * info.block_size;
  std::vector<std::byte> raw(static_cast<size_t>(3 * info.block_bytes));
  Rng rng(7);
  for (int trial = 0; trial < 200; ++trial) {
    for (std::byte& byte : raw) byte = static_cast<std::byte>(rng.NextU64() & 0xff);
    const std::vector<float> once = Decode(GetParam(), raw, 1, cols);
    ExpectSame(Decode(GetParam(), raw, 1, cols), once, "decoded twice");
  }
}

INSTANTIATE_TEST_SUITE_P(AllTypes, DecodeTypeTest, ::testing::ValuesIn(kBlockTypes),
                         [](const auto& param_info) {
                           return std::string(NameOf(param_info.param));
                         });

TEST(DecodeTest, PlainNumbers) {
  const auto decode = [](DType dtype, const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    return Decode(dtype, bytes, 1, static_cast<int64_t>(std::size(values)));
  };
  using V = std::vector<float>;
  EXPECT_EQ(decode(DType::kF64, std::array{0.5, -1e300}),
            (V{0.5f, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(decode(DType::kF32, std::array{0.1f, -3.5f, 1e-40f}), (V{0.1f, -3.5f, 1e-40f}));
  EXPECT_EQ(decode(DType::kI64, std::array<int64_t, 2>{-3, 1ll << 40}), (V{-3.0f, 0x1p40f}));
  EXPECT_EQ(decode(DType::kI32, std::array<int32_t, 2>{-3, 7}), (V{-3.0f, 7.0f}));
  EXPECT_EQ(decode(DType::kI16, std::array<int16_t, 2>{-3, 7}), (V{-3.0f, 7.0f}));
  EXPECT_EQ(decode(DType::kI8, std::array<int8_t, 2>{-3, 7}), (V{-3.0f, 7.0f}));
  EXPECT_EQ(decode(DType::kU8, std::array<uint8_t, 2>{253, 7}), (V{253.0f, 7.0f}));
  EXPECT_EQ(decode(DType::kBool, std::array<uint8_t, 3>{0, 1, 2}), (V{0.0f, 1.0f, 1.0f}));
}

TEST(DecodeTest, Float8WithBlocksOfScalesAtTheEdges) {
  // 5 x 7 with scales per 2 x 3: the last block in each direction is partial.
  constexpr int64_t kRows = 5, kCols = 7;
  std::vector<uint8_t> codes(kRows * kCols);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(7 * i);
  std::vector<float> scales(9);
  for (size_t i = 0; i < scales.size(); ++i) scales[i] = 0.5f + static_cast<float>(i);
  WeightView w;
  w.rows = kRows;
  w.cols = kCols;
  w.data = reinterpret_cast<const std::byte*>(codes.data());
  w.row_stride_bytes = kCols;
  w.scales = reinterpret_cast<const std::byte*>(scales.data());
  w.scale_row_stride_bytes = 3 * sizeof(float);
  w.scale_block_rows = 2;
  w.scale_block_cols = 3;
  for (const DType dtype : {DType::kF8E4M3, DType::kF8E5M2}) {
    w.dtype = dtype;
    for (int64_t r = 0; r < kRows; ++r) {
      std::vector<float> out(kCols);
      std::vector<float> expected(kCols);
      DecodeRow(w, r, out);
      for (int64_t c = 0; c < kCols; ++c) {
        const uint8_t code = codes[static_cast<size_t>(r * kCols + c)];
        const float value = dtype == DType::kF8E4M3 ? E4M3ToFloat(code) : E5M2ToFloat(code);
        expected[static_cast<size_t>(c)] = value * scales[static_cast<size_t>(r / 2 * 3 + c / 3)];
      }
      ExpectSame(out, expected, std::string(NameOf(dtype)));
    }
  }
}

TEST(DecodeTest, Float8BlocksOfDeepSeek) {
  TUTTI_NEEDS_SHARED("quants/fp8_block.safetensors");
  const RecordedTensors file(SharedFixture("quants/fp8_block.safetensors"));
  WeightView w;
  w.dtype = DType::kF8E4M3;
  w.rows = 300;
  w.cols = 200;
  w.data = file.Bytes("weight").data();
  w.row_stride_bytes = 200;
  w.scales = file.Bytes("weight_scale_inv").data();
  w.scale_row_stride_bytes = 2 * sizeof(float);
  w.scale_block_rows = 128;
  w.scale_block_cols = 128;
  std::vector<float> out(300 * 200);
  for (int64_t r = 0; r < w.rows; ++r)
    DecodeRow(w, r, std::span(out).subspan(static_cast<size_t>(r * 200), 200));
  ExpectSame(out, file.Values<float>("dequant"), "fp8 blocks");
}

TEST(DecodeTest, Int4PackedWithScalesOfEachType) {
  // Two rows of 16 values 0..15 and 15..0, groups of 8.
  const std::array<uint32_t, 4> words = {0x76543210, 0xfedcba98, 0x89abcdef, 0x01234567};
  const std::array<float, 4> scales = {0.5f, 2.0f, -1.0f, 0.25f};
  WeightView w;
  w.dtype = DType::kInt4Packed;
  w.rows = 2;
  w.cols = 16;
  w.data = reinterpret_cast<const std::byte*>(words.data());
  w.row_stride_bytes = 8;
  w.scale_block_cols = 8;
  const auto expect_row = [&](int64_t row, std::span<const float> out) {
    for (size_t c = 0; c < 16; ++c) {
      const float nibble = static_cast<float>(row == 0 ? c : 15 - c);
      EXPECT_EQ(out[c], (nibble - 8) * scales[static_cast<size_t>(row) * 2 + c / 8]);
    }
  };
  std::array<uint16_t, 4> bf16{}, f16{};
  for (size_t i = 0; i < 4; ++i) {
    bf16[i] = FloatToBF16(scales[i]);
    f16[i] = FloatToF16(scales[i]);
  }
  const auto check = [&](DType dtype, const void* data, int64_t stride) {
    w.scale_dtype = dtype;
    w.scales = static_cast<const std::byte*>(data);
    w.scale_row_stride_bytes = stride;
    for (int64_t row = 0; row < 2; ++row) {
      std::array<float, 16> out{};
      DecodeRow(w, row, out);
      expect_row(row, out);
    }
  };
  check(DType::kF32, scales.data(), 8);
  check(DType::kBF16, bf16.data(), 4);
  check(DType::kF16, f16.data(), 4);
}

TEST(DecodeTest, SplitMXFP4TakesNibblesInPairs) {
  std::array<uint8_t, 16> blocks{};
  for (size_t i = 0; i < 16; ++i) blocks[i] = static_cast<uint8_t>((i << 4) | (15 - i));
  const std::array<uint8_t, 1> scale = {128};  // 2^1
  WeightView w;
  w.dtype = DType::kMXFP4Split;
  w.rows = 1;
  w.cols = 32;
  w.data = reinterpret_cast<const std::byte*>(blocks.data());
  w.row_stride_bytes = 16;
  w.scales = reinterpret_cast<const std::byte*>(scale.data());
  w.scale_dtype = DType::kU8;
  w.scale_row_stride_bytes = 1;
  w.scale_block_cols = 32;
  std::array<float, 32> out{};
  DecodeRow(w, 0, out);
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(out[2 * i], static_cast<float>(kDoubledE2M1[15 - i]));  // 0.5 * 2^1 = 1
    EXPECT_EQ(out[2 * i + 1], static_cast<float>(kDoubledE2M1[i]));
  }
}

}  // namespace
}  // namespace tutti::tensor
