// The int8 path: every instruction set against exact arithmetic, and against each other bit by bit.
#include "tutti/kernels/strip.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tutti/base/rng.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/random_blocks.h"

namespace tutti::kernels {
namespace {

constexpr DType kTypes[] = {DType::kQ8_0,  DType::kQ4_0,       DType::kQ4_1,      DType::kQ5_0,
                            DType::kQ5_1,  DType::kQ2_K,       DType::kQ3_K,      DType::kQ4_K,
                            DType::kQ5_K,  DType::kQ6_K,       DType::kIQ4_NL,    DType::kIQ4_XS,
                            DType::kMXFP4, DType::kMXFP4Split, DType::kInt4Packed};

// A matrix in memory of exactly its size: what reads behind it shows under asan.
struct TestWeights {
  TestWeights(DType dtype, int64_t rows, int64_t cols, Rng& rng, bool extreme) {
    const DTypeInfo& info = InfoOf(dtype);
    view.dtype = dtype;
    view.rows = rows;
    view.cols = cols;
    view.row_stride_bytes = cols / info.block_size * info.block_bytes;
    bytes = std::make_unique<std::byte[]>(static_cast<size_t>(rows * view.row_stride_bytes));
    const std::span<std::byte> all(bytes.get(), static_cast<size_t>(rows * view.row_stride_bytes));
    if (tensor::CanFillRandom(dtype)) {
      tensor::FillRandom(dtype, 0.1f, rng, all);
    } else {
      for (std::byte& b : all) b = static_cast<std::byte>(rng.NextU64());
    }
    view.data = bytes.get();
    if (dtype == DType::kMXFP4Split) AddScales(DType::kU8, 1, 32, rng);
    if (dtype == DType::kInt4Packed) AddScales(DType::kBF16, 2, 64, rng);
    if (extreme) MakeExtreme(all);
  }
  void AddScales(DType dtype, int64_t size, int32_t block_cols, Rng& rng) {
    view.scale_dtype = dtype;
    view.scale_block_cols = block_cols;
    view.scale_row_stride_bytes = (view.cols + block_cols - 1) / block_cols * size;
    const int64_t count = view.rows * view.scale_row_stride_bytes / size;
    scales = std::make_unique<std::byte[]>(static_cast<size_t>(count * size));
    for (int64_t i = 0; i < count; ++i) {
      const uint16_t value = dtype == DType::kU8
                                 ? static_cast<uint16_t>(118 + rng.NextU64() % 8)
                                 : static_cast<uint16_t>(0x3c00 + rng.NextU64() % 256);
      std::memcpy(scales.get() + i * size, &value, static_cast<size_t>(size));
    }
    view.scales = scales.get();
  }
  // Quantised values at the ends of their range: all bits of q alike, where blocks begin with f16
  // scales or end with them those are left alone.
  void MakeExtreme(std::span<std::byte> all) {
    const int64_t block_bytes = InfoOf(view.dtype).block_bytes;
    for (size_t at = 0; at < all.size(); at += static_cast<size_t>(block_bytes)) {
      const std::span<std::byte> block = all.subspan(at, static_cast<size_t>(block_bytes));
      const std::byte fill =
          at / static_cast<size_t>(block_bytes) % 2 == 0 ? std::byte{0x80} : std::byte{0xff};
      switch (view.dtype) {
        case DType::kQ8_0:  // -128 and -1
          std::fill(block.begin() + 2, block.end(), fill);
          break;
        case DType::kQ2_K:
          std::fill(block.begin(), block.begin() + 80, std::byte{0xff});
          break;
        case DType::kQ3_K:
          std::fill(block.begin(), block.begin() + 108, fill);
          break;
        case DType::kQ6_K:
          std::fill(block.begin(), block.begin() + 208, fill);
          break;
        case DType::kQ4_K:
        case DType::kQ5_K:
          std::fill(block.begin() + 4, block.end(), std::byte{0xff});
          break;
        default:
          std::fill(block.begin() + block_bytes / 2, block.end(), fill);
          break;
      }
    }
  }
  tensor::WeightView view;
  std::unique_ptr<std::byte[]> bytes;
  std::unique_ptr<std::byte[]> scales;
};

struct TestColumns {
  TestColumns(int64_t count, int64_t cols, Rng& rng, bool extreme) : layout{cols} {
    values.resize(static_cast<size_t>(count * cols));
    for (size_t i = 0; i < values.size(); ++i) {
      const float spread = i % 97 == 0 ? 20.0f : 1.0f;  // a few large channels, as models have them
      values[i] = extreme ? (i / 32 % 2 == 0 ? 3.0f : (i % 2 == 0 ? -3.0f : 3.0f))
                          : spread * static_cast<float>(rng.NextDouble() - 0.5);
    }
    bytes.resize(static_cast<size_t>(count * layout.row_bytes()) + 64);
    std::byte* begin = bytes.data() + (64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64) % 64;
    for (int64_t c = 0; c < count; ++c) {
      std::byte* row = begin + c * layout.row_bytes();
      QuantizeQ8({values.data() + c * cols, static_cast<size_t>(cols)}, layout, 0, row);
      rows.push_back(row);
    }
  }
  Q8Layout layout;
  std::vector<float> values;
  std::vector<std::byte> bytes;
  std::vector<const std::byte*> rows;
};

// [column][row of the matrix]
std::vector<float> Product(const StripIsa& isa, const tensor::WeightView& w,
                           std::span<const std::byte* const> columns) {
  auto buffer = std::make_unique<StripPairBuffer>();
  std::vector<float> out(columns.size() * static_cast<size_t>(w.rows));
  std::vector<float> sums(columns.size() * kPairRows, std::nanf(""));  // written, not added to
  for (int64_t row = 0; row < w.rows; row += kPairRows) {
    MultiplyPair(isa, w, row, columns, *buffer, sums.data());
    for (size_t c = 0; c < columns.size(); ++c) {
      for (int64_t r = row; r < std::min(row + kPairRows, w.rows); ++r) {
        out[c * static_cast<size_t>(w.rows) + static_cast<size_t>(r)] =
            sums[c * kPairRows + static_cast<size_t>(r - row)];
      }
    }
  }
  return out;
}

void ExpectProduct(const TestWeights& w, const TestColumns& x, const std::string& what) {
  std::vector<float> weights(static_cast<size_t>(w.view.cols));
  std::vector<float> column(static_cast<size_t>(w.view.cols));
  for (const StripIsa* isa : SupportedStripIsas()) {
    const std::vector<float> actual = Product(*isa, w.view, x.rows);
    for (int64_t r = 0; r < w.view.rows; ++r) {
      tensor::DecodeRow(w.view, r, weights);
      for (size_t c = 0; c < x.rows.size(); ++c) {
        DequantizeQ8(x.rows[c], x.layout, column);
        double sum = 0;
        double magnitude = 0;
        for (size_t k = 0; k < column.size(); ++k) {
          sum += static_cast<double>(weights[k]) * column[k];
          magnitude += std::abs(static_cast<double>(weights[k]) * column[k]);
        }
        // Minima are added apart from q, so the magnitudes of both count: d q is at most
        // |w| + |minimum|, which for unsigned forms is bounded by 16 times the largest |w|. Each
        // group adds a few roundings of 2^-24 of the sum so far.
        const double groups = static_cast<double>(w.view.cols) / 32;
        const double bound = 0x1p-24 * (4 * groups + 8) * 4 * (magnitude + 1e-30);
        ASSERT_NEAR(actual[c * static_cast<size_t>(w.view.rows) + static_cast<size_t>(r)], sum,
                    bound)
            << what << ", " << isa->name << ", row " << r << ", column " << c;
      }
    }
    // All instruction sets agree bit for bit.
    const std::vector<float> portable = Product(*StripIsaPortable(), w.view, x.rows);
    ASSERT_EQ(0, std::memcmp(actual.data(), portable.data(), actual.size() * sizeof(float)))
        << what << ", " << isa->name;
  }
}

TEST(StripTest, EveryTypeAndInstructionSetMatchesExactArithmetic) {
  for (const StripIsa* isa : SupportedStripIsas()) std::printf("int8 products: %s\n", isa->name);
  for (const DType dtype : kTypes) {
    Rng rng(static_cast<uint64_t>(dtype) + 1);
    const int64_t block = std::max(InfoOf(dtype).block_size, 32);
    // Rows that fill no pair, strip or anything; columns of one block, an odd number of them, more
    // than a slice.
    for (const int64_t rows : {1, 17, 37, 64}) {
      for (const int64_t blocks : {int64_t{1}, int64_t{3}, 1536 / block}) {
        const TestWeights w(dtype, rows, blocks * block, rng, false);
        ASSERT_TRUE(HasStrips(w.view)) << NameOf(dtype);
        const TestColumns x(rows == 37 ? 8 : 2, blocks * block, rng, false);
        ExpectProduct(w, x, std::string(NameOf(dtype)));
      }
    }
  }
}

TEST(StripTest, ExtremeValuesDoNotSaturate) {
  for (const DType dtype : kTypes) {
    Rng rng(9);
    const TestWeights w(dtype, 20, 512, rng, true);
    for (const int64_t columns : {1, 3, 7}) {
      const TestColumns x(columns, 512, rng, true);
      ExpectProduct(w, x, std::string(NameOf(dtype)) + " extreme");
    }
  }
}

// Any bytes at all: every scale that a block can have, the denormal and infinite ones too.
TEST(StripTest, EveryInstructionSetUnpacksAnyBytesAlike) {
  const auto same = [](float a, float b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0 || (std::isnan(a) && std::isnan(b));
  };
  for (const DType dtype : kTypes) {
    Rng rng(11);
    constexpr int64_t kCols = kSliceGroups * kQ8GroupSize;
    TestWeights w(dtype, 64 * kStripRows, kCols, rng, false);
    for (int64_t i = 0; i < w.view.rows * w.view.row_stride_bytes; ++i) {
      w.bytes[static_cast<size_t>(i)] = static_cast<std::byte>(rng.NextU64());
    }
    auto buffer = std::make_unique<StripPairBuffer>();
    const StripSlice expected = buffer->Strip(0);
    const StripSlice actual = buffer->Strip(1);
    for (int64_t row = 0; row < w.view.rows; row += kStripRows) {
      StripSource rows;
      rows.scale_dtype = w.view.scale_dtype;
      rows.scale_block_cols = w.view.scale_block_cols;
      for (int64_t i = 0; i < kStripRows; ++i) {
        rows.data[i] = w.view.data + (row + i) * w.view.row_stride_bytes;
        rows.scales[i] = w.view.scales + (row + i) * w.view.scale_row_stride_bytes;
      }
      // A whole slice, or a single block: some unpack two at a time where there are two.
      const int64_t block = std::max<int64_t>(1, InfoOf(dtype).block_size / kQ8GroupSize);
      const int64_t groups = row % kPairRows == 0 ? kSliceGroups : block;
      PortableUnpack(dtype, false)(rows, 0, groups, expected);
      const int64_t scales = groups * ScalesPerGroup(FormOf(dtype)) * kStripRows;
      for (const StripIsa* isa : SupportedStripIsas()) {
        isa->unpack(dtype)(rows, 0, groups, actual);
        const int bias = HasMinimum(FormOf(dtype)) ? 0 : (actual.q[0] - expected.q[0]) & 0xff;
        ASSERT_TRUE(bias == 0 || bias == 128) << NameOf(dtype) << ", " << isa->name;
        for (int64_t i = 0; i < groups * 8 * kStripRows * 4; ++i) {
          ASSERT_EQ((actual.q[i] - bias) & 0xff, expected.q[i])
              << NameOf(dtype) << ", " << isa->name << ", q " << i;
        }
        for (int64_t i = 0; i < scales; ++i) {
          ASSERT_TRUE(same(actual.scale[i], expected.scale[i]) &&
                      (!HasMinimum(FormOf(dtype)) || same(actual.minimum[i], expected.minimum[i])))
              << NameOf(dtype) << ", " << isa->name << ", scale " << i << ": " << actual.scale[i]
              << " instead of " << expected.scale[i];
        }
      }
    }
  }
}

TEST(StripTest, AColumnHasTheSameBitsInEveryCompany) {
  for (const DType dtype : kTypes) {
    Rng rng(3);
    const TestWeights w(dtype, 40, 1280, rng, false);
    const TestColumns x(29, 1280, rng, false);
    for (const StripIsa* isa : SupportedStripIsas()) {
      const std::vector<float> all = Product(*isa, w.view, x.rows);
      for (size_t first = 0, count = 1; first < x.rows.size(); first += count, ++count) {
        count = std::min(count, x.rows.size() - first);
        const std::vector<float> some =
            Product(*isa, w.view, std::span(x.rows).subspan(first, count));
        ASSERT_EQ(0, std::memcmp(some.data(), &all[first * 40], some.size() * sizeof(float)))
            << NameOf(dtype) << ", " << isa->name << ", " << count << " columns";
      }
    }
  }
}

TEST(StripTest, RowsApartInMemoryAreFollowed) {
  Rng rng(5);
  TestWeights w(DType::kQ4_K, 66, 256, rng, false);
  const TestColumns x(2, 256, rng, false);
  w.view.rows = 33;  // every other row, as interleaved gate and up weights
  w.view.row_stride_bytes *= 2;
  ExpectProduct(w, x, "every other row");
}

TEST(StripTest, OnlyWholeBlocksHaveStrips) {
  tensor::WeightView w;
  w.rows = 4;
  w.cols = 96;
  w.dtype = DType::kQ8_0;
  EXPECT_TRUE(HasStrips(w));
  w.dtype = DType::kF32;
  EXPECT_FALSE(HasStrips(w));
  w.dtype = DType::kIQ2_XS;
  EXPECT_FALSE(HasStrips(w));
  w.dtype = DType::kInt4Packed;
  std::byte scale{};
  w.scales = &scale;
  w.scale_block_cols = 24;
  EXPECT_FALSE(HasStrips(w)) << "a scale for part of a group";
  w.scale_block_cols = 96;
  EXPECT_TRUE(HasStrips(w));
  w.cols = 40;
  EXPECT_FALSE(HasStrips(w));
}

template <int kParts>
const Q8Group<kParts>* GroupsOf(const std::byte* row, Q8Layout layout, Q8Sums sums) {
  return reinterpret_cast<const Q8Group<kParts>*>(row + layout.groups_offset(sums));
}

TEST(Q8RowsTest, ErrorIsTheLeastForItsStepsAndSumsAreExact) {
  Rng rng(1);
  std::vector<float> x(256);
  for (float& v : x) v = static_cast<float>(rng.NextDouble() * 8 - 4);
  std::fill(x.begin() + 32, x.begin() + 64, 0.0f);
  std::fill(x.begin() + 64, x.begin() + 96, 1e-38f);
  const Q8Layout layout{256};
  alignas(64) std::byte row[1024];
  ASSERT_LE(layout.row_bytes(), 1024);
  QuantizeQ8(std::span<const float>(x).first(128), layout, 0, row);
  QuantizeQ8(std::span<const float>(x).subspan(128), layout, 128, row);
  std::vector<float> back(256);
  DequantizeQ8(row, layout, back);
  const auto* scaled = GroupsOf<1>(row, layout, Q8Sums::kScaled32);
  const auto* biased = GroupsOf<1>(row, layout, Q8Sums::kBiased32);
  const auto* scaled_halves = GroupsOf<2>(row, layout, Q8Sums::kScaled16);
  const auto* biased_halves = GroupsOf<2>(row, layout, Q8Sums::kBiased16);
  for (size_t g = 0; g < 8; ++g) {
    int sum[2] = {0, 0};
    float largest = 0;
    for (size_t k = 0; k < 32; ++k) largest = std::max(largest, std::abs(x[g * 32 + k]));
    const double step = largest / 127.0;
    double error = 0, plain_error = 0;
    for (size_t k = 0; k < 32; ++k) {
      const int q = std::to_integer<int8_t>(row[g * 32 + k]);
      ASSERT_LE(std::abs(q), 127);
      sum[k / 16] += q;
      ASSERT_NEAR(step * q, x[g * 32 + k], 0.50001 * step + 1e-37);
      error += std::pow(back[g * 32 + k] - x[g * 32 + k], 2);
      plain_error += std::pow(step * q - x[g * 32 + k], 2);
    }
    EXPECT_LE(error, plain_error * (1 + 1e-6) + 1e-70);
    const float scale = scaled[g].scale;
    EXPECT_EQ(biased[g].scale, scale);
    EXPECT_EQ(scaled_halves[g].scale, scale);
    EXPECT_EQ(biased_halves[g].scale, scale);
    EXPECT_EQ(biased[g].biased[0], -128 * (sum[0] + sum[1]));
    EXPECT_EQ(scaled[g].scaled[0], scale * static_cast<float>(sum[0] + sum[1]));
    for (size_t h = 0; h < 2; ++h) {
      EXPECT_EQ(biased_halves[g].biased[h], -128 * sum[h]);
      EXPECT_EQ(scaled_halves[g].scaled[h], scale * static_cast<float>(sum[h]));
    }
  }
}

TEST(Q8RowsTest, RowsHaveTheSumsThatAreWantedAndNoOthers) {
  Rng rng(2);
  const Q8Layout layout{96};
  constexpr int64_t kRows = 3;
  constexpr int64_t kStride = 40;
  constexpr int64_t kBegin = 32;
  std::vector<float> x(kRows * kStride);
  for (float& v : x) v = static_cast<float>(rng.NextDouble() * 8 - 4);
  const auto row_bytes = static_cast<size_t>(layout.row_bytes());
  for (int kind = 0; kind < kQ8SumsKinds; ++kind) {
    const auto sums = static_cast<Q8Sums>(kind);
    std::vector<std::byte> rows(kRows * row_bytes, std::byte{0x5a});
    QuantizeQ8Rows(x.data(), kStride, kRows, layout, kBegin, sums, rows.data());
    for (size_t i = 0; i < kRows; ++i) {
      std::vector<std::byte> whole(row_bytes);
      QuantizeQ8(std::span<const float>(x).subspan(i * kStride, kQ8GroupSize), layout, kBegin,
                 whole.data());
      std::vector<std::byte> expected(row_bytes, std::byte{0x5a});
      const auto copy = [&](int64_t from, int64_t bytes) {
        std::copy_n(whole.begin() + from, bytes, expected.begin() + from);
      };
      copy(kBegin, kQ8GroupSize);
      copy(layout.groups_offset(sums) + layout.group_bytes(sums), layout.group_bytes(sums));
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), rows.begin() + i * row_bytes))
          << "row " << i << ", sums " << kind;
    }
  }
}

TEST(Q8RowsTest, WhatIsNotFiniteStaysVisible) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    std::vector<float> x(64, 1.0f);
    x[40] = bad;
    const Q8Layout layout{64};
    alignas(64) std::byte row[256];
    QuantizeQ8(x, layout, 0, row);
    const auto* groups = GroupsOf<1>(row, layout, Q8Sums::kScaled32);
    EXPECT_FLOAT_EQ(groups[0].scale, 1.0f / 127);
    EXPECT_TRUE(std::isnan(groups[1].scale));
    for (size_t i = 0; i < 64; ++i) EXPECT_GE(std::to_integer<int8_t>(row[i]), -127);
  }
}

}  // namespace
}  // namespace tutti::kernels
